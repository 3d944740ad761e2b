package drivertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"example.com/eventdriver/driver"
)

// Purging is what [TestPurger] needs of a store: something is to be deleted, and looked for. Where it
// is a [driver.Sealer], a [driver.Decider], a [driver.Corrector] or a [driver.LetterBox], what these
// keep is to be deleted, too.
type Purging interface {
	Inspected
	driver.Purger
}

// TestPurger checks every sentence of [driver.Purger]'s contract but those of what is deleted first:
// a store's own test of its requests has to show these.
func TestPurger[S Purging](t *testing.T, h Harness[S]) {
	t.Helper()
	test(t, h, asPurging[S], purgeChecks)
}

type purging = subject[Purging]

func asPurging[S Purging](s S) Purging { return s }

var purgeChecks = []check[Purging]{
	{"PurgeEvents deletes events, seals and decisions", purgeEvents},
	{"PurgeEvents deletes what was corrected", purgeCorrected},
	{"PurgeEvents deletes the letters of the key, and no others", purgeLetters},
	{"PurgeEvents leaves the claims alone", purgeLeavesClaims},
	{"PurgeClaims deletes claims and completions, in all scopes", purgeClaims},
	{"PurgeClaims leaves the events alone", purgeLeavesEvents},
	{"The next claim has a greater token than all before", purgeTokens},
	{"A key that was purged begins anew", purgeAnew},
	{"Other keys stay", purgeOtherKeys},
	{"Purging nothing, and purging again, returns nil", purgeAgain},
	{"What comes at once is deleted or kept whole, and what comes later is kept", purgeAtOnce},
	{"Any key can be purged", purgeAnyKey},
	{"An empty key can't be purged", purgeEmptyKey},
	{"A context that has ended is honoured, and nothing is deleted", purgeEndedContext},
}

// purge purges a key by the other handle.
func purge(ctx context.Context, s purging, key string) error {
	return errors.Join(expect("PurgeEvents", s.other.PurgeEvents(ctx, key), nil), expect("PurgeClaims", s.other.PurgeClaims(ctx, key), nil))
}

// expectGone returns an error unless nothing is kept of the key.
func expectGone(ctx context.Context, s purging, key string) error {
	k, err := s.store.Inspect(ctx, key)
	found, errFound := s.store.LookUpByKey(ctx, key)
	return errors.Join(errFound, expectEqual("events", len(found), 0), expect(fmt.Sprintf("Inspect, which found %.200v", k), err, driver.ErrNotFound))
}

// completedIn completes a key in each of the scopes, and returns the greatest token.
func completedIn(ctx context.Context, s purging, key string, scopes ...string) (greatest int64, err error) {
	var failures []error
	for _, scope := range scopes {
		asked := driver.NewClaim(key)
		asked.Scope = scope
		c, err := s.store.Acquire(ctx, asked, long)
		failures = append(failures, err, s.store.Complete(ctx, c, driver.OutcomeOperator))
		greatest = max(greatest, c.Token)
	}
	return greatest, errors.Join(failures...)
}

func purgeEvents(ctx context.Context, s purging) error {
	failures := []error{s.store.Persist(ctx, event("order-1", "event1", "content")), s.store.Persist(ctx, event("order-1", longNames()[0], "content"))}
	if sealer, can := s.store.(driver.Sealer); can {
		_, err := sealer.Seal(ctx, "order-1", "event2")
		failures = append(failures, err)
	}
	d, decides := s.store.(driver.Decider)
	if decides {
		_, err := d.Decide(ctx, "order-1", "join", []string{"event1"})
		failures = append(failures, err)
	}
	failures = append(failures, expect("PurgeEvents", s.other.PurgeEvents(ctx, "order-1"), nil), expectGone(ctx, s, "order-1"))
	for _, source := range []string{"event1", "event2", longNames()[0]} {
		_, err := s.store.LookUp(ctx, "order-1", source)
		failures = append(failures, expect("LookUp", err, driver.ErrNotFound))
	}
	if decides {
		sources, decided, err := d.ListDecided(ctx, "order-1", "join")
		failures = append(failures, err, expectEqual("sources, decided", fmt.Sprint(sources, decided), "[] []"))
	}
	return errors.Join(failures...)
}

func purgeCorrected(ctx context.Context, s purging) error {
	c, can := s.store.(driver.Corrector)
	if !can {
		return errDoesNotApply
	}
	err := errors.Join(s.store.Persist(ctx, event("order-1", "event1", "wrong")), c.Correct(ctx, event("order-1", "event1", "right"), correctionBy("ann", 0)))
	k, errInspect := s.store.Inspect(ctx, "order-1")
	if err := errors.Join(err, errInspect, expectTrue("the correction is described", len(k.Events) == 1 && len(k.Events[0].Corrections) == 1)); err != nil {
		return err
	}
	errPurge := s.other.PurgeEvents(ctx, "order-1")
	_, errRead := c.ReadCorrected(ctx, k.Events[0].Corrections[0].Ref)
	first := event("order-1", "event1", "wrong")
	return errors.Join(errPurge, expect("ReadCorrected", errRead, driver.ErrNotFound), expectGone(ctx, s, "order-1"),
		expect("Persist of what was corrected once", s.store.Persist(ctx, first), nil),
		expectKept(ctx, events{store: s.store, other: s.other}, first))
}

func purgeLetters(ctx context.Context, s purging) error {
	of := func(key, id string) driver.DeadLetter {
		d := letter(id)
		d.Key = key
		return d
	}
	err := errors.Join(s.store.AddDeadLetter(ctx, of("order-1", "1")), s.store.AddDeadLetter(ctx, of("order-1", "2")),
		s.store.AddDeadLetter(ctx, of("order-2", "3")), s.store.AddDeadLetter(ctx, of("", "4")), s.other.PurgeEvents(ctx, "order-1"),
		expectGone(ctx, s, "order-1"))
	k, errInspect := s.store.Inspect(ctx, "order-2")
	failures := []error{err, errInspect, expectEqual("letters of another key", len(k.Letters), 1)}
	if box, can := s.store.(driver.LetterBox); can {
		page, err := box.ListLetters(ctx, driver.LetterQuery{})
		failures = append(failures, err, expectEqual("letters that are left", len(page.Letters), 2))
	}
	return errors.Join(failures...)
}

func purgeLeavesClaims(ctx context.Context, s purging) error {
	_, err := completedIn(ctx, s, "order-1", "", "a")
	held, errHeld := s.store.Acquire(ctx, driver.Claim{Scope: "b", Key: "order-1", Owner: "me"}, long)
	errPurge := s.other.PurgeEvents(ctx, "order-1")
	_, errDone := s.other.Acquire(ctx, driver.NewClaim("order-1"), long)
	_, errRenew := s.store.Renew(ctx, held, long)
	k, errInspect := s.store.Inspect(ctx, "order-1")
	return errors.Join(err, errHeld, errPurge, errInspect, expect("Acquire", errDone, driver.ErrDone), expect("Renew", errRenew, nil),
		expectEqual("scopes", len(k.Claims), 3))
}

func purgeClaims(ctx context.Context, s purging) error {
	scopes := []string{"", "a", "a/é\xff", longNames()[0]}
	_, err := completedIn(ctx, s, "order-1", scopes...)
	released, errAcquire := s.store.Acquire(ctx, driver.Claim{Scope: "b", Key: "order-1", Owner: "me"}, long)
	failures := []error{err, errAcquire, s.store.Release(ctx, released, driver.Released{Mark: driver.MarkFailed}), expect("PurgeClaims", s.other.PurgeClaims(ctx, "order-1"), nil),
		expectGone(ctx, s, "order-1")}
	for _, scope := range append(scopes, "b") {
		c, err := s.store.Acquire(ctx, driver.Claim{Scope: scope, Key: "order-1", Owner: "next"}, long)
		failures = append(failures, about(scope, expect("Acquire", err, nil), expectEqual("Takeover", c.Takeover, false),
			expectEqual("Mark", c.Mark, driver.MarkNone)))
	}
	return errors.Join(failures...)
}

func purgeLeavesEvents(ctx context.Context, s purging) error {
	m := event("order-1", "event1", "content")
	_, err := completedIn(ctx, s, "order-1", "")
	return errors.Join(err, s.store.Persist(ctx, m), s.other.PurgeClaims(ctx, "order-1"), expectKept(ctx, events{store: s.store, other: s.other}, m))
}

func purgeTokens(ctx context.Context, s purging) error {
	var failures []error
	for range 3 {
		greatest, err := completedIn(ctx, s, "order-1", "")
		failures = append(failures, err, purge(ctx, s, "order-1"))
		c, err := s.other.Acquire(ctx, driver.NewClaim("order-1"), long)
		failures = append(failures, err, expectTrue(fmt.Sprintf("token %d is greater than %d", c.Token, greatest), c.Token > greatest),
			s.other.Release(ctx, c, driver.Released{}))
	}
	return errors.Join(failures...)
}

func purgeAnew(ctx context.Context, s purging) error {
	m := event("order-1", "event1", "first life")
	failures := []error{s.store.Persist(ctx, m)}
	for life := range 2 {
		_, err := completedIn(ctx, s, "order-1", "")
		failures = append(failures, err, purge(ctx, s, "order-1"), expectGone(ctx, s, "order-1"))
		m.Content = fmt.Append(nil, "life ", life)
		failures = append(failures, expect("Persist", s.store.Persist(ctx, m), nil), expectKept(ctx, events{store: s.store, other: s.other}, m))
	}
	_, err := completedIn(ctx, s, "order-1", "")
	_, errDone := s.other.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(append(failures, err, expect("Acquire", errDone, driver.ErrDone))...)
}

func purgeOtherKeys(ctx context.Context, s purging) error {
	others := []string{"order-10", "order", "order-1/events", "order-1/", "ORDER-1", "order-1/claim"}
	var failures []error
	for _, key := range append([]string{"order-1"}, others...) {
		d := letter("of " + key)
		d.Key = key
		_, err := completedIn(ctx, s, key, "", "a")
		failures = append(failures, err, s.store.Persist(ctx, event(key, "event1", "content")), s.store.AddDeadLetter(ctx, d))
	}
	failures = append(failures, purge(ctx, s, "order-1"), expectGone(ctx, s, "order-1"))
	for _, key := range others {
		k, err := s.store.Inspect(ctx, key)
		failures = append(failures, about(key, err, expectEqual("events", len(k.Events), 1), expectEqual("claims", len(k.Claims), 2),
			expectEqual("letters", len(k.Letters), 1)))
	}
	return errors.Join(failures...)
}

func purgeAgain(ctx context.Context, s purging) error {
	err := purge(ctx, s, "order-1")
	_, errDone := completedIn(ctx, s, "order-1", "")
	return errors.Join(err, errDone, s.store.Persist(ctx, event("order-1", "event1", "content")), purge(ctx, s, "order-1"), purge(ctx, s, "order-1"),
		expectGone(ctx, s, "order-1"))
}

func purgeAtOnce(ctx context.Context, s purging) error {
	var failures []error
	sources := []string{"event1", "event2", "event3", "event4"}
	for range 3 {
		_, errs := atOnce(len(sources)+2, func(i int) (any, error) {
			if i < len(sources) {
				// A store that reads what it has kept may miss it: the event is delivered again then.
				if err := s.store.Persist(ctx, event("order-1", sources[i], "content")); driver.IsPermanent(err) {
					return nil, err
				}
				return nil, nil
			}
			return nil, []driver.Purger{s.store, s.other}[i%2].PurgeEvents(ctx, "order-1")
		})
		failures = append(failures, errs...)
		found, err := s.store.LookUpByKey(ctx, "order-1")
		failures = append(failures, err)
		for _, m := range found {
			failures = append(failures, expectMessage("LookUpByKey", m, event("order-1", m.Source, "content")))
		}
	}
	for _, source := range sources {
		m := event("order-1", source, "content")
		failures = append(failures, s.store.Persist(ctx, m), expectKept(ctx, events{store: s.store, other: s.other}, m))
	}
	return errors.Join(failures...)
}

func purgeAnyKey(ctx context.Context, s purging) error {
	some := slices.Concat(names[:40], longNames()[:5])
	_, failures := atOnce(len(some), func(i int) (any, error) {
		key := some[i]
		d := letter(key)
		d.Key = key
		_, err := completedIn(ctx, s, key, "", key)
		return nil, about(key, err, s.store.Persist(ctx, event(key, key, "content")), s.store.AddDeadLetter(ctx, d), purge(ctx, s, key),
			expectGone(ctx, s, key))
	})
	return errors.Join(failures...)
}

func purgeEmptyKey(ctx context.Context, s purging) error {
	return errors.Join(expectRefusal("PurgeEvents", s.store.PurgeEvents(ctx, ""), driver.ErrNoKey, driver.ReasonNoKey),
		expectRefusal("PurgeClaims", s.store.PurgeClaims(ctx, ""), driver.ErrNoKey, driver.ReasonNoKey))
}

func purgeEndedContext(ctx context.Context, s purging) error {
	m := event("order-1", "event1", "content")
	_, err := completedIn(ctx, s, "order-1", "")
	failures := []error{err, s.store.Persist(ctx, m)}
	for want, ended := range ended(ctx) {
		failures = append(failures, expect("PurgeEvents", s.store.PurgeEvents(ended, "order-1"), want),
			expect("PurgeClaims", s.store.PurgeClaims(ended, "order-1"), want))
	}
	_, err = s.other.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(append(failures, expect("Acquire", err, driver.ErrDone), expectKept(ctx, events{store: s.store, other: s.other}, m))...)
}
