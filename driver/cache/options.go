package cache

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"example.com/eventdriver/driver"
)

// Option changes how a cache works.
type Option func(*Cache)

// SkipOnConflict acknowledges messages whose key is completed, without going on.
// It is the default.
func SkipOnConflict() Option {
	return HandleDone(driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { return nil }))
}

// FailOnDone fails messages whose key is completed with a permanent error,
// [driver.ErrDone] for the reason [driver.ReasonDuplicate], so that they are
// dead-lettered.
func FailOnDone() Option {
	return HandleDone(driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
		return driver.Reject(driver.ReasonDuplicate, driver.ErrDone)
	}))
}

// HandleDone gives messages whose key is completed to h, with the rest of the
// pipeline as its next. No claim is held meanwhile.
func HandleDone(h driver.Handler) Option {
	return func(c *Cache) { c.onDone = h }
}

// KeyFrom makes fn say what must be processed once; the default is the message's
// Key. A message for which it returns "" is a permanent error.
func KeyFrom(fn func(driver.Message) string) Option {
	return func(c *Cache) { c.keyFrom = fn }
}

// Scope lets several caches on one store process the same key, each once: claims in
// one scope have nothing to do with those in another. Any string is legal; the
// default is "". It is stored with each claim, so it must stay the same.
func Scope(name string) Option {
	return func(c *Cache) { c.scope = name }
}

// Lease sets how long a claim lasts if its holder vanishes. It is renewed while
// the handler runs, so it need not be as long as the handler takes: a shorter one
// lets another take over sooner after a crash, and costs more renewals; one below
// 2 s runs out before it can be renewed. The default, 0, is the time left until
// the context's deadline and the clock skew, or [DefaultLease] where the context
// has no deadline.
func Lease(d time.Duration) Option {
	return func(c *Cache) { c.lease = max(d, 0) }
}

// ClockSkew sets by how much the clocks of two instances, and of an instance and the
// store, may differ. A handler's context ends this long before its lease; where
// [Lease] is set, a quarter of the lease before, if that is less. The store is told
// so too, with [driver.Claim.Margin]. The default is [DefaultClockSkew].
func ClockSkew(d time.Duration) Option {
	return func(c *Cache) { c.skew = max(d, 0) }
}

// WaitOnHeld sets how long a message waits for a key that another instance holds,
// before it fails with [driver.ErrHeld]. The default is [DefaultWait]; 0 fails at
// once. Meanwhile the store is asked a few times, with pauses that grow. For a run of
// the same Cache a message waits until its context ends, whatever is set here.
func WaitOnHeld(d time.Duration) Option {
	return func(c *Cache) { c.wait = max(d, 0) }
}

// Logger is where the cache logs; the default is [slog.Default] as it is when a message
// comes. Debug: the key is completed already. Warn: a lease that ran out was taken over, or
// the key is in quarantine.
func Logger(logger *slog.Logger) Option {
	return func(c *Cache) { c.logger = logger }
}

// QuarantineOnExpiry is for effects that must never happen twice. A key is not
// processed again after a run whose outcome is unknown: the holder crashed or let its
// lease run out; the handler panicked; it failed after its context had ended, or with
// [driver.ErrActed]; or the completion could not be recorded. h is called instead, and if it returns nil
// the key is completed. It can ask the system that is acted upon what has happened,
// and call its next if nothing has. While h fails, the key stays in quarantine, and h
// is called again for each message of the key that is delivered.
//
// With a nil h it is [OutcomeUnknown].
func QuarantineOnExpiry(h driver.Handler) Option {
	if h == nil {
		h = OutcomeUnknown
	}
	return func(c *Cache) { c.onExpiry = h }
}

// OutcomeUnknown has each message of a key in quarantine fail with a permanent error for the reason
// [driver.ReasonOutcomeUnknown], so that it is dead-lettered for a person.
var OutcomeUnknown driver.Handler = driver.HandlerFunc(outcomeUnknown)

func outcomeUnknown(ctx context.Context, in driver.Message, _ driver.Next) error {
	claim, _ := driver.ClaimFrom(ctx)
	return driver.Reject(driver.ReasonOutcomeUnknown, fmt.Errorf(
		"%v: whether the holder before this token acted is unknown; find out before it is processed again", claim))
}
