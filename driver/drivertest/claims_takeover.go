package drivertest

import (
	"context"
	"errors"
	"fmt"

	"example.com/eventdriver/driver"
)

func acquireReleased(ctx context.Context, s claims) error {
	first, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	errRelease := s.store.Release(ctx, first, driver.Released{})
	second, errSecond := s.other.Acquire(ctx, driver.NewClaim("order-1"), s.lease)
	if err := errors.Join(err, errRelease, errSecond, expectNewer(second, first, false)); err != nil {
		return err
	}
	// Also a holder that released after its lease had run out gave the key up.
	err = s.outlast(ctx)
	errRelease = s.store.Release(ctx, second, driver.Released{})
	third, errThird := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(err, errRelease, errThird, expectNewer(third, second, false), expectHolder(ctx, s, third))
}

func takeover(ctx context.Context, s claims) error {
	old, successor, err := takenOver(ctx, s, "order-1")
	if err := errors.Join(err, expectNewer(successor, old, true)); err != nil {
		return err
	}
	errRelease := s.other.Release(ctx, successor, driver.Released{})
	last, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(err, errRelease, expectNewer(last, successor, false), expectHolder(ctx, s, last))
}

func takeoverAtOnce(ctx context.Context, s claims) error {
	old, err := expired(ctx, s, "order-1")
	if err != nil {
		return err
	}
	got, errs := atOnce(min(s.callers, 20), func(i int) (driver.Claim, error) {
		return s.handle(i).Acquire(ctx, driver.NewClaim("order-1"), long)
	})
	winner, err := soleWinner("order-1", got, errs)
	return errors.Join(err, expectNewer(winner, old, true), expectHolder(ctx, s, winner))
}

// takeoverOrComplete races the old holder's Complete with takeovers, for several
// keys whose leases run out together.
func takeoverOrComplete(ctx context.Context, s claims) error {
	const rounds = 8
	var olds [rounds]driver.Claim
	for round := range rounds {
		var err error
		if olds[round], err = s.store.Acquire(ctx, driver.NewClaim(fmt.Sprint("order-", round)), s.lease); err != nil {
			return err
		}
	}
	if err := s.outlast(ctx); err != nil {
		return err
	}
	for _, old := range olds {
		if err := raceComplete(ctx, s, old); err != nil {
			return fmt.Errorf("key %q: %w", old.Key, err)
		}
	}
	return nil
}

// raceComplete lets the holder of old, whose lease has run out, complete while
// others take the key over. What has to hold in any order of events: one holder
// at most takes over; whoever fails is told why; one Complete succeeds in the
// end, and the key is done.
func raceComplete(ctx context.Context, s claims, old driver.Claim) error {
	n := min(s.callers, 6)
	got, errs := atOnce(n, func(i int) (driver.Claim, error) {
		if i == n/2 {
			return old, s.store.Complete(ctx, old, driver.OutcomeProcessed)
		}
		return s.handle(i).Acquire(ctx, driver.NewClaim(old.Key), long)
	})
	var (
		failures  []error
		taker     *driver.Claim
		completed = errs[n/2] == nil
	)
	if !completed {
		failures = append(failures, expect("Complete of a key that may be taken over", errs[n/2], driver.ErrLost))
	}
	for i, err := range errs {
		switch {
		case i == n/2:
		case err == nil && taker != nil:
			failures = append(failures, fmt.Errorf("two took the key over, with the tokens %d and %d", taker.Token, got[i].Token))
		case err == nil:
			taker = &got[i]
			failures = append(failures, expectNewer(*taker, old, true))
		case errors.Is(err, driver.ErrDone):
			failures = append(failures, expectTrue("Acquire says ErrDone only if Complete returned nil", completed))
		default:
			failures = append(failures, expect("Acquire", err, driver.ErrHeld))
		}
	}
	return errors.Join(append(failures, raceOutcome(ctx, s, old.Key, completed, taker))...)
}

// raceOutcome finishes the race for key: completed says whether the old holder
// did, taker is who took the key over, if anyone.
func raceOutcome(ctx context.Context, s claims, key string, completed bool, taker *driver.Claim) error {
	switch {
	case taker == nil && !completed:
		return errors.New("the old holder lost the key, but nobody took it over")
	case taker == nil:
		return expectDone(ctx, s, key)
	case !completed:
		return expectHolder(ctx, s, *taker)
	case s.exclusive:
		return fmt.Errorf("the key was taken over (token %d), and completed by the old holder", taker.Token)
	}
	return errors.Join(
		expect("Complete by the taker, after the old holder's", s.store.Complete(ctx, *taker, driver.OutcomeProcessed), driver.ErrLost),
		expectDone(ctx, s, key),
	)
}

func tokenGrows(ctx context.Context, s claims) error {
	var newest driver.Claim
	takeover := false
	for step := range 12 {
		ttl := long
		if step%4 == 2 {
			ttl = s.lease
		}
		c, err := s.handle(step).Acquire(ctx, driver.NewClaim("order-1"), ttl)
		if step > 0 {
			err = errors.Join(err, expectNewer(c, newest, takeover))
		}
		if step%3 == 1 {
			renewed, errRenew := s.handle(step).Renew(ctx, c, ttl)
			err = errors.Join(err, errRenew,
				expectTrue(fmt.Sprintf("token %d after Renew is not smaller than %d", renewed.Token, c.Token), renewed.Token >= c.Token))
			c = renewed
		}
		if newest, takeover = c, ttl != long; takeover {
			err = errors.Join(err, s.outlast(ctx))
		} else {
			err = errors.Join(err, s.handle(step+1).Release(ctx, c, driver.Released{}))
		}
		if err != nil {
			return fmt.Errorf("step %d: %w", step+1, err)
		}
	}
	return nil
}

func zombie(ctx context.Context, s claims) error {
	old, successor, err := takenOver(ctx, s, "order-1")
	if err != nil {
		return err
	}
	failures := []error{expectLost(ctx, s, old), expectHolder(ctx, s, successor), expectLost(ctx, s, old), expectDone(ctx, s, "order-1")}
	return errors.Join(failures...)
}

// expectLost returns an error unless every use of c is refused with ErrLost, by
// either handle.
func expectLost(ctx context.Context, s claims, c driver.Claim) error {
	var failures []error
	for i := range 2 {
		store := s.handle(i)
		_, errRenew := store.Renew(ctx, c, long)
		failures = append(failures,
			expect("Renew of a lost claim", errRenew, driver.ErrLost),
			expect("Release of a lost claim", store.Release(ctx, c, driver.Released{}), driver.ErrLost),
			expect("Complete of a lost claim", store.Complete(ctx, c, driver.OutcomeProcessed), driver.ErrLost),
		)
	}
	return errors.Join(failures...)
}

func stranger(ctx context.Context, s claims) error {
	c, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	otherOwner := c
	otherOwner.Owner = driver.NewOwner()
	return errors.Join(err, expectLost(ctx, s, otherOwner), expectHolder(ctx, s, c), expectLost(ctx, s, otherOwner))
}

func expiredHolder(ctx context.Context, s claims) error {
	completing, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), s.lease)
	renewing, errSecond := s.store.Acquire(ctx, driver.NewClaim("order-2"), s.lease)
	releasing, errThird := s.store.Acquire(ctx, driver.NewClaim("order-3"), s.lease)
	if err := errors.Join(err, errSecond, errThird, s.outlast(ctx)); err != nil {
		return err
	}
	renewed, err := s.store.Renew(ctx, renewing, long)
	return errors.Join(err,
		expect("Complete", s.store.Complete(ctx, completing, driver.OutcomeProcessed), nil),
		expectDone(ctx, s, "order-1"),
		expectHolder(ctx, s, renewed),
		expect("Release", s.store.Release(ctx, releasing, driver.Released{}), nil),
	)
}
