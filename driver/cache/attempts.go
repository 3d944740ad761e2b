package cache

import (
	"context"
	"errors"
	"fmt"

	"example.com/eventdriver/driver"
)

// MaxAttempts returns a handler that gives a key up when n of its runs have failed: the last failure
// becomes a permanent error for [driver.ReasonTooManyAttempts]. It belongs behind the cache, in front
// of what may fail. A key that has failed n times is refused without a run, also in the runs of sweeps,
// until a person releases it or sends it again: see [driver.WithResent]. With an n of 0 it does nothing.
//
// Each run counts that did not complete the key and has not been forgotten by a release or a
// reopening of an operator: those that failed, also with [driver.RetryAfter], and those that vanished,
// as in a crash. Those don't count that failed since a key was held, or memory was short, nor those
// that began no handler. With [QuarantineOnExpiry] those don't count whose outcome is unknown, and
// a key in quarantine is not given up.
//
// A run whose context has ended gives nothing up: nobody may hear of it. The next one does.
func MaxAttempts(n int) driver.Handler {
	return driver.Named("attempts", driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		l := leaseFrom(ctx)
		if n <= 0 || l == nil || l.quarantined {
			return next.Call(ctx, in)
		}
		attempts := l.attempts
		if attempts >= n {
			return driver.Reject(driver.ReasonTooManyAttempts, fmt.Errorf(
				"%w: %d runs have failed or vanished, and %d may; release the key, or send the letter of its whole order again",
				errGivenUp, attempts, n))
		}
		err := next.Call(ctx, in)
		last := attempts+1 >= n && isAttempt(err) && ctx.Err() == nil && !l.cache.isUnknown(err)
		if err == nil || driver.IsPermanent(err) || !last {
			return err
		}
		return driver.Reject(driver.ReasonTooManyAttempts, fmt.Errorf("attempt %d of %d: %w", attempts+1, n, err))
	}))
}

// errGivenUp: no handler was called, since too many runs have failed.
var errGivenUp = errors.New("given up")

// isAttempt says whether a run that failed so counts. Where something was busy, nothing has failed.
func isAttempt(err error) bool {
	return !errors.Is(err, driver.ErrHeld) && !errors.Is(err, driver.ErrNoMemory) && !errors.Is(err, errGivenUp)
}

// isUnknown says whether nothing may run twice, and the handler has not said if it acted.
func (c *Cache) isUnknown(err error) bool {
	return c.onExpiry != nil && (panicked(err) || errors.Is(err, driver.ErrActed))
}

// released is what the next holder is to know of a run that failed.
func (l *lease) released(mark driver.Mark, err error) driver.Released {
	r := driver.Released{Mark: mark, Attempts: l.attempts}
	if mark != driver.MarkQuarantined && isAttempt(err) {
		r.Attempts++
	}
	if mark == driver.MarkNone {
		r.Pause = driver.RetryAfterOf(err)
	}
	return r
}
