package cache

import (
	"context"
	"errors"
	"time"

	"example.com/eventdriver/driver"
)

const (
	// Between attempts; doubles each time. It has no jitter: messages begin at different
	// times, and the stores' own retries have jitter.
	firstPause      = 50 * time.Millisecond
	longestPause    = 5 * time.Second
	acquireAttempts = 3                      // while the store fails
	firstLook       = 100 * time.Millisecond // at a key that another holds; each later one comes after three times the pause
	releaseWithin   = 3 * time.Second
	oneCall         = 10 * time.Second // of a slow store: BigQuery takes seconds
)

// acquire claims the key. While another holds it, it waits for the key to be
// completed or released. A failure of the store may be an answer that was lost,
// so it asks again as the same owner, who would be given the claim again. A call
// that has begun does not end with the client: the key may have been claimed, and
// a slow store would never get to answer an impatient one. It ends with the lease
// that it asks for, after which no answer is of use.
func (c *Cache) acquire(ctx context.Context, key string) (*lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	want := driver.NewClaim(key)
	want.Scope = c.scope
	asked := time.Now()
	giveUp := asked.Add(c.wait)
	look, retry := firstLook, firstPause
	for failures := 0; ; asked = time.Now() {
		var length time.Duration
		length, want.Margin = c.terms(ctx, asked)
		run := lasting(ctx, asked.Add(max(length, oneCall)))
		claim, err := c.claim(run, want, length)
		run.cancel(nil)
		var pause time.Duration
		switch {
		case err == nil:
			return c.hold(ctx, run, claim, length, asked), nil
		case errors.Is(err, driver.ErrDone) || errors.Is(err, driver.ErrLater) || driver.IsPermanent(err):
			return nil, err
		case errors.Is(err, driver.ErrHeld):
			want.Token = max(want.Token, tokenOf(err))
			pause, look = min(look, time.Until(giveUp)), 3*look
		default:
			failures++
			pause, retry = retry, 2*retry
		}
		if pause <= 0 || failures == acquireAttempts || !sleep(ctx, pause) {
			if failures > 0 {
				c.giveBack(ctx, run, want, length)
			}
			return nil, err
		}
	}
}

// claim asks the store once.
func (c *Cache) claim(ctx context.Context, want driver.Claim, length time.Duration) (claim driver.Claim, err error) {
	err = driver.Recover(func() (err error) {
		claim, err = c.claims.Acquire(ctx, want, length)
		return err
	})
	return claim, err
}

// tokenOf is the token of the holder, if the store says which it is.
func tokenOf(err error) int64 {
	if held, ok := errors.AsType[*driver.HeldError](err); ok {
		return held.Token
	}
	return 0
}

// giveBack releases the key after Acquire failed with nobody knowing whether the
// claim was stored: it would be held by nobody until its lease runs out. Claiming
// it once more, as the same owner, also keeps a request that is still under way
// from storing it later.
func (c *Cache) giveBack(ctx context.Context, run *timeout, want driver.Claim, length time.Duration) {
	// If this fails as well, the lease runs out by itself.
	var claim driver.Claim
	err := persistently(run.Context, releaseWithin, length, func(ctx context.Context) (err error) {
		claim, err = c.claim(ctx, want, length)
		if tokenOf(err) > 0 || errors.Is(err, driver.ErrDone) {
			err = driver.Permanent(err) // it is not ours
		}
		return err
	})
	if err == nil {
		c.hold(ctx, run, claim, length, time.Now()).giveBack()
	}
}

// terms are how long a lease to ask for, and its margin: how long before its end it
// is not relied upon any more. The length is as configured, or until the context
// ends and the clock skew, so that another takes over soon after the platform has
// ended a request, and not before. A length that was not chosen to leave room for
// the skew has a quarter as its margin at most, so that two renewals, each after a
// third, can be tried before.
func (c *Cache) terms(ctx context.Context, now time.Time) (length, margin time.Duration) {
	if c.lease > 0 {
		return c.lease, min(c.skew, c.lease/4)
	}
	if deadline, ok := ctx.Deadline(); ok {
		return max(deadline.Sub(now), 0) + c.skew, c.skew
	}
	return DefaultLease, min(c.skew, DefaultLease/4)
}

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
