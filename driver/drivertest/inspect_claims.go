package drivertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
)

// expectClaim returns an error unless got describes c.
func expectClaim(got driver.ClaimState, c driver.Claim) error {
	return errors.Join(
		expectEqual("Scope", got.Scope, c.Scope),
		expectEqual("Token", got.Token, c.Token),
		expectEqual("Owner", got.Owner, c.Owner),
		expectEqual("Takeover", got.Takeover, c.Takeover),
		expectNow("Changed", got.Changed),
	)
}

func inspectHeld(ctx context.Context, s inspected) error {
	scoped := driver.NewClaim("order-1")
	scoped.Scope = "scope/é\xff"
	a, errA := s.store.Acquire(ctx, driver.NewClaim("order-1"), s.lease)
	b, errB := s.store.Acquire(ctx, scoped, long)
	_, errRenew := s.store.Renew(ctx, a, long)
	k, err := inspect(ctx, s, "order-1")
	if err := errors.Join(errA, errB, errRenew, err, expectEqual("claims", len(k.Claims), 2)); err != nil {
		return err
	}
	var failures []error
	for i, c := range []driver.Claim{a, b} {
		got := k.Claims[i]
		failures = append(failures, about(c.Scope, expectClaim(got, c),
			expectTrue("it is held", got.Held && got.Done == nil),
			expectLong("Expires", got.Expires), expectEqual("Mark", got.Mark, driver.MarkNone)))
	}
	return errors.Join(failures...)
}

func inspectReleased(ctx context.Context, s inspected) error {
	var failures []error
	var c driver.Claim
	for _, mark := range []driver.Mark{driver.MarkFailed, driver.MarkNone, driver.MarkQuarantined} {
		var errAcquire error
		c, errAcquire = s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
		held, errHeld := inspect(ctx, s, "order-1")
		errRelease := s.store.Release(ctx, c, driver.Released{Mark: mark})
		released, errReleased := inspect(ctx, s, "order-1")
		got := released.Claim("")
		failures = append(failures, errAcquire, errHeld, errRelease, errReleased, expectClaim(got, c),
			expectEqual("Mark while it is held", held.Claim("").Mark, c.Mark),
			expectEqual("Mark", got.Mark, mark),
			expectTrue("it is not held", !got.Held && got.Expires.IsZero() && got.Done == nil))
	}
	return errors.Join(failures...)
}

func inspectExpired(ctx context.Context, s inspected) error {
	old, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), s.lease)
	err = errors.Join(err, s.outlast(ctx))
	k, errOld := inspect(ctx, s, "order-1")
	taker, errTaker := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	taken, errTaken := inspect(ctx, s, "order-1")
	got := k.Claim("")
	return errors.Join(err, errOld, errTaker, errTaken,
		expectClaim(got, old),
		expectTrue("it is held, and has run out", got.Held && got.Expires.Before(time.Now().Add(s.lease/2))),
		expectClaim(taken.Claim(""), taker), expectTrue("it was taken over", taken.Claim("").Takeover),
		expectLong("Expires", taken.Claim("").Expires))
}

func inspectDone(ctx context.Context, s inspected) error {
	var failures []error
	for given, want := range map[driver.Outcome]driver.Outcome{
		"":                     driver.OutcomeProcessed,
		driver.OutcomeExpired:  driver.OutcomeExpired,
		driver.OutcomeOperator: driver.OutcomeOperator,
	} {
		ask := driver.NewClaim(fmt.Sprintf("order %q", given))
		ask.Scope = string(given)
		c, err := s.store.Acquire(ctx, ask, long)
		marked := s.store.Release(ctx, c, driver.Released{Mark: driver.MarkFailed})
		c, errAgain := s.store.Acquire(ctx, driver.Claim{Scope: ask.Scope, Key: ask.Key, Owner: driver.NewOwner()}, long)
		errComplete := s.store.Complete(ctx, c, given)
		k, errInspect := inspect(ctx, s, ask.Key)
		got := k.Claim(ask.Scope)
		failures = append(failures, about(ask.Key, err, marked, errAgain, errComplete, errInspect,
			expectEqual("claims", len(k.Claims), 1), expectClaim(got, c),
			expectTrue("it is not held", !got.Held && got.Expires.IsZero()), expectEqual("Mark", got.Mark, driver.MarkNone),
			expectDoneBy(got.Done, c, want)))
	}
	return errors.Join(failures...)
}

func expectDoneBy(got *driver.Completion, c driver.Claim, want driver.Outcome) error {
	if got == nil {
		return errors.New("not so: it is completed")
	}
	return errors.Join(expectEqual("Outcome", got.Outcome, want), expectEqual("Token", got.Token, c.Token),
		expectEqual("Owner", got.Owner, c.Owner), expectNow("Time", got.Time))
}

func inspectDoneAgain(ctx context.Context, s inspected) error {
	c, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	err = errors.Join(err, s.store.Complete(ctx, c, driver.OutcomeOperator))
	first, errFirst := inspect(ctx, s, "order-1")
	err = errors.Join(err, errFirst, s.outlast(ctx), s.store.Complete(ctx, c, driver.OutcomeProcessed))
	again, errAgain := inspect(ctx, s, "order-1")
	if err := errors.Join(err, errAgain, expectDoneBy(again.Claim("").Done, c, driver.OutcomeOperator)); err != nil {
		return err
	}
	return expectTime(again.Claim("").Done.Time, first.Claim("").Done.Time)
}
