package drivertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/eventdriver/driver"
)

// Inspected is what [TestInspector] needs of a store: it is looked at, and something is to be
// seen. Where it is a [driver.Replacer], a [driver.Decider] or a [driver.Sealer], these are looked
// at, too.
type Inspected interface {
	driver.Inspector
	driver.EventStore
	driver.ClaimStore
	driver.DeadLetterStore
}

// TestInspector checks every sentence of [driver.Inspector]'s contract.
func TestInspector[S Inspected](t *testing.T, h Harness[S]) {
	t.Helper()
	test(t, h, asInspected[S], inspectChecks)
}

type inspected = subject[Inspected]

func asInspected[S Inspected](s S) Inspected { return s }

var inspectChecks = []check[Inspected]{
	{"A key of which nothing is kept is not found", inspectNothing},
	{"Events are described, ordered by source", inspectEvents},
	{"Any source is described, whatever string it is", inspectAnySource},
	{"An event that was replaced is kept since the first", inspectReplaced},
	{"Seals are described, ordered by source, and are no events", inspectSeals},
	{"Decisions are described, ordered by the join's name", inspectDecisions},
	{"A claim that holds its key is described, in each scope", inspectHeld},
	{"A released key has the mark of its release", inspectReleased},
	{"A paused key has its attempts, and when its pause ends", inspectPaused},
	{"A lease that ran out is seen, and who took it over", inspectExpired},
	{"A completed key says how, by which claim and when", inspectDone},
	{"The first outcome of a completion stays", inspectDoneAgain},
	{"Dead letters are found by their key", inspectLetters},
	{"Any key is described, and listed, whatever string it is", inspectAnyKey},
	{"All pages together have each key once", listOnce},
	{"A page ends soon after its limit", listLimit},
	{"Keys that were only claimed or decided are listed, and those with letters alone are not", listKinds},
	{"Open leaves out the keys that are completed in that scope", listOpen},
	{"KeptBefore leaves out the keys whose first event was kept later", listKeptBefore},
	{"Keys that come meanwhile do not hide others, nor come twice", listMeanwhile},
	{"A cursor that no page had is refused", listBadCursor},
	{"An empty key can't be inspected", inspectEmptyKey},
	{"A context that has ended is honoured, and a page says where to go on", inspectEndedContext},
}

// inspect returns the state of a key, by another handle than most checks write with.
func inspect(ctx context.Context, s inspected, key string) (driver.KeyState, error) {
	k, err := s.other.Inspect(ctx, key)
	return k, errors.Join(err, expectEqual("Key", k.Key, key), expectEqual("Problems", fmt.Sprint(k.Problems), "[]"))
}

// expectNow returns an error unless at is a time of this check, by a clock that may differ.
func expectNow(what string, at time.Time) error {
	return expectTrue(fmt.Sprintf("%s is about now: %v", what, at), time.Since(at).Abs() < 10*time.Minute)
}

func inspectNothing(ctx context.Context, s inspected) error {
	err := s.store.Persist(ctx, event("order-1", "event1", "content"))
	_, errNone := s.store.Inspect(ctx, "order-2")
	_, errPart := s.store.Inspect(ctx, "order")
	return errors.Join(err, expect("Inspect", errNone, driver.ErrNotFound),
		expect("Inspect", errPart, driver.ErrNotFound))
}

func inspectEvents(ctx context.Context, s inspected) error {
	second, first, bare := event("order-1", "event2", "content"), event("order-1", "event1", ""),
		driver.Message{Key: "order-1", Source: "event3"}
	second.MediaType = "text/plain"
	var failures []error
	for _, m := range []driver.Message{second, first, bare} {
		failures = append(failures, s.store.Persist(ctx, m))
	}
	failures = append(failures, s.store.Persist(ctx, event("order-2", "event1", "another")))
	k, err := inspect(ctx, s, "order-1")
	failures = append(failures, err, expectEqual("events", len(k.Events), 3), expectEqual("claims", len(k.Claims), 0))
	for i, want := range []driver.Message{first, second, bare} {
		if i < len(k.Events) {
			failures = append(failures, expectEvent(k.Events[i], want))
		}
	}
	return errors.Join(failures...)
}

func expectEvent(got driver.EventState, want driver.Message) error {
	return about(want.Source,
		expectEqual("Source", got.Source, want.Source),
		expectEqual("ID", got.ID, want.ID),
		expectEqual("Size", got.Size, int64(len(want.Content))),
		expectEqual("MediaType", got.MediaType, want.MediaType),
		expectTime(got.Time, want.Time),
		expectNow("Kept", got.Kept),
	)
}

func inspectAnySource(ctx context.Context, s inspected) error {
	_, failures := atOnce(len(s.names), func(i int) (any, error) {
		m := event("order-1", s.names[i], fmt.Sprint("content ", i))
		m.ID, m.MediaType = s.names[i], s.names[i]
		return nil, s.store.Persist(ctx, m)
	})
	k, err := inspect(ctx, s, "order-1")
	failures = append(failures, err, expectEqual("events", len(k.Events), len(s.names)))
	seen := make(map[string]driver.EventState)
	for i, e := range k.Events {
		seen[e.Source] = e
		failures = append(failures, expectTrue("the sources are ordered", i == 0 || k.Events[i-1].Source < e.Source))
	}
	for i, name := range s.names {
		e, found := seen[name]
		failures = append(failures, about(name, expectTrue("it is listed", found),
			expectEqual("Size", e.Size, int64(len(fmt.Sprint("content ", i)))),
			expectTrue(fmt.Sprintf("the ID is %.80q, or left out", e.ID), e.ID == name || e.ID == ""),
			expectTrue(fmt.Sprintf("the media type is %.80q, or left out", e.MediaType), e.MediaType == name ||
				e.MediaType == "")))
	}
	return errors.Join(failures...)
}

func inspectReplaced(ctx context.Context, s inspected) error {
	r, can := s.store.(driver.Replacer)
	if !can {
		return errDoesNotApply
	}
	first, second := event("order-1", "event1", "first"), event("order-1", "event1", "the second")
	_, errFirst := r.Replace(ctx, first)
	before, errBefore := inspect(ctx, s, "order-1")
	errWait := s.outlast(ctx)
	second.Time = first.Time.Add(time.Hour)
	_, errSecond := r.Replace(ctx, second)
	third := second
	third.Time, third.Content = second.Time.Add(time.Hour), []byte("a third")
	_, errThird := r.Replace(ctx, third)
	after, errAfter := inspect(ctx, s, "order-1")
	err := errors.Join(errFirst, errBefore, errWait, errSecond, errThird, errAfter,
		expectEqual("events", len(before.Events)+len(after.Events), 2))
	if err != nil {
		return err
	}
	return errors.Join(expectEvent(after.Events[0], third), expectTime(after.Events[0].Kept, before.Events[0].Kept),
		expectTime(after.FirstKept(), before.FirstKept()))
}

func inspectDecisions(ctx context.Context, s inspected) error {
	d, can := s.store.(driver.Decider)
	if !can {
		return errDoesNotApply
	}
	_, errB := d.Decide(ctx, "order-1", "b", []string{"event2", "event1"})
	_, errA := d.Decide(ctx, "order-1", "a/é\xff", []string{"event3\x00"})
	_, errLong := d.Decide(ctx, "order-1", longNames()[0], names)
	k, err := inspect(ctx, s, "order-1")
	if err := errors.Join(errA, errB, errLong, err, expectEqual("decisions", len(k.Decided), 3)); err != nil {
		return err
	}
	return errors.Join(
		expectEqual("the first decision", fmt.Sprint(k.Decided[0]), fmt.Sprint(driver.Decision{Join: "a/é\xff",
			Sources: []string{"event3\x00"}})),
		expectEqual("the second", fmt.Sprint(k.Decided[1]), fmt.Sprint(driver.Decision{Join: "b",
			Sources: []string{"event1", "event2"}})),
		expectEqual("the sources of the third", len(k.DecidedOn(longNames()[0])), len(names)),
		expectEqual("events", len(k.Events), 0),
	)
}

func inspectLetters(ctx context.Context, s inspected) error {
	of := func(key, id string) driver.DeadLetter {
		d := letter(id)
		d.Key = key
		return d
	}
	failures := []error{
		s.store.Persist(ctx, event("order-1", "event1", "content")),
		s.store.AddDeadLetter(ctx, of("order-1", "1")),
		s.other.AddDeadLetter(ctx, of("order-1", "2")),
		s.store.AddDeadLetter(ctx, of("order-2", "3")),
		s.store.AddDeadLetter(ctx, of("", "4")),
	}
	for _, name := range longNames() {
		failures = append(failures, s.store.AddDeadLetter(ctx, of(name, "5")))
	}
	for key, want := range map[string][]string{"order-1": {"1", "2"}, "order-2": {"3"}, longNames()[0]: {"5"},
		longNames()[3]: {"5"}} {
		k, err := inspect(ctx, s, key)
		failures = append(failures, about(key, err, expectLetterRefs(k.Letters, want)))
	}
	return errors.Join(failures...)
}

func expectLetterRefs(got []driver.LetterRef, ids []string) error {
	refs, seen := make(map[string]bool), make(map[string]bool)
	var failures []error
	for _, l := range got {
		refs[l.Ref], seen[l.ID] = true, true
		failures = append(failures, expectEqual("Reason", l.Reason, driver.ReasonConflict),
			expectEqual("Source", l.Source, letter("").Source),
			expectNow("Added", l.Added), expectTrue("it has a Ref", l.Ref != ""))
	}
	for _, id := range ids {
		failures = append(failures, expectTrue(fmt.Sprintf("letter %q is found", id), seen[id]))
	}
	return errors.Join(append(failures, expectEqual("letters", len(got), len(ids)),
		expectEqual("different Refs", len(refs), len(ids)))...)
}

func inspectEmptyKey(ctx context.Context, s inspected) error {
	_, err := s.store.Inspect(ctx, "")
	return errors.Join(expect("Inspect", err, driver.ErrNoKey), expectTrue("it is permanent", driver.IsPermanent(err)))
}

func inspectEndedContext(ctx context.Context, s inspected) error {
	failures := persistKeys(ctx, s, 40)
	begun, err := s.store.ListKeys(ctx, driver.KeyQuery{Limit: 1})
	failures = append(failures, err)
	for want, ended := range ended(ctx) {
		_, err := s.store.Inspect(ended, "key 1")
		page, errList := s.store.ListKeys(ended, driver.KeyQuery{Cursor: begun.Next})
		rest, errRest := listAll(ctx, s, driver.KeyQuery{Cursor: page.Next})
		failures = append(failures, expect("Inspect", err, want), expect("ListKeys", errList, want), errRest,
			expectEqual("keys in all pages", len(begun.Keys)+len(page.Keys)+len(rest), 40))
	}
	return errors.Join(failures...)
}
