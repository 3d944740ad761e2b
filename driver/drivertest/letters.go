package drivertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"example.com/eventdriver/driver"
)

// TestDeadLetterStore checks every sentence of [driver.DeadLetterStore]'s
// contract. kept returns all dead letters of a store, in any order. A store that
// can't be read may pass nil: then only what AddDeadLetter returns is checked.
func TestDeadLetterStore[S driver.DeadLetterStore](t *testing.T, h Harness[S], kept func(S) []driver.DeadLetter) {
	t.Helper()
	as := func(s S) letterBox {
		box := letterBox{DeadLetterStore: s}
		if kept != nil {
			box.kept = func() []driver.DeadLetter { return kept(s) }
		}
		return box
	}
	test(t, h, as, letterChecks)
}

type letters = subject[letterBox]

// letterBox is a DeadLetterStore that can also be read, unless kept is nil.
type letterBox struct {
	driver.DeadLetterStore
	kept func() []driver.DeadLetter
}

var letterChecks = []check[letterBox]{
	{"A letter is kept with all its fields", letterFields},
	{"A letter of which nothing could be read is kept", letterBare},
	{"Letters that come at once are all kept", lettersAtOnce},
	{"The same event may be dead-lettered again", letterAgain},
	{"A letter shares nothing with what was passed in", letterNoAliasing},
	{"A context that has ended is honoured", lettersEndedContext},
}

func letter(id string) driver.DeadLetter {
	return driver.DeadLetter{
		Reason:  driver.ReasonConflict,
		Error:   "key \"order/1\": other content\nis stored already",
		Handler: "joiner",
		ID:      id,
		Key:     "../order/1\x00\xff",
		Source:  "event1/é",
		Path:    "/events/event1",
		Attempt: 7,
		Time:    time.Date(2024, 2, 29, 23, 59, 58, 123456000, time.UTC),
		Header:  map[string][]string{"Ce-Id": {id}, "X-Many": {"b", "a", ""}, "X-Odd": {"é\xff"}},
		Body:    []byte("{\"n\": 1}\x00\xff\r\n"),
		Cut:     id == "2",
	}
}

// expectLetters returns an error unless the letters kept are want, in any order.
// Where the store can't be read it returns nil.
func expectLetters(s letters, want ...driver.DeadLetter) error {
	if s.store.kept == nil {
		return nil
	}
	got := s.store.kept()
	failures := []error{expectEqual("letters kept", len(got), len(want))}
	for _, w := range want {
		i := slices.IndexFunc(got, func(d driver.DeadLetter) bool { return d.ID == w.ID })
		if i < 0 {
			failures = append(failures, fmt.Errorf("letter %q is not kept", w.ID))
			continue
		}
		failures = append(failures, about(w.ID, expectLetter(got[i], w)))
	}
	return errors.Join(failures...)
}

func expectLetter(got, want driver.DeadLetter) error {
	return errors.Join(
		expectEqual("Reason", got.Reason, want.Reason),
		expectEqual("Error", got.Error, want.Error),
		expectEqual("Handler", got.Handler, want.Handler),
		expectEqual("Key", got.Key, want.Key),
		expectEqual("Source", got.Source, want.Source),
		expectEqual("Path", got.Path, want.Path),
		expectEqual("Attempt", got.Attempt, want.Attempt),
		expectTime(got.Time, want.Time),
		expectContent("Body", got.Body, want.Body),
		expectEqual("Cut", got.Cut, want.Cut),
		expectTrue(fmt.Sprintf("Header %.200q is %.200q", got.Header, want.Header), maps.EqualFunc(got.Header, want.Header, slices.Equal)),
	)
}

func letterFields(ctx context.Context, s letters) error {
	return errors.Join(
		expectLetters(s),
		expect("AddDeadLetter", s.store.AddDeadLetter(ctx, letter("1")), nil),
		expect("AddDeadLetter of a second", s.other.AddDeadLetter(ctx, letter("2")), nil),
		expectLetters(s, letter("1"), letter("2")),
	)
}

func letterBare(ctx context.Context, s letters) error {
	bare := driver.DeadLetter{Reason: driver.ReasonUndecodable}
	return errors.Join(
		expect("AddDeadLetter", s.store.AddDeadLetter(ctx, bare), nil),
		expectLetters(s, bare),
		expect("AddDeadLetter of another", s.store.AddDeadLetter(ctx, letter("1")), nil),
		expectLetters(s, bare, letter("1")),
	)
}

func lettersAtOnce(ctx context.Context, s letters) error {
	want, failures := atOnce(s.callers, func(i int) (driver.DeadLetter, error) {
		d := letter(fmt.Sprint(i))
		d.Body = fmt.Append(d.Body, i)
		return d, s.handle(i).AddDeadLetter(ctx, d)
	})
	return errors.Join(append(failures, expectLetters(s, want...))...)
}

func letterAgain(ctx context.Context, s letters) error {
	failures := []error{
		expect("AddDeadLetter", s.store.AddDeadLetter(ctx, letter("1")), nil),
		expect("AddDeadLetter again", s.other.AddDeadLetter(ctx, letter("1")), nil),
	}
	if s.store.kept != nil {
		kept := s.store.kept()
		failures = append(failures, expectTrue(fmt.Sprintf("one or two are kept: %d", len(kept)), len(kept) == 1 || len(kept) == 2))
		for _, d := range kept {
			failures = append(failures, expectLetter(d, letter("1")))
		}
	}
	return errors.Join(failures...)
}

func letterNoAliasing(ctx context.Context, s letters) error {
	spoilLetter := func(d driver.DeadLetter) {
		clear(d.Body)
		for _, values := range d.Header {
			clear(values)
		}
		clear(d.Header)
	}
	passed := letter("1")
	failures := []error{s.store.AddDeadLetter(ctx, passed)}
	spoilLetter(passed)
	failures = append(failures, expectLetters(s, letter("1")))
	if s.store.kept != nil {
		for _, d := range s.store.kept() {
			spoilLetter(d)
		}
	}
	return errors.Join(append(failures, expectLetters(s, letter("1")))...)
}

func lettersEndedContext(ctx context.Context, s letters) error {
	var failures []error
	for want, ctx := range ended(ctx) {
		failures = append(failures, expect("AddDeadLetter", s.store.AddDeadLetter(ctx, letter("1")), want))
	}
	return errors.Join(failures...)
}
