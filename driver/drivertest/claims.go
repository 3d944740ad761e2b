package drivertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/eventdriver/driver"
)

// TestClaimStore checks every sentence of [driver.ClaimStore]'s contract.
func TestClaimStore[S driver.ClaimStore](t *testing.T, h Harness[S]) {
	t.Helper()
	test(t, h, asClaimStore[S], claimChecks)
}

type claims = subject[driver.ClaimStore]

func asClaimStore[S driver.ClaimStore](s S) driver.ClaimStore { return s }

var claimChecks = []check[driver.ClaimStore]{
	{"Of any number of calls at once, one succeeds", acquireAtOnce},
	{"A claim says what it is", claimFields},
	{"While another's lease has not run out, Acquire returns a HeldError", acquireHeld},
	{"The length of a lease must be positive", positiveLease},
	{"Keys do not disturb each other, whatever strings they are", anyClaimKey},
	{"A key that was released is claimed with a greater token, and is no takeover", acquireReleased},
	{"A key whose lease ran out is taken over with a greater token", takeover},
	{"Of any number of takeovers at once, one succeeds", takeoverAtOnce},
	{"A takeover and the old holder's Complete never both fail, and one holder completes", takeoverOrComplete},
	{"The token only grows", tokenGrows},
	{"A holder that was taken over can do nothing more", zombie},
	{"A completed key is done for good", doneForGood},
	{"Completing again with the same claim returns nil", completeAgain},
	{"Complete after Release is ErrLost", completeReleased},
	{"A stranger can neither complete, renew nor release", stranger},
	{"A holder whose lease ran out can still complete, renew and release, until it is taken over", expiredHolder},
	{"Renew makes the lease end later", renewExtends},
	{"A renewed lease runs out too", renewedRunsOut},
	{"Renew after Release, or after Complete, is ErrLost", renewLost},
	{"Releasing again returns nil, until another claims the key", releaseAgain},
	{"Release after Complete is ErrLost, and the key stays done", releaseCompleted},
	{"An owner that holds the key is given its claim again", ownerAgain},
	{"A takeover is given again as a takeover", ownerTakeoverAgain},
	{"An owner that gave the key up, lost it or completed it is given nothing again", ownerNoMore},
	{"A claim is its Key, Token and Owner: any process can go on with it", rebuiltClaim},
	{"Scopes do not disturb each other, nor keys, whatever strings they are", scopesApart},
	{"A claim has the mark that the key was released with", marks},
	{"During the pause that a key was released with, Acquire returns a LaterError", paused},
	{"A pause passes", pausePasses},
	{"An early claim ends the pause", earlyClaim},
	{"An early claim of a held key is refused, and of a completed key", earlyRefused},
	{"A claim has the attempts that the key was released with, and one more for each takeover", attemptsTold},
	{"An older claim of the same owner is lost", olderOfOwner},
	{"An owner whose lease ran out is given its claim again, until it is taken over", ownExpired},
	{"After Renew either claim can be used", renewedEither},
	{"The token in a claim that is asked for changes nothing", knownToken},
	{"What another handle released is completed by one at most", releasedElsewhere},
	{"An empty owner is refused", emptyOwner},
	{"An empty key is refused by every method", claimsEmptyKey},
	{"A context that has ended is honoured by every method", claimsEndedContext},
}

// long is the length of leases that are not to run out, however slow the store.
const long = time.Hour

// expectHeld returns an error unless err says that key is held with token.
func expectHeld(err error, key string, token int64) error {
	var held *driver.HeldError
	if !errors.As(err, &held) || !errors.Is(err, driver.ErrHeld) {
		return fmt.Errorf("Acquire of a held key: got error %v, want a *HeldError", err)
	}
	return errors.Join(
		expectEqual("Key of the HeldError", held.Key, key),
		expectEqual("Token of the HeldError", held.Token, token),
		expectLong("Expires of the HeldError", held.Expires),
	)
}

// expectLong returns an error unless a lease of length long, taken by the check
// in the last minutes, may end at that time.
func expectLong(what string, expires time.Time) error {
	left := time.Until(expires)
	return expectTrue(fmt.Sprintf("%s is an hour from now, or a little less: %v", what, left),
		left > long-10*time.Minute && left < long+time.Minute)
}

// expectHolder returns an error unless c holds its key: others are told so, and
// it can complete.
func expectHolder(ctx context.Context, s claims, c driver.Claim) error {
	_, err := s.other.Acquire(ctx, driver.NewClaim(c.Key), long)
	return errors.Join(
		expectHeld(err, c.Key, c.Token),
		expect("Complete by the holder", s.store.Complete(ctx, c, driver.OutcomeProcessed), nil),
		expectDone(ctx, s, c.Key),
	)
}

// expectDone returns an error unless key is done, whoever asks.
func expectDone(ctx context.Context, s claims, key string) error {
	_, err := s.store.Acquire(ctx, driver.NewClaim(key), long)
	_, errOther := s.other.Acquire(ctx, driver.NewClaim(key), long)
	return errors.Join(
		expect("Acquire of a completed key", err, driver.ErrDone),
		expect("Acquire of a completed key by another handle", errOther, driver.ErrDone),
	)
}

// expectNewer returns an error unless c is a claim newer than old.
func expectNewer(c, old driver.Claim, takeover bool) error {
	return errors.Join(
		expectTrue(fmt.Sprintf("token %d is greater than %d", c.Token, old.Token), c.Token > old.Token),
		expectEqual("Takeover", c.Takeover, takeover),
	)
}

// soleWinner returns the one claim of those that succeeded, and an error unless
// all other callers were told that the key is held by it.
func soleWinner(key string, got []driver.Claim, errs []error) (driver.Claim, error) {
	var winners []driver.Claim
	for i, err := range errs {
		if err == nil {
			winners = append(winners, got[i])
		}
	}
	if len(winners) != 1 {
		return driver.Claim{}, fmt.Errorf("%d of %d calls of Acquire succeeded, want 1: %w", len(winners), len(errs), errors.Join(errs...))
	}
	var failures []error
	for _, err := range errs {
		if err != nil {
			failures = append(failures, expectHeld(err, key, winners[0].Token))
		}
	}
	return winners[0], errors.Join(failures...)
}

// expired returns a claim whose lease has run out.
func expired(ctx context.Context, s claims, key string) (driver.Claim, error) {
	c, err := s.store.Acquire(ctx, driver.NewClaim(key), s.lease)
	if err != nil {
		return c, err
	}
	return c, s.outlast(ctx)
}

// takenOver returns a claim that was taken over, and its successor.
func takenOver(ctx context.Context, s claims, key string) (old, successor driver.Claim, err error) {
	if old, err = expired(ctx, s, key); err != nil {
		return old, successor, err
	}
	successor, err = s.other.Acquire(ctx, driver.NewClaim(key), long)
	return old, successor, err
}

func acquireAtOnce(ctx context.Context, s claims) error {
	got, errs := atOnce(s.callers, func(i int) (driver.Claim, error) {
		return s.handle(i).Acquire(ctx, driver.NewClaim("order-1"), long)
	})
	winner, err := soleWinner("order-1", got, errs)
	if err != nil {
		return err
	}
	return errors.Join(expectEqual("Takeover", winner.Takeover, false), expectHolder(ctx, s, winner))
}

func claimFields(ctx context.Context, s claims) error {
	first, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	second, errSecond := s.store.Acquire(ctx, driver.NewClaim("order-2"), long)
	owner := driver.NewOwner()
	third, errThird := s.store.Acquire(ctx, driver.Claim{Scope: "scope", Key: "order-3", Owner: owner, Margin: 7 * time.Second}, long)
	return errors.Join(err, errSecond, errThird,
		expectEqual("Key", first.Key, "order-1"),
		expectEqual("Key", second.Key, "order-2"),
		expectEqual("Owner", third.Owner, owner),
		expectEqual("Scope", third.Scope, "scope"),
		expectEqual("Margin", third.Margin, 7*time.Second),
		expectEqual("Mark", third.Mark, driver.MarkNone),
		expectLong("Expires", first.Expires),
		expectEqual("Takeover", first.Takeover, false),
	)
}

func acquireHeld(ctx context.Context, s claims) error {
	c, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	failures := []error{err}
	for i := range 4 {
		_, err := s.handle(i).Acquire(ctx, driver.NewClaim("order-1"), s.lease)
		failures = append(failures, expectHeld(err, "order-1", c.Token))
	}
	return errors.Join(append(failures, expectHolder(ctx, s, c))...)
}

func positiveLease(ctx context.Context, s claims) error {
	for _, ttl := range []time.Duration{0, -1, -time.Hour} {
		if _, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), ttl); err == nil || errors.Is(err, driver.ErrHeld) {
			return fmt.Errorf("Acquire for %v: got error %v, want a refusal", ttl, err)
		}
	}
	c, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(err, expectEqual("Takeover", c.Takeover, false))
}

func anyClaimKey(ctx context.Context, s claims) error {
	got, failures := atOnce(len(s.names), func(i int) (driver.Claim, error) {
		c, err := s.store.Acquire(ctx, driver.NewClaim(s.names[i]), long)
		return c, about(s.names[i], err, expectEqual("Key", c.Key, s.names[i]))
	})
	if err := errors.Join(failures...); err != nil {
		return err
	}
	// Each name has an end of its own, which no other may have brought about.
	_, failures = atOnce(len(s.names), func(i int) (any, error) {
		switch i % 3 {
		case 0:
			return nil, about(s.names[i], s.other.Complete(ctx, got[i], driver.OutcomeProcessed))
		case 1:
			return nil, about(s.names[i], s.other.Release(ctx, got[i], driver.Released{}))
		}
		return nil, nil
	})
	if err := errors.Join(failures...); err != nil {
		return err
	}
	_, failures = atOnce(len(s.names), func(i int) (any, error) {
		_, err := s.other.Acquire(ctx, driver.NewClaim(s.names[i]), long)
		switch i % 3 {
		case 0:
			return nil, about(s.names[i], expect("Acquire of the completed key", err, driver.ErrDone))
		case 1:
			return nil, about(s.names[i], expect("Acquire of the released key", err, nil))
		}
		return nil, about(s.names[i], expectHeld(err, s.names[i], got[i].Token))
	})
	return errors.Join(failures...)
}

func claimsEmptyKey(ctx context.Context, s claims) error {
	c, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	c.Key = ""
	_, errAcquire := s.store.Acquire(ctx, driver.NewClaim(""), long)
	_, errRenew := s.store.Renew(ctx, c, long)
	return errors.Join(err,
		expect("Acquire", errAcquire, driver.ErrNoKey),
		expect("Renew", errRenew, driver.ErrNoKey),
		expect("Complete", s.store.Complete(ctx, c, driver.OutcomeProcessed), driver.ErrNoKey),
		expect("Release", s.store.Release(ctx, c, driver.Released{}), driver.ErrNoKey),
	)
}

func claimsEndedContext(ctx context.Context, s claims) error {
	c, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	failures := []error{err}
	for want, ctx := range ended(ctx) {
		_, errAcquire := s.store.Acquire(ctx, driver.NewClaim("order-2"), long)
		_, errRenew := s.store.Renew(ctx, c, long)
		failures = append(failures,
			expect("Acquire", errAcquire, want),
			expect("Renew", errRenew, want),
			expect("Complete", s.store.Complete(ctx, c, driver.OutcomeProcessed), want),
			expect("Release", s.store.Release(ctx, c, driver.Released{}), want),
		)
	}
	return errors.Join(failures...)
}
