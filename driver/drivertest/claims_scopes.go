package drivertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
)

// scopesApart claims names as scopes of one key, and pairs of a scope and a key that a
// careless store takes for one another. Each has an end of its own.
func scopesApart(ctx context.Context, s claims) error {
	var wanted []driver.Claim
	for _, name := range append([]string{""}, s.names...) {
		wanted = append(wanted, driver.Claim{Scope: name, Key: "order-1"})
	}
	for _, p := range [][2]string{
		{"a", "b"}, {"b", "a"}, {"", "a"}, {"", "b"}, {"a", "b/c"}, {"a/b", "c"}, {"", "a/b/c"}, {"", "a/b"}, {"ab", "c"}, {"a", "bc"},
		{"", "abc"}, {"a\x00b", "c"}, {"a", "b\x00c"}, {"a:b", "c"}, {"a", "b:c"}, {"", "a:b:c"},
		{"", "a/scopes/b"}, {"scopes/b", "a"}, {"scopes", "a"}, {"b/claim", "a"}, {"claim", "a"}, {"", "a/claim"}, {"", "a/scopes"},
	} {
		wanted = append(wanted, driver.Claim{Scope: p[0], Key: p[1]})
	}
	got, failures := atOnce(len(wanted), func(i int) (driver.Claim, error) {
		want := wanted[i]
		want.Owner = driver.NewOwner()
		c, err := s.store.Acquire(ctx, want, long)
		return c, about(nameOf(want), err, expectEqual("Scope", c.Scope, want.Scope), expectEqual("Key", c.Key, want.Key))
	})
	if err := errors.Join(failures...); err != nil {
		return err
	}
	_, failures = atOnce(len(wanted), func(i int) (any, error) {
		switch i % 3 {
		case 0:
			return nil, about(nameOf(got[i]), s.store.Complete(ctx, got[i], driver.OutcomeProcessed))
		case 1:
			return nil, about(nameOf(got[i]), s.store.Release(ctx, got[i], driver.Released{}))
		}
		return nil, nil
	})
	if err := errors.Join(failures...); err != nil {
		return err
	}
	_, failures = atOnce(len(wanted), func(i int) (any, error) {
		_, err := s.other.Acquire(ctx, driver.Claim{Scope: got[i].Scope, Key: got[i].Key, Owner: driver.NewOwner()}, long)
		switch i % 3 {
		case 0:
			return nil, about(nameOf(got[i]), expect("Acquire of the completed key", err, driver.ErrDone))
		case 1:
			return nil, about(nameOf(got[i]), expect("Acquire of the released key", err, nil))
		}
		return nil, about(nameOf(got[i]), expectHeld(err, got[i].Key, got[i].Token))
	})
	return errors.Join(failures...)
}

func nameOf(c driver.Claim) string { return c.Scope + " | " + c.Key }

// released returns a claim of key that was released with mark.
func released(ctx context.Context, s claims, key string, mark driver.Mark) (driver.Claim, error) {
	c, err := s.store.Acquire(ctx, driver.NewClaim(key), long)
	return c, errors.Join(err, s.store.Release(ctx, c, driver.Released{Mark: mark}))
}

func marks(ctx context.Context, s claims) error {
	var failures []error
	for i, mark := range []driver.Mark{driver.MarkNone, driver.MarkFailed, driver.MarkQuarantined} {
		key, mine := fmt.Sprint("order-", i), driver.NewClaim(fmt.Sprint("order-", i))
		first, err := released(ctx, s, key, mark)
		errAgain := s.other.Release(ctx, first, driver.Released{Mark: driver.Mark("other")})
		next, errNext := s.other.Acquire(ctx, mine, long)
		given, errGiven := s.store.Acquire(ctx, mine, s.lease)
		renewed, errRenewed := s.store.Renew(ctx, given, s.lease)
		failures = append(failures, err, errAgain, errNext, errGiven, errRenewed,
			expectEqual("Mark of a key that was never released", first.Mark, driver.MarkNone),
			expectEqual("Mark of the next claim", next.Mark, mark),
			expectEqual("Mark of the claim that is given again", given.Mark, mark),
			expectEqual("Mark after Renew", renewed.Mark, mark),
		)
	}
	if err := errors.Join(append(failures, s.outlast(ctx))...); err != nil {
		return err
	}
	// A takeover is told of no mark: the holder before has left none.
	for i := range 3 {
		c, err := s.other.Acquire(ctx, driver.NewClaim(fmt.Sprint("order-", i)), long)
		failures = append(failures, err, expectEqual("Takeover", c.Takeover, true), expectEqual("Mark of a takeover", c.Mark, driver.MarkNone))
	}
	return errors.Join(failures...)
}

// olderOfOwner has one owner hold a key several times.
func olderOfOwner(ctx context.Context, s claims) error {
	mine := driver.NewClaim("order-1")
	first, err := s.store.Acquire(ctx, mine, long)
	errRelease := s.store.Release(ctx, first, driver.Released{})
	second, errSecond := s.store.Acquire(ctx, mine, s.lease)
	if err := errors.Join(err, errRelease, errSecond, expectNewer(second, first, false), expectLost(ctx, s, first), s.outlast(ctx)); err != nil {
		return fmt.Errorf("after its own Release: %w", err)
	}
	taker, err := s.other.Acquire(ctx, driver.NewClaim("order-1"), long)
	errRelease = s.other.Release(ctx, taker, driver.Released{})
	third, errThird := s.store.Acquire(ctx, mine, long)
	return errors.Join(err, errRelease, errThird, expectNewer(third, taker, false),
		expectLost(ctx, s, first), expectLost(ctx, s, second), expectHolder(ctx, s, third))
}

// ownExpired has an owner ask for a key again that it let run out, and nobody took.
func ownExpired(ctx context.Context, s claims) error {
	mine := driver.NewClaim("order-1")
	c, err := s.store.Acquire(ctx, mine, s.lease)
	if err := errors.Join(err, s.outlast(ctx)); err != nil {
		return err
	}
	again, err := s.store.Acquire(ctx, mine, long)
	return errors.Join(err, expectAgain(again, c), expectLong("Expires of the claim given again", again.Expires), expectHolder(ctx, s, again))
}

// renewedEither uses the claim of before Renew, for whoever has lost its answer.
func renewedEither(ctx context.Context, s claims) error {
	var failures []error
	for i, use := range []func(driver.Claim) error{
		func(c driver.Claim) error {
			return errors.Join(s.store.Complete(ctx, c, driver.OutcomeProcessed), expectDone(ctx, s, c.Key))
		},
		func(c driver.Claim) error {
			err := s.store.Release(ctx, c, driver.Released{})
			next, errNext := s.other.Acquire(ctx, driver.NewClaim(c.Key), long)
			return errors.Join(err, errNext, expectNewer(next, c, false))
		},
		func(c driver.Claim) error {
			again, err := s.store.Renew(ctx, c, long)
			return errors.Join(err, expectHolder(ctx, s, again))
		},
	} {
		for _, which := range []string{"the claim of before Renew", "the claim that Renew returned"} {
			want := driver.NewClaim(fmt.Sprint(which, i))
			want.Margin = 7 * time.Second
			c, err := s.store.Acquire(ctx, want, long)
			renewed, errRenew := s.store.Renew(ctx, c, long)
			same := renewed
			same.Expires = c.Expires
			if which == "the claim that Renew returned" {
				c = renewed
			}
			failures = append(failures, about(which, err, errRenew, use(c)), expectEqual("the claim that Renew returned, but for Expires", same, withExpires(c, same.Expires)))
		}
	}
	return errors.Join(failures...)
}

func withExpires(c driver.Claim, at time.Time) driver.Claim {
	c.Expires = at
	return c
}

// knownToken asks with the token of a claim that is no more, or never was.
func knownToken(ctx context.Context, s claims) error {
	ask := func(key string, token int64) (driver.Claim, error) {
		want := driver.NewClaim(key)
		want.Token = token
		return s.other.Acquire(ctx, want, long)
	}
	free, err := ask("free", 7)
	holder, errHolder := s.store.Acquire(ctx, driver.NewClaim("held"), long)
	_, errHeld := ask("held", holder.Token)
	done, errDone := s.store.Acquire(ctx, driver.NewClaim("done"), long)
	errDone = errors.Join(errDone, s.store.Complete(ctx, done, driver.OutcomeProcessed))
	_, errAsked := ask("done", done.Token)
	gone, errGone := released(ctx, s, "released", driver.MarkFailed)
	next, errNext := ask("released", gone.Token)
	old, errOld := expired(ctx, s, "expired")
	taker, errTaker := ask("expired", old.Token)
	return errors.Join(err, errHolder, errDone, errGone, errNext, errOld, errTaker,
		expectTrue("the token is positive", free.Token > 0),
		expectEqual("Takeover of a key that was never claimed", free.Takeover, false),
		expectHolder(ctx, s, free),
		expectHeld(errHeld, "held", holder.Token),
		expect("Acquire of a completed key", errAsked, driver.ErrDone),
		expectNewer(next, gone, false),
		expectEqual("Mark", next.Mark, driver.MarkFailed),
		expectNewer(taker, old, true),
		expectHolder(ctx, s, taker),
	)
}

// releasedElsewhere has another handle release a claim, and the one that acquired it
// complete it nevertheless, before and after somebody else has claimed the key.
func releasedElsewhere(ctx context.Context, s claims) error {
	var failures []error
	for _, claimed := range []bool{false, true} {
		key := fmt.Sprint("claimed again: ", claimed)
		c, err := s.store.Acquire(ctx, driver.NewClaim(key), long)
		err = errors.Join(err, s.other.Release(ctx, c, driver.Released{}))
		var next driver.Claim
		if claimed {
			var errNext error
			next, errNext = s.other.Acquire(ctx, driver.NewClaim(key), long)
			err = errors.Join(err, errNext)
		}
		completed := s.store.Complete(ctx, c, driver.OutcomeProcessed)
		switch {
		case completed != nil && claimed:
			err = errors.Join(err, expect("Complete", completed, driver.ErrLost), expectHolder(ctx, s, next))
		case completed != nil:
			err = errors.Join(err, expect("Complete", completed, driver.ErrLost))
		case claimed:
			err = errors.Join(err, expect("Complete by who has claimed it since", s.other.Complete(ctx, next, driver.OutcomeProcessed), driver.ErrLost), expectDone(ctx, s, key))
		default:
			err = errors.Join(err, expectDone(ctx, s, key))
		}
		failures = append(failures, about(key, err))
	}
	return errors.Join(failures...)
}

func emptyOwner(ctx context.Context, s claims) error {
	_, err := s.store.Acquire(ctx, driver.Claim{Key: "order-1"}, long)
	return errors.Join(expect("Acquire", err, driver.ErrNoOwner), expectTrue("the error is permanent", driver.IsPermanent(err)))
}
