package drivertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
)

// expectLater returns an error unless err says that key is paused for a long time, as the holder of token
// has asked.
func expectLater(err error, key string, token int64) error {
	later, ok := errors.AsType[*driver.LaterError](err)
	if !ok || !errors.Is(err, driver.ErrLater) || !errors.Is(err, driver.ErrHeld) {
		return fmt.Errorf("Acquire of a paused key: got error %v, want a *LaterError", err)
	}
	return errors.Join(
		expectEqual("Key of the LaterError", later.Key, key),
		expectEqual("Token of the LaterError", later.Token, token),
		expectLong("Until of the LaterError", later.Until),
	)
}

// pausedKey returns the claim that has released a key with a long pause.
func pausedKey(ctx context.Context, s claims, key string, mark driver.Mark) (driver.Claim, error) {
	c, err := s.store.Acquire(ctx, driver.NewClaim(key), long)
	return c, errors.Join(err, s.store.Release(ctx, c, driver.Released{Mark: mark, Pause: long, Attempts: 3}))
}

func paused(ctx context.Context, s claims) error {
	var failures []error
	for i, mark := range []driver.Mark{driver.MarkNone, driver.MarkFailed} {
		key := fmt.Sprint("order-", i)
		c, err := pausedKey(ctx, s, key, mark)
		failures = append(failures, err,
			expect("Release again", s.other.Release(ctx, c, driver.Released{}), nil))
		for i := range 4 {
			asked := driver.NewClaim(key)
			asked.Token = c.Token * int64(i/2)
			_, err := s.handle(i).Acquire(ctx, asked, long)
			failures = append(failures, expectLater(err, key, c.Token))
		}
		_, errRenew := s.other.Renew(ctx, c, long)
		failures = append(failures, expect("Renew", errRenew, driver.ErrLost),
			expect("Complete", s.other.Complete(ctx, c, driver.OutcomeProcessed), driver.ErrLost))
	}
	return errors.Join(failures...)
}

func pausePasses(ctx context.Context, s claims) error {
	c, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	said := driver.Released{Mark: driver.MarkFailed, Pause: s.lease, Attempts: 2}
	err = errors.Join(err, s.store.Release(ctx, c, said), s.outlast(ctx))
	next, errNext := s.other.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(err, errNext, expectNewer(next, c, false), expectEqual("Mark", next.Mark, driver.MarkFailed),
		expectEqual("Attempts", next.Attempts, 2), expectHolder(ctx, s, next))
}

// early returns a claim that an operator asks for.
func early(key string) driver.Claim {
	c := driver.NewClaim(key)
	c.Early = true
	return c
}

func earlyClaim(ctx context.Context, s claims) error {
	c, err := pausedKey(ctx, s, "order-1", driver.MarkFailed)
	next, errNext := s.other.Acquire(ctx, early("order-1"), long)
	err = errors.Join(err, errNext, expectNewer(next, c, false), expectEqual("Mark", next.Mark, driver.MarkFailed),
		expectEqual("Attempts", next.Attempts, 3), expectLost(ctx, s, c), s.other.Release(ctx, next, driver.Released{}))
	last, errLast := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(err, expect("Acquire after the pause was ended", errLast, nil), expectNewer(last, next, false),
		expectEqual("Mark", last.Mark, driver.MarkNone), expectEqual("Attempts", last.Attempts, 0), expectHolder(ctx, s, last))
}

func earlyRefused(ctx context.Context, s claims) error {
	c, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	_, errHeld := s.other.Acquire(ctx, early("order-1"), long)
	err = errors.Join(err, expectHeld(errHeld, "order-1", c.Token), s.store.Complete(ctx, c, driver.OutcomeProcessed))
	_, errDone := s.other.Acquire(ctx, early("order-1"), long)
	return errors.Join(err, expect("Acquire of a completed key", errDone, driver.ErrDone))
}

func attemptsTold(ctx context.Context, s claims) error {
	first, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	mine := driver.NewClaim("order-1")
	errRelease := s.store.Release(ctx, first, driver.Released{Attempts: 3})
	errAgain := s.other.Release(ctx, first, driver.Released{Attempts: 7})
	next, errNext := s.other.Acquire(ctx, mine, long)
	again, errOwner := s.other.Acquire(ctx, mine, long)
	renewed, errRenew := s.other.Renew(ctx, again, s.lease)
	failures := []error{err, errRelease, errAgain, errNext, errOwner, errRenew,
		expectEqual("Attempts of a key that was never claimed", first.Attempts, 0),
		expectEqual("Attempts of the next claim", next.Attempts, 3),
		expectEqual("Attempts of the claim that is given again", again.Attempts, 3),
		expectEqual("Attempts after Renew", renewed.Attempts, 3)}
	for takeover := 1; takeover <= 2; takeover++ {
		failures = append(failures, s.outlast(ctx))
		c, err := s.handle(takeover).Acquire(ctx, driver.NewClaim("order-1"), s.lease)
		failures = append(failures, err, expectEqual("Attempts of a takeover", c.Attempts, 3+takeover))
		next = c
	}
	failures = append(failures, s.store.Release(ctx, next, driver.Released{}))
	last, err := s.other.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(append(failures, err, expectEqual("Attempts after a release that says none", last.Attempts, 0))...)
}

// expectPaused returns an error unless a key is described as paused for a long time.
func expectPaused(c driver.ClaimState) error {
	return errors.Join(expectEqual("Attempts", c.Attempts, 3), expectLong("NotBefore", c.NotBefore),
		expectTrue("it is not held", !c.Held && c.Expires.IsZero() && c.Done == nil))
}

// inspectPaused looks at a key while it is paused, and held and completed after that.
func inspectPaused(ctx context.Context, s inspected) error {
	c, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	err = errors.Join(err, s.store.Release(ctx, c, driver.Released{Pause: long, Attempts: 3}))
	k, errPaused := inspect(ctx, s, "order-1")
	next, errNext := s.store.Acquire(ctx, early("order-1"), long)
	held, errHeld := inspect(ctx, s, "order-1")
	errDone := s.store.Complete(ctx, next, driver.OutcomeProcessed)
	done, errInspect := inspect(ctx, s, "order-1")
	failures := []error{err, errPaused, errNext, errHeld, errDone, errInspect, expectPaused(k.Claim("")),
		expectEqual("Attempts while it is held", held.Claim("").Attempts, 3),
		expectEqual("NotBefore while it is held", held.Claim("").NotBefore, time.Time{})}
	if got := done.Claim(""); got.Attempts != 0 || !got.NotBefore.IsZero() {
		failures = append(failures, fmt.Errorf("a completed key is described with %d attempts, paused until %v", got.Attempts, got.NotBefore))
	}
	return errors.Join(failures...)
}
