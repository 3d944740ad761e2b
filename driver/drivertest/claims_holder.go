package drivertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
)

func doneForGood(ctx context.Context, s claims) error {
	owner := driver.NewClaim("order-1")
	c, err := s.store.Acquire(ctx, owner, s.lease)
	err = errors.Join(err, s.store.Complete(ctx, c, driver.OutcomeProcessed), expectDone(ctx, s, "order-1"))
	if err := errors.Join(err, s.outlast(ctx)); err != nil {
		return err
	}
	_, errOwner := s.store.Acquire(ctx, owner, long)
	_, errs := atOnce(s.callers, func(i int) (any, error) {
		_, err := s.handle(i).Acquire(ctx, driver.NewClaim("order-1"), long)
		return nil, expect("Acquire, after the lease", err, driver.ErrDone)
	})
	return errors.Join(append(errs,
		expect("Acquire by the owner that completed", errOwner, driver.ErrDone),
		expectDone(ctx, s, "order-1"),
	)...)
}

func completeAgain(ctx context.Context, s claims) error {
	c, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), s.lease)
	return errors.Join(err,
		expect("Complete", s.store.Complete(ctx, c, driver.OutcomeProcessed), nil),
		expect("Complete again", s.store.Complete(ctx, c, driver.OutcomeProcessed), nil),
		expect("Complete again, by another handle", s.other.Complete(ctx, c, driver.OutcomeProcessed), nil),
		s.outlast(ctx),
		expect("Complete again, after the lease", s.store.Complete(ctx, c, driver.OutcomeProcessed), nil),
		expectDone(ctx, s, "order-1"),
	)
}

func completeReleased(ctx context.Context, s claims) error {
	c, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	err = errors.Join(err,
		expect("Release", s.store.Release(ctx, c, driver.Released{}), nil),
		expect("Complete after Release", s.store.Complete(ctx, c, driver.OutcomeProcessed), driver.ErrLost),
		expect("Complete after Release, by another handle", s.other.Complete(ctx, c, driver.OutcomeProcessed), driver.ErrLost),
	)
	next, errNext := s.other.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(err, errNext, expectNewer(next, c, false), expectLost(ctx, s, c), expectHolder(ctx, s, next))
}

func renewExtends(ctx context.Context, s claims) error {
	c, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), s.lease)
	renewed, errRenew := s.store.Renew(ctx, c, long)
	if err := errors.Join(err, errRenew, s.outlast(ctx)); err != nil {
		return err
	}
	again, errAgain := s.other.Renew(ctx, renewed, long)
	return errors.Join(errAgain,
		expectEqual("Key after Renew", renewed.Key, "order-1"),
		expectEqual("Owner after Renew", renewed.Owner, c.Owner),
		expectTrue("the token after Renew is not smaller", renewed.Token >= c.Token && again.Token >= renewed.Token),
		expectLong("Expires after Renew", renewed.Expires),
		expectHolder(ctx, s, again),
	)
}

func renewedRunsOut(ctx context.Context, s claims) error {
	c, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	renewed, errRenew := s.store.Renew(ctx, c, s.lease)
	if err := errors.Join(err, errRenew, s.outlast(ctx)); err != nil {
		return err
	}
	successor, err := s.other.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(err, expectNewer(successor, renewed, true), expectLost(ctx, s, renewed), expectHolder(ctx, s, successor))
}

func renewLost(ctx context.Context, s claims) error {
	released, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	completed, errSecond := s.store.Acquire(ctx, driver.NewClaim("order-2"), long)
	err = errors.Join(err, errSecond, s.store.Release(ctx, released, driver.Released{}), s.store.Complete(ctx, completed, driver.OutcomeProcessed))
	_, errReleased := s.other.Renew(ctx, released, long)
	_, errCompleted := s.other.Renew(ctx, completed, long)
	next, errNext := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(err, errNext,
		expect("Renew after Release", errReleased, driver.ErrLost),
		expect("Renew after Complete", errCompleted, driver.ErrLost),
		expectNewer(next, released, false),
		expectDone(ctx, s, "order-2"),
	)
}

func releaseAgain(ctx context.Context, s claims) error {
	c, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	err = errors.Join(err,
		expect("Release", s.store.Release(ctx, c, driver.Released{}), nil),
		expect("Release again", s.store.Release(ctx, c, driver.Released{}), nil),
		expect("Release again, by another handle", s.other.Release(ctx, c, driver.Released{}), nil),
	)
	next, errNext := s.other.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(err, errNext, expectNewer(next, c, false), expectLost(ctx, s, c), expectHolder(ctx, s, next))
}

func releaseCompleted(ctx context.Context, s claims) error {
	c, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(err,
		expect("Complete", s.store.Complete(ctx, c, driver.OutcomeProcessed), nil),
		expect("Release after Complete", s.store.Release(ctx, c, driver.Released{}), driver.ErrLost),
		expect("Release after Complete, by another handle", s.other.Release(ctx, c, driver.Released{}), driver.ErrLost),
		expectDone(ctx, s, "order-1"),
		expect("Complete again", s.store.Complete(ctx, c, driver.OutcomeProcessed), nil),
	)
}

// expectAgain returns an error unless the claim that an owner was given again is
// the one it had.
func expectAgain(again, c driver.Claim) error {
	return errors.Join(
		expectEqual("Key of the claim given again", again.Key, c.Key),
		expectEqual("Token of the claim given again", again.Token, c.Token),
		expectEqual("Owner of the claim given again", again.Owner, c.Owner),
		expectEqual("Takeover of the claim given again", again.Takeover, c.Takeover),
	)
}

func ownerAgain(ctx context.Context, s claims) error {
	mine := driver.NewClaim("order-1")
	c, err := s.store.Acquire(ctx, mine, long)
	again, errAgain := s.store.Acquire(ctx, mine, long)
	mine.Margin = 7 * time.Second
	elsewhere, errElsewhere := s.other.Acquire(ctx, mine, long)
	_, errNobody := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	_, errAnother := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(err, errAgain, errElsewhere,
		expectAgain(again, c),
		expectAgain(elsewhere, c),
		expectEqual("Margin that was asked for with the claim given again", elsewhere.Margin, mine.Margin),
		expectLong("Expires of the claim given again", again.Expires),
		expectHeld(errNobody, "order-1", c.Token),
		expectHeld(errAnother, "order-1", c.Token),
		expectHolder(ctx, s, again),
	)
}

// ownerTakeoverAgain matters to whoever must not run an effect twice: a takeover
// whose answer was lost is as dangerous as any other.
func ownerTakeoverAgain(ctx context.Context, s claims) error {
	old, err := expired(ctx, s, "order-1")
	if err != nil {
		return err
	}
	mine := driver.NewClaim("order-1")
	c, err := s.store.Acquire(ctx, mine, long)
	again, errAgain := s.other.Acquire(ctx, mine, long)
	return errors.Join(err, errAgain, expectNewer(c, old, true), expectAgain(again, c), expectHolder(ctx, s, again))
}

func ownerNoMore(ctx context.Context, s claims) error {
	mine := driver.NewClaim("order-1")
	released, err := s.store.Acquire(ctx, mine, long)
	err = errors.Join(err, s.store.Release(ctx, released, driver.Released{}))
	newer, errNewer := s.store.Acquire(ctx, mine, s.lease)
	if err := errors.Join(err, errNewer, expectNewer(newer, released, false), s.outlast(ctx)); err != nil {
		return fmt.Errorf("after Release: %w", err)
	}
	successor, err := s.other.Acquire(ctx, driver.NewClaim("order-1"), long)
	_, errLost := s.store.Acquire(ctx, mine, long)
	errComplete := s.store.Complete(ctx, successor, driver.OutcomeProcessed)
	_, errDone := s.store.Acquire(ctx, mine, long)
	return errors.Join(err, errComplete,
		expectHeld(errLost, "order-1", successor.Token),
		expect("Acquire, after another completed", errDone, driver.ErrDone),
	)
}

func rebuiltClaim(ctx context.Context, s claims) error {
	rebuilt := func(c driver.Claim) driver.Claim {
		return driver.Claim{Key: c.Key, Token: c.Token, Owner: c.Owner}
	}
	completing, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), s.lease)
	renewed, errRenew := s.other.Renew(ctx, rebuilt(completing), long)
	releasing, errSecond := s.store.Acquire(ctx, driver.NewClaim("order-2"), long)
	errRelease := s.other.Release(ctx, rebuilt(releasing), driver.Released{})
	next, errNext := s.store.Acquire(ctx, driver.NewClaim("order-2"), long)
	return errors.Join(err, errRenew, errSecond, errRelease, errNext,
		expectEqual("Key after Renew", renewed.Key, "order-1"),
		expectEqual("Owner after Renew", renewed.Owner, completing.Owner),
		expectNewer(next, releasing, false),
		expect("Complete", s.other.Complete(ctx, rebuilt(renewed), driver.OutcomeProcessed), nil),
		expectDone(ctx, s, "order-1"),
		expect("Complete again", s.store.Complete(ctx, renewed, driver.OutcomeProcessed), nil),
	)
}
