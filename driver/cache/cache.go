// Package cache makes a pipeline idempotent: of all the messages with the same
// key, one is processed to the end, and the others are skipped.
//
// # The protocol
//
// Claim, process, complete. A claim is a lease: while it is held nobody else
// processes the key, and when its holder crashes it runs out and another takes
// over, with a greater fencing token. The key is marked as completed only after
// the rest of the pipeline has returned nil, so a failure never loses it. And a
// key that another instance holds is never acknowledged, since that holder may be
// dying: the message waits for a short time, then fails with [driver.ErrHeld], so
// that the event is delivered again.
//
// # Clients that go away
//
// From the call of the store on that claims a key, its run does not depend on the
// client: it goes on when the context is canceled, until the context's deadline. So a
// handler, or a store, that takes longer than the client waits does finish. A message
// whose key is being processed by the same Cache waits for that run, without a call to
// the store, until its own context ends. If the run completes the key, the message is a
// duplicate. If it fails, the message tries itself; but where it is the same message as
// the run's, and that can never succeed, it fails likewise: the run's own client may
// have gone, and not hear of it. A message that has waited for more than five seconds is to be
// delivered again: what it was made of may have been corrected or purged meanwhile.
//
// # The one window
//
// One window is left that no such protocol can close. A holder that acts and
// crashes before it could say so leaves a key that will be processed again. The
// second time has a greater token: pass [driver.ClaimFrom] on to the system that
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

// Defaults of the options.
const (
	DefaultLease     = 10 * time.Minute // where neither Lease nor the context says
	DefaultClockSkew = 10 * time.Second
	DefaultWait      = 2 * time.Second
)

// Cache is the idempotency handler. Create it with [New].
type Cache struct {
	claims   driver.ClaimStore
	scope    string
	keyFrom  func(driver.Message) string
	onDone   driver.Handler
	onExpiry driver.Handler // nil: run again
	lease    time.Duration  // 0: from the context
	skew     time.Duration
	wait     time.Duration
	logger   *slog.Logger // nil: slog.Default(), when needed
	runs     runs
}

// New returns a cache on the claims of the store. It panics if claims is nil, or
// what [KeyFrom] or [HandleDone] were given.
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
		panic(errors.New("cache: the function of KeyFrom or the handler of HandleDone is nil"))
	}
	return c
}

// String is how errors call the cache: "cache", and its scope if [Scope] gave it one.
func (c *Cache) String() string {
	if c.scope == "" {
		return "cache"
	}
	return "cache " + c.scope
}

// Process implements [driver.Handler]. It goes on with in if the key can be
// claimed and has not been completed; the options decide all other cases. The
// context that it passes on carries the claim. It ends at ctx's deadline, or when
// the lease can no longer be held, before another holder can take over; it does not
// end when ctx is canceled.
//
// Failures of the rest of the pipeline are returned as they are, after the claim
// was released; panics are raised again after that. Where the key could not be
// recorded as completed, the error says so: the event will be delivered again, and
// finds out who has completed it.
//
// Another Cache on the same store that claims the same key in the same scope, for
// the same message, would find the key held or completed, and its part of the
// pipeline would never run. Such a message fails with a permanent error: give each
// of several caches a [Scope].
//
// In a context of [driver.WithSweep] a key that was released with a mark is not processed: the
// error wraps [driver.ErrMarked]. With [QuarantineOnExpiry], a sweep whose outcome is unknown lets
// its lease run out, so that the next one calls the handler for that. A message that lacks events (see [driver.Message.Missing])
// completes its key with [driver.OutcomeExpired].
func (c *Cache) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	key := c.keyFrom(in)
	if key == "" {
		return driver.Reject(driver.ReasonNoKey, driver.ErrNoKey)
	}
	ctx, err := c.enter(ctx, key)
	if err != nil {
		return err
	}
	var waited time.Duration
	for {
		r, first := c.runs.join(key)
		if first {
			return c.run(ctx, r, key, in, next)
		}
		since := time.Now()
		if err := r.wait(ctx); err != nil {
			return fmt.Errorf("key %q is being processed on this instance: %w", key, err)
		}
		waited += time.Since(since)
		switch {
		case r.completed:
			return c.skip(ctx, key, in, next)
		case r.held != nil:
			return r.held
		case r.failed != nil && sameEvent(r.failed.message, in):
			return r.failed.err
		case waited > fresh:
			return fmt.Errorf("key %q was being processed on this instance for more than %v, and may have been corrected "+
				"since this delivery read its events: %w", key, fresh,
				&driver.HeldError{Scope: c.scope, Key: key, Token: r.token, Expires: time.Now()})
		}
	}
}

// enter refuses a key that another cache claims for the same message, or that this
// one is processing right now further up.
func (c *Cache) enter(ctx context.Context, key string) (context.Context, error) {
	run := driver.RunFrom(ctx)
	if run == nil {
		ctx, run = driver.WithRun(ctx)
	}
	if err := run.Claim(ctx, c.claims, c.scope, key, c); err != nil {
		return nil, driver.Permanent(fmt.Errorf("%w: give each cache a scope of its own (cache.Scope)", err))
	}
	for above := leaseFrom(ctx); above != nil; above = above.above {
		if above.cache == c && above.key == key {
			return nil, driver.Permanent(fmt.Errorf(
				"key %q, scope %q is claimed again within its own run: use two caches, each with a scope of its own (cache.Scope)", key, c.scope))
		}
	}
	return ctx, nil
}

// run claims the key and processes the message. Others that wait for r are told
// how it ended before a duplicate is handled, since no claim is held then.
func (c *Cache) run(ctx context.Context, r *run, key string, in driver.Message, next driver.Next) error {
	err := c.attempt(ctx, r, key, in, next)
	if errors.Is(err, errDuplicate) {
		return c.skip(ctx, key, in, next)
	}
	return err
}

// errDuplicate says that the key had been completed before.
var errDuplicate = errors.New("cache: duplicate")

func (c *Cache) attempt(ctx context.Context, r *run, key string, in driver.Message, next driver.Next) (err error) {
	defer c.runs.end(key, r)
	held, err := c.acquire(ctx, key)
	switch {
	case errors.Is(err, driver.ErrDone):
		r.completed = true
		return errDuplicate
	case errors.Is(err, driver.ErrHeld):
		r.held = err
		return err
	case err != nil:
		return err
	}
	r.token = held.claim.Token
	if held.sweep && held.claim.Mark != driver.MarkNone {
		held.giveBack()
		return fmt.Errorf("%v is marked as %s: %w", held.claim, held.claim.Mark, driver.ErrMarked)
	}
	if held.claim.Takeover {
		c.log().WarnContext(ctx, "took over an expired lease: the last holder crashed or hung, whether it acted is unknown",
			"key", key, "scope", c.scope, "source", in.Source, "token", held.claim.Token)
	}
	if held.quarantined {
		c.log().WarnContext(ctx, "the key is in quarantine: whether its last run acted is unknown",
			"key", key, "scope", c.scope, "source", in.Source, "token", held.claim.Token)
		next = c.afterExpiry(next)
	}
	err = held.process(in, next)
	if r.completed = err == nil; held.failed {
		r.failed = &failed{in, err}
	}
	return err
}

// skip handles a message whose key is completed.
func (c *Cache) skip(ctx context.Context, key string, in driver.Message, next driver.Next) error {
	if driver.LogsDebug(ctx, c.logger) {
		c.log().DebugContext(ctx, "key is completed already", "key", key, "scope", c.scope, "source", in.Source)
	}
	return c.onDone.Process(ctx, in, next)
}

func (c *Cache) log() *slog.Logger { return driver.Logger(c.logger) }

// afterExpiry is what is called for a key in quarantine in place of next. The
// handler may call next, as long as the lease lasts.
func (c *Cache) afterExpiry(next driver.Next) driver.Next {
	return func(held context.Context, in driver.Message) error {
		// Its error is looked at here, and may be one that never ends.
		return driver.Guard(func() error {
			return c.onExpiry.Process(held, in, func(ctx context.Context, in driver.Message) error {
				if held.Err() != nil {
					return context.Cause(held)
				}
				return next.Call(ctx, in)
			})
		})
	}
}
