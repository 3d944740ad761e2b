// Package cache makes a pipeline idempotent: of all the messages with the same
// key, one is processed to the end, and the others are skipped.
//
// # The protocol
//
// Claim, process, complete. A claim is a lease: while it is held nobody else
// processes the key, and when its holder crashes it runs out and another takes
// over, with a greater fencing token. The key is marked as completed only after
// the rest of the pipeline has returned nil, so a failure never loses it. And a
// key that another holds is never acknowledged, since that holder may be dying:
// the message waits for a short time, then fails with [driver.ErrHeld], so that
// the event is delivered again.
//
// One window is left that no such protocol can close. A holder that acts and
// crashes before it could say so leaves a key that will be processed again. The
// second time has a greater token: pass [ClaimFromContext] on to the system that
// is acted upon, and let it refuse what is older than what it has seen. Where a
// second run must not happen at all, see [QuarantineOnExpiry].
package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"example.com/eventdriver/driver"
)

// Defaults of the options, and the bounds of what can't be set.
const (
	DefaultLease     = 10 * time.Minute // where neither Lease nor the context says
	DefaultClockSkew = 10 * time.Second
	DefaultWait      = 2 * time.Second

	firstPause      = 50 * time.Millisecond // between attempts; doubles each time
	longestPause    = 5 * time.Second
	acquireAttempts = 3                // while the store fails
	completeWithin  = 10 * time.Second // at least
	releaseWithin   = 3 * time.Second
	oneCall         = 10 * time.Second // of a slow store: BigQuery takes seconds
	renewAtMost     = time.Second      // Cloud Storage takes one write a second for an object
)

// ErrActed is for the errors of handlers that come after the effect: wrapped by one,
// it says that the effect has happened, and that what came after it failed. With
// [QuarantineOnExpiry] such a key is not released but left to its lease, so that it
// is set aside and not run again; otherwise it runs again, as after any failure.
var ErrActed = errors.New("the effect has happened already")

// Cache is the idempotency handler. Create it with [New].
type Cache struct {
	claims   driver.ClaimStore
	keyFrom  func(driver.Message) string
	onDone   driver.Handler
	onExpiry driver.Handler // nil: run again
	lease    time.Duration  // 0: from the context
	skew     time.Duration
	wait     time.Duration
}

// New returns a cache on the claims of the store. It panics if claims is nil, or
// what [KeyFrom] or [HandleConflict] were given.
func New(claims driver.ClaimStore, opts ...Option) *Cache {
	if claims == nil {
		panic(errors.New("cache: the claim store is nil"))
	}
	c := &Cache{
		claims:  claims,
		keyFrom: func(m driver.Message) string { return m.Key },
		skew:    DefaultClockSkew,
		wait:    DefaultWait,
	}
	SkipOnConflict()(c)
	for _, opt := range opts {
		opt(c)
	}
	if c.keyFrom == nil || c.onDone == nil {
		panic(errors.New("cache: the function of KeyFrom or the handler of HandleConflict is nil"))
	}
	return c
}

// Process implements [driver.Handler]. It goes on with in if the key can be
// claimed and has not been completed; what happens else, the options say. The
// context that it passes on carries the claim and ends when the lease can no
// longer be held, before another holder can take over.
//
// Failures of the rest of the pipeline are returned as they are, after the claim
// was released; a panic goes on after it. Where the key could not be recorded as
// completed, the error says so: the event will be delivered again, and finds out
// then who has completed it.
//
// When ctx ends, so does the context that was passed on, and the lease is no
// longer renewed: a handler that goes on nevertheless may find, in the end, that
// another has taken over.
func (c *Cache) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	key := c.keyFrom(in)
	if key == "" {
		return driver.Reject(driver.ReasonNoKey, fmt.Errorf("idempotency: %w", driver.ErrNoKey))
	}
	held, err := c.acquire(ctx, key)
	if errors.Is(err, driver.ErrDone) {
		slog.DebugContext(ctx, "key is completed already", "key", key, "source", in.Source)
		return c.onDone.Process(ctx, in, next)
	}
	if err != nil {
		return err
	}
	held.quarantine = c.onExpiry != nil
	if !held.claim.Takeover {
		return held.process(ctx, in, next)
	}
	slog.WarnContext(ctx, "took over an expired lease: the last holder crashed or hung, whether it acted is unknown",
		"key", key, "source", in.Source, "token", held.claim.Token)
	if c.onExpiry == nil {
		return held.process(ctx, in, next)
	}
	held.keepOnFailure = true
	return held.process(ctx, in, func(ctx context.Context, in driver.Message) error {
		return c.onExpiry.Process(ctx, in, next)
	})
}

// acquire claims the key. While another holds it, it waits for the key to be
// completed or released. A failure of the store may be an answer that was lost,
// so it asks again as the same owner, who would be given the claim again.
func (c *Cache) acquire(ctx context.Context, key string) (*lease, error) {
	wanted := driver.Claim{Key: key, Owner: driver.NewOwner()}
	giveUp := time.Now().Add(c.wait)
	failures := 0
	for pause := firstPause; ; pause *= 2 {
		length := c.length(ctx)
		wanted.Margin = c.margin(length)
		asked := time.Now()
		claim, err := c.claims.Acquire(ctx, wanted, length)
		switch {
		case err == nil:
			return newLease(c.claims, claim, length, asked), nil
		case errors.Is(err, driver.ErrDone) || driver.IsPermanent(err):
			return nil, err
		case errors.Is(err, driver.ErrHeld):
			pause = min(pause, time.Until(giveUp))
		default:
			failures++
		}
		if pause <= 0 || failures == acquireAttempts || !sleep(ctx, pause) {
			if !errors.Is(err, driver.ErrHeld) {
				c.giveBack(ctx, wanted, length)
			}
			return nil, err
		}
	}
}

// giveBack releases the key after Acquire failed with nobody knowing whether the
// claim was stored: it would be held by nobody until its lease runs out. Claiming
// it once more, as the same owner, also keeps a request that is still under way
// from storing it later. What took over an expired lease is kept, where that
// means quarantine, so that the next holder sees it, too.
func (c *Cache) giveBack(ctx context.Context, wanted driver.Claim, length time.Duration) {
	// If this fails as well, the lease runs out by itself.
	var claim driver.Claim
	err := persistently(ctx, releaseWithin, func(ctx context.Context) (err error) {
		claim, err = c.claims.Acquire(ctx, wanted, length)
		if errors.Is(err, driver.ErrHeld) || errors.Is(err, driver.ErrDone) {
			err = driver.Permanent(err) // it is not ours
		}
		return err
	})
	if err == nil && !(claim.Takeover && c.onExpiry != nil) {
		_ = persistently(ctx, releaseWithin, func(ctx context.Context) error { return c.claims.Release(ctx, claim, driver.MarkNone) })
	}
}

// length is how long a lease to ask for: as configured, or until the context
// ends and a margin, so that another takes over soon after the platform has
// ended a request, and not before.
func (c *Cache) length(ctx context.Context) time.Duration {
	if c.lease > 0 {
		return c.lease
	}
	if deadline, ok := ctx.Deadline(); ok {
		return max(time.Until(deadline), 0) + c.skew
	}
	return DefaultLease
}

// margin is how long before the end of a lease of that length it is not relied on
// any more: the clock skew, or a quarter of a short lease, so that two renewals, each
// after a third, can be tried before.
func (c *Cache) margin(length time.Duration) time.Duration { return min(c.skew, length/4) }

// sleep waits for d, and says whether the context is still alive then.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

type claimKey struct{}

// ClaimFromContext returns the claim under which a handler after the cache runs.
// Its Token is the fencing token of this run; its Expires is that of the lease as
// it was acquired, though it may have been renewed since. The second result is
// false outside of a cache.
func ClaimFromContext(ctx context.Context) (driver.Claim, bool) {
	claim, ok := ctx.Value(claimKey{}).(driver.Claim)
	return claim, ok
}
