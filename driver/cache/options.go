package cache

import (
	"context"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
)

// Option changes how a cache works.
type Option func(*Cache)

// SkipOnConflict acknowledges messages whose key is completed, without going on.
// It is the default.
func SkipOnConflict() Option {
	return HandleConflict(driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { return nil }))
}

// FailOnConflict fails messages whose key is completed with a permanent error,
// [driver.ErrDone] for the reason [driver.ReasonDuplicate], so that they are set
// aside.
func FailOnConflict() Option {
	return HandleConflict(driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
		return driver.Reject(driver.ReasonDuplicate, fmt.Errorf("key %q: %w", in.Key, driver.ErrDone))
	}))
}

// HandleConflict gives messages whose key is completed to h, with the rest of the
// pipeline as its next. No claim is held meanwhile.
func HandleConflict(h driver.Handler) Option {
	return func(c *Cache) { c.onDone = h }
}

// KeyFrom makes fn say what must be processed once; the default is the message's
// Key. A message for which it returns "" is a permanent error.
func KeyFrom(fn func(driver.Message) string) Option {
	return func(c *Cache) { c.keyFrom = fn }
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

// ClockSkew sets by how much the clocks of two instances may differ: so much
// earlier than its lease a handler's context ends, though by a quarter of the
// lease at most. The default is [DefaultClockSkew].
func ClockSkew(d time.Duration) Option {
	return func(c *Cache) { c.skew = max(d, 0) }
}

// WaitOnHeld sets how long a message waits for a key that another holds, before
// it fails with [driver.ErrHeld]. The default is [DefaultWait]; 0 fails at once.
func WaitOnHeld(d time.Duration) Option {
	return func(c *Cache) { c.wait = max(d, 0) }
}

// QuarantineOnExpiry is for effects that must never happen twice. A key whose
// holder let its lease run out is not processed again: h is called instead, and
// if it returns nil the key is completed. It can ask the system that is acted
// upon what has happened, and call its next if nothing has. While h fails, the
// key stays in quarantine: the lease is left to run out, and h is called again by
// whoever takes over.
//
// With a nil h the message fails with a permanent error for the reason
// [driver.ReasonOutcomeUnknown], so that it is set aside for a person.
func QuarantineOnExpiry(h driver.Handler) Option {
	if h == nil {
		h = driver.HandlerFunc(outcomeUnknown)
	}
	return func(c *Cache) { c.onExpiry = h }
}

func outcomeUnknown(ctx context.Context, in driver.Message, _ driver.Next) error {
	claim, _ := ClaimFromContext(ctx)
	return driver.Reject(driver.ReasonOutcomeUnknown, fmt.Errorf(
		"key %q: the holder before token %d vanished while it processed it; find out whether it acted", in.Key, claim.Token))
}
