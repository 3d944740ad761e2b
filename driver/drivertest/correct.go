package drivertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/eventdriver/driver"
)

// Correcting is what [TestCorrector] needs of a store: events are kept and corrected, and their
// history is looked at. Where it is a [driver.Replacer], a [driver.KeepLooker], a [driver.Sealer] or
// a [driver.Decider], these are called, too.
type Correcting interface {
	driver.EventStore
	driver.Inspector
	driver.Corrector
}

// TestCorrector checks every sentence of [driver.Corrector]'s contract.
func TestCorrector[S Correcting](t *testing.T, h Harness[S]) {
	t.Helper()
	test(t, h, asCorrecting[S], correctChecks)
}

type correcting = subject[Correcting]

func asCorrecting[S Correcting](s S) Correcting { return s }

var correctChecks = []check[Correcting]{
	{"A corrected event is what everybody sees, and the others stay", correctKept},
	{"What was there can be read, as it was kept", correctRead},
	{"The history says who has corrected an event, when and why, in order", correctHistory},
	{"Since when an event is kept does not change", correctSince},
	{"Nothing is corrected that is not kept", correctNothing},
	{"A sealed place is not corrected", correctSealed},
	{"A redelivery of what was corrected is told so, and other content is a conflict", correctRedelivery},
	{"KeepAndLook of what was corrected returns the corrected event, and says so", correctLook},
	{"No event overrides a corrected one", correctReplace},
	{"A decision stays", correctDecided},
	{"The same correction again changes nothing, and another does", correctAgain},
	{"Of corrections at once each is in the history, and the last is kept", correctAtOnce},
	{"A correction and redeliveries at once never bring the old event back", correctRace},
	{"Any key and source can be corrected", correctAnyName},
	{"A corrected event is shared with nobody", correctNoAliasing},
	{"A correction names an event, an account, a time and a reason", correctRefuses},
	{"There is nothing to read that the store has not named", correctNoSuchRef},
	{"A context that has ended is honoured by corrections", correctEndedContext},
}

// asEvents is the same subject for what checks any event store.
func asEvents(s correcting) events {
	return events{store: s.store, other: s.other, lease: s.lease, callers: s.callers, exclusive: s.exclusive}
}

// correctionBy is a correction at some time; the nth is n seconds later.
func correctionBy(who string, n int) driver.Correction {
	return driver.Correction{By: who, Time: time.Date(2024, 2, 29, 12, 0, n, 123456000, time.UTC), Why: "reason of " + who}
}

// corrects persists an event and corrects it, once for each of the contents but the first.
func corrects(ctx context.Context, s correcting, key, source string, contents ...string) error {
	failures := []error{s.store.Persist(ctx, event(key, source, contents[0]))}
	for i, content := range contents[1:] {
		failures = append(failures, expect("Correct", s.handle(i).Correct(ctx, event(key, source, content), correctionBy("ann", i)), nil))
	}
	return errors.Join(failures...)
}

// historyOf returns what Inspect says of an event's corrections.
func historyOf(ctx context.Context, s correcting, key, source string) ([]driver.Corrected, error) {
	k, err := s.other.Inspect(ctx, key)
	for _, e := range k.Events {
		if e.Source == source {
			return e.Corrections, errors.Join(err, expectEqual("problems", len(k.Problems), 0))
		}
	}
	return nil, errors.Join(err, fmt.Errorf("%.80q of key %.80q is not described", source, key))
}

func correctKept(ctx context.Context, s correcting) error {
	neighbour, otherKey := event("order-1", "event2", "neighbour"), event("order-2", "event1", "wrong")
	right := event("order-1", "event1", "right")
	right.ID, right.MediaType, right.Attributes, right.Time = "another", "text/plain", map[string]string{"a": "b"}, time.Time{}
	err := errors.Join(s.store.Persist(ctx, neighbour), s.store.Persist(ctx, otherKey), s.store.Persist(ctx, event("order-1", "event1", "wrong")),
		expect("Correct", s.store.Correct(ctx, right, correctionBy("ann", 0)), nil))
	kept, errLook := s.other.LookUp(ctx, "order-1", "event1")
	all, errAll := s.other.LookUpByKey(ctx, "order-1")
	sources, errSources := s.store.ListSourcesByKey(ctx, "order-1")
	history, errHistory := historyOf(ctx, s, "order-2", "event1")
	k, errInspect := s.store.Inspect(ctx, "order-1")
	return errors.Join(err, errLook, errAll, errSources, errHistory, errInspect,
		expectKept(ctx, asEvents(s), right), expectEqual("MediaType", kept.MediaType, right.MediaType),
		expectKept(ctx, asEvents(s), neighbour), expectKept(ctx, asEvents(s), otherKey),
		expectEqual("events of the key", len(all), 2), expectEqual("its sources", fmt.Sprint(sources), "[event1 event2]"),
		expectEqual("corrections of another key's", len(history), 0), expectEqual("events described", len(k.Events), 2),
		expectEvent(k.Events[0], right))
}

func correctRead(ctx context.Context, s correcting) error {
	contents := []string{"first", "second", "third"}
	err := corrects(ctx, s, "order-1", "event1", contents...)
	history, errHistory := historyOf(ctx, s, "order-1", "event1")
	failures := []error{err, errHistory, expectEqual("corrections", len(history), 2)}
	for i, c := range history {
		for j := range 2 {
			m, err := []driver.Corrector{s.store, s.other}[j].ReadCorrected(ctx, c.Ref)
			failures = append(failures, err, expectMessage("ReadCorrected", m, event("order-1", "event1", contents[i])))
		}
	}
	return errors.Join(failures...)
}

func correctHistory(ctx context.Context, s correcting) error {
	by := []driver.Correction{correctionBy("ann", 0), correctionBy("日本 \x00\xff", 2), correctionBy("bob", 1)}
	failures := []error{s.store.Persist(ctx, event("order-1", "event1", "0")), s.store.Persist(ctx, event("order-1", "event2", "0"))}
	for i, c := range by {
		failures = append(failures, s.handle(i).Correct(ctx, event("order-1", "event1", fmt.Sprint(i+1)), c))
	}
	history, err := historyOf(ctx, s, "order-1", "event1")
	none, errNone := historyOf(ctx, s, "order-1", "event2")
	failures = append(failures, err, errNone, expectEqual("corrections", len(history), len(by)), expectEqual("of another event", len(none), 0))
	refs := make(map[string]bool)
	for i, c := range history[:min(len(history), len(by))] {
		refs[c.Ref] = true
		failures = append(failures, expectEqual("By", c.By, by[i].By), expectEqual("Why", c.Why, by[i].Why), expectTime(c.Time, by[i].Time))
	}
	return errors.Join(append(failures, expectEqual("different Refs", len(refs), len(by)))...)
}

func correctSince(ctx context.Context, s correcting) error {
	err := s.store.Persist(ctx, event("order-1", "event1", "wrong"))
	before, errBefore := s.store.Inspect(ctx, "order-1")
	errWait := s.outlast(ctx)
	errCorrect := s.store.Correct(ctx, event("order-1", "event1", "right"), correctionBy("ann", 0))
	errAgain := s.store.Correct(ctx, event("order-1", "event1", "right"), correctionBy("bob", 1))
	after, errAfter := s.other.Inspect(ctx, "order-1")
	return errors.Join(err, errBefore, errWait, errCorrect, errAgain, errAfter, expectTime(after.FirstKept(), before.FirstKept()))
}

func correctNothing(ctx context.Context, s correcting) error {
	err := s.store.Persist(ctx, event("order-1", "event1", "content"))
	for _, m := range []driver.Message{event("order-1", "event2", "right"), event("order-2", "event1", "right")} {
		errCorrect := s.store.Correct(ctx, m, correctionBy("ann", 0))
		_, errLook := s.other.LookUp(ctx, m.Key, m.Source)
		err = errors.Join(err, expect("Correct", errCorrect, driver.ErrNotFound), expect("LookUp", errLook, driver.ErrNotFound))
	}
	_, errInspect := s.other.Inspect(ctx, "order-2")
	return errors.Join(err, expect("Inspect", errInspect, driver.ErrNotFound),
		expectKept(ctx, asEvents(s), event("order-1", "event1", "content")))
}

func correctSealed(ctx context.Context, s correcting) error {
	sealer, can := s.store.(driver.Sealer)
	if !can {
		return errDoesNotApply
	}
	_, err := sealer.Seal(ctx, "order-1", "event1")
	return errors.Join(err, expectTooLate("Correct", s.other.Correct(ctx, event("order-1", "event1", "right"), correctionBy("ann", 0))),
		expectSealed(ctx, asEvents(s), "order-1", "event1"))
}

// expectCorrected returns an error unless err is a conflict with kept, which is a correction if so wanted.
func expectCorrected(err error, kept driver.Message, corrected bool) error {
	var conflict *driver.ConflictError
	_ = errors.As(err, &conflict)
	return errors.Join(expectConflict(err, kept), expectTrue(fmt.Sprintf("Corrected is %v: %v", corrected, err),
		conflict != nil && conflict.Corrected == corrected))
}

func correctRedelivery(ctx context.Context, s correcting) error {
	a, b, c := event("order-1", "event1", "a"), event("order-1", "event1", "b"), event("order-1", "event1", "c")
	old := a
	old.ID, old.Time = "another ID, the same content", time.Time{}
	return errors.Join(
		corrects(ctx, s, "order-1", "event1", "a", "b", "c"),
		expectCorrected(s.store.Persist(ctx, a), c, true), expectCorrected(s.other.Persist(ctx, b), c, true),
		expectCorrected(s.other.Persist(ctx, old), c, true),
		expect("Persist of what is kept", s.store.Persist(ctx, c), nil),
		expectCorrected(s.store.Persist(ctx, event("order-1", "event1", "d")), c, false),
		expectKept(ctx, asEvents(s), c),
		s.store.Correct(ctx, a, correctionBy("bob", 9)), // back again
		expect("Persist of what is kept again", s.other.Persist(ctx, a), nil), expectCorrected(s.store.Persist(ctx, c), a, true),
		expectKept(ctx, asEvents(s), a))
}

func correctLook(ctx context.Context, s correcting) error {
	k, can := s.store.(driver.KeepLooker)
	if !can {
		return errDoesNotApply
	}
	right, other := event("order-1", "event1", "right"), event("order-1", "event2", "other")
	err := errors.Join(corrects(ctx, s, "order-1", "event1", "wrong", "right"), s.store.Persist(ctx, other))
	messages, missing, errLook := k.KeepAndLook(ctx, event("order-1", "event1", "wrong"), []string{"event1", "event2"})
	if errors.Is(errLook, errors.ErrUnsupported) {
		return errDoesNotApply
	}
	if len(messages) != 2 || missing != nil {
		return errors.Join(err, errLook, fmt.Errorf("KeepAndLook: %d messages, %q is missing", len(messages), missing))
	}
	return errors.Join(err, expectCorrected(errLook, right, true), expectMessage("of event1", messages[0], right),
		expectMessage("of event2", messages[1], other))
}

func correctReplace(ctx context.Context, s correcting) error {
	r, can := s.store.(driver.Replacer)
	if !can {
		return errDoesNotApply
	}
	first, right := event("order-1", "event1", "wrong"), event("order-1", "event1", "right")
	_, err := r.Replace(ctx, first)
	failures := []error{err, s.store.Correct(ctx, right, correctionBy("ann", 0))}
	for _, m := range []driver.Message{first, at(first, first.Time.Add(time.Hour)), at(event("order-1", "event1", "newer"), right.Time.Add(time.Hour)),
		at(first, time.Time{}), event("order-1", "event1", "of the same time")} {
		kept, err := r.Replace(ctx, m)
		failures = append(failures, err, expectMessage("Replace", kept, right))
	}
	return errors.Join(append(failures, expectKept(ctx, asEvents(s), right))...)
}

func correctDecided(ctx context.Context, s correcting) error {
	d, can := s.store.(driver.Decider)
	if !can {
		return errDoesNotApply
	}
	err := s.store.Persist(ctx, event("order-1", "event1", "wrong"))
	_, errDecide := d.Decide(ctx, "order-1", "join", []string{"event1"})
	errCorrect := s.store.Correct(ctx, event("order-1", "event1", "right"), correctionBy("ann", 0))
	sources, decided, errList := d.ListDecided(ctx, "order-1", "join")
	return errors.Join(err, errDecide, errCorrect, errList, expectEqual("sources, decided", fmt.Sprint(sources, decided), "[event1] [event1]"))
}

func correctAgain(ctx context.Context, s correcting) error {
	right, by := event("order-1", "event1", "right"), correctionBy("ann", 0)
	failures := []error{corrects(ctx, s, "order-1", "event1", "wrong", "right")}
	for i, c := range []struct {
		m    driver.Message
		by   driver.Correction
		want int
	}{
		{right, by, 1}, {right, by, 1}, {right, correctionBy("bob", 0), 2}, {right, correctionBy("bob", 1), 3},
		{event("order-1", "event1", "better"), correctionBy("bob", 1), 4}, {event("order-1", "event1", "better"), correctionBy("bob", 1), 4},
	} {
		failures = append(failures, expect("Correct", s.handle(i).Correct(ctx, c.m, c.by), nil))
		history, err := historyOf(ctx, s, "order-1", "event1")
		failures = append(failures, err, expectEqual(fmt.Sprintf("corrections after the call %d", i), len(history), c.want),
			expectKept(ctx, asEvents(s), c.m))
	}
	return errors.Join(failures...)
}

// fewCallers is how many correct an event at once: each may have to try again for each of the others.
const fewCallers = 4

func correctAtOnce(ctx context.Context, s correcting) error {
	failures := []error{s.store.Persist(ctx, event("order-1", "event1", "content -1"))}
	version := func(i int) string { return fmt.Sprint("content ", i) }
	_, errs := atOnce(fewCallers, func(i int) (any, error) {
		return nil, []driver.Corrector{s.store, s.other}[i%2].Correct(ctx, event("order-1", "event1", version(i)), correctionBy(version(i), i))
	})
	history, err := historyOf(ctx, s, "order-1", "event1")
	failures = append(append(failures, errs...), err, expectEqual("corrections", len(history), fewCallers))
	content := version(-1)
	var order []string
	for _, c := range history { // each names what its predecessor has left
		was, err := s.store.ReadCorrected(ctx, c.Ref)
		failures = append(failures, err, expectEqual("what was there", string(was.Content), content))
		content = c.By
		order = append(order, content)
	}
	slices.Sort(order)
	return errors.Join(append(failures, expectEqual("different corrections", len(slices.Compact(order)), fewCallers),
		expectKept(ctx, asEvents(s), event("order-1", "event1", content)))...)
}

func correctRace(ctx context.Context, s correcting) error {
	old, right := event("order-1", "event1", "old"), event("order-1", "event1", "right")
	failures := []error{s.store.Persist(ctx, old)}
	_, errs := atOnce(2*fewCallers, func(i int) (any, error) {
		r, can := s.handle(i).(driver.Replacer)
		switch {
		case i == 0:
			return nil, s.store.Correct(ctx, right, correctionBy("ann", 0))
		case i == 1 && can:
			_, err := r.Replace(ctx, old)
			return nil, err
		}
		err := s.handle(i).Persist(ctx, old)
		if err != nil {
			err = expectCorrected(err, right, true)
		}
		return nil, err
	})
	return errors.Join(append(append(failures, errs...), expectKept(ctx, asEvents(s), right))...)
}

func correctAnyName(ctx context.Context, s correcting) error {
	some := slices.Concat(names[:40], longNames()[:5])
	_, failures := atOnce(len(some), func(i int) (any, error) {
		name := some[i]
		err := corrects(ctx, s, name, name, "wrong", "right")
		history, errHistory := historyOf(ctx, s, name, name)
		if err := errors.Join(err, errHistory, expectEqual("corrections", len(history), 1)); err != nil {
			return nil, about(name, err)
		}
		was, err := s.other.ReadCorrected(ctx, history[0].Ref)
		return nil, about(name, err, expectMessage("ReadCorrected", was, event(name, name, "wrong")),
			expectKept(ctx, asEvents(s), event(name, name, "right")))
	})
	return errors.Join(failures...)
}

func correctNoAliasing(ctx context.Context, s correcting) error {
	right := event("order-1", "event1", "right")
	passed := right.Clone()
	err := errors.Join(s.store.Persist(ctx, event("order-1", "event1", "wrong")), s.store.Correct(ctx, passed, correctionBy("ann", 0)))
	spoil(passed)
	history, errHistory := historyOf(ctx, s, "order-1", "event1")
	if err := errors.Join(err, errHistory, expectEqual("corrections", len(history), 1)); err != nil {
		return err
	}
	was, errRead := s.store.ReadCorrected(ctx, history[0].Ref)
	spoil(was)
	again, errAgain := s.store.ReadCorrected(ctx, history[0].Ref)
	return errors.Join(errRead, errAgain, expectKept(ctx, asEvents(s), right),
		expectMessage("ReadCorrected again", again, event("order-1", "event1", "wrong")))
}

func correctRefuses(ctx context.Context, s correcting) error {
	m, c := event("order-1", "event1", "right"), correctionBy("ann", 0)
	nobody, never, mute, talker := c, c, c, c
	nobody.By, never.Time, mute.Why = "", time.Time{}, ""
	talker.Why = string(make([]byte, driver.MaxCorrection+1))
	failures := []error{s.store.Persist(ctx, event("order-1", "event1", "wrong")),
		expectRefusal("Correct", s.store.Correct(ctx, event("", "event1", "right"), c), driver.ErrNoKey, driver.ReasonNoKey),
		expectRefusal("Correct", s.store.Correct(ctx, event("order-1", "", "right"), c), driver.ErrNoSource, driver.ReasonUnknownSource)}
	for _, bad := range []driver.Correction{nobody, never, mute, talker} {
		err := s.store.Correct(ctx, m, bad)
		failures = append(failures, expectTrue(fmt.Sprintf("%.80v is refused: %v", bad, err), driver.IsPermanent(err)))
	}
	return errors.Join(append(failures, expectKept(ctx, asEvents(s), event("order-1", "event1", "wrong")))...)
}

func correctNoSuchRef(ctx context.Context, s correcting) error {
	failures := []error{corrects(ctx, s, "order-1", "event1", "wrong", "right")}
	history, err := historyOf(ctx, s, "order-1", "event1")
	if err := errors.Join(err, expectEqual("corrections", len(history), 1)); err != nil {
		return err
	}
	ref := history[0].Ref
	_, err = s.store.ReadCorrected(ctx, ref)
	failures = append(failures, err)
	for _, other := range []string{"", "no such event", ref + "x", "../" + ref, " " + ref, "0" + ref, "order-1", "event1", "-1", ref + "/"} {
		_, err := s.store.ReadCorrected(ctx, other)
		failures = append(failures, about(other, expect("ReadCorrected", err, driver.ErrNotFound)))
	}
	return errors.Join(failures...)
}

func correctEndedContext(ctx context.Context, s correcting) error {
	failures := []error{corrects(ctx, s, "order-1", "event1", "wrong", "right")}
	history, err := historyOf(ctx, s, "order-1", "event1")
	if err := errors.Join(err, expectEqual("corrections", len(history), 1)); err != nil {
		return err
	}
	for want, ended := range ended(ctx) {
		_, err := s.store.ReadCorrected(ended, history[0].Ref)
		failures = append(failures, expect("ReadCorrected", err, want),
			expect("Correct", s.store.Correct(ended, event("order-1", "event1", "late"), correctionBy("bob", 1)), want))
	}
	return errors.Join(append(failures, expectKept(ctx, asEvents(s), event("order-1", "event1", "right")))...)
}
