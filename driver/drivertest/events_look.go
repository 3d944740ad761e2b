package drivertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
)

func notFound(ctx context.Context, s events) error {
	kept := event("order-1", "event1", "content")
	_, errBefore := s.store.LookUp(ctx, "order-1", "event1")
	failures := []error{
		expect("LookUp in an empty store", errBefore, driver.ErrNotFound),
		expectAll(ctx, s, "order-1"),
		expect("Persist", s.store.Persist(ctx, kept), nil),
		expectAll(ctx, s, "order-2"),
		expectAll(ctx, s, "order-"),
		expectAll(ctx, s, "order-1", kept),
	}
	for _, name := range [][2]string{{"order-1", "event2"}, {"order-2", "event1"}, {"order-1", "event"}, {"event1", "order-1"}} {
		_, err := s.store.LookUp(ctx, name[0], name[1])
		failures = append(failures, expect(fmt.Sprintf("LookUp of %q", name), err, driver.ErrNotFound))
	}
	return errors.Join(failures...)
}

func orderedBySource(ctx context.Context, s events) error {
	ordered := []string{" ", "10", "2", "B", "a", "a!", "a-b", "a/b", "ab", "b", "z", "é", "日本", "💥"}
	want := make([]driver.Message, len(ordered))
	var failures []error
	for i := range ordered {
		at := i * 5 % len(ordered) // in another order, each once: 5 and 14 have no common factor
		want[at] = event("order-1", ordered[at], fmt.Sprint("content ", at))
		failures = append(failures, s.store.Persist(ctx, want[at]))
	}
	return errors.Join(append(failures, expectAll(ctx, s, "order-1", want...))...)
}

func readAfterWrite(ctx context.Context, s events) error {
	var kept []driver.Message
	for i := range 5 {
		m := event("order-1", fmt.Sprint("event", i), fmt.Sprint("content ", i))
		writer, reader := s.handle(i), s.handle(i+1)
		_, errBefore := reader.LookUp(ctx, m.Key, m.Source) // a store that remembers this answer errs below
		err := errors.Join(
			expect("LookUp before Persist", errBefore, driver.ErrNotFound),
			expectAll(ctx, s, m.Key, kept...),
			expect("Persist", writer.Persist(ctx, m), nil),
			expectKept(ctx, s, m),
		)
		kept = append(kept, m)
		if err := errors.Join(err, expectAll(ctx, s, m.Key, kept...)); err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
	}
	return nil
}

func lastSeesAll(ctx context.Context, s events) error {
	const sources = 5
	for round := range 3 {
		key := fmt.Sprint("order-", round)
		seen, errs := atOnce(sources, func(i int) (int, error) {
			if err := s.handle(i).Persist(ctx, event(key, fmt.Sprint("event", i), "content")); err != nil {
				return 0, err
			}
			found, err := s.handle(i).LookUpByKey(ctx, key)
			return len(found), err
		})
		complete := 0
		for _, n := range seen {
			if n == sources {
				complete++
			}
		}
		err := expectTrue(fmt.Sprintf("a caller sees all %d sources; they saw %v", sources, seen), complete > 0)
		if err := errors.Join(append(errs, err)...); err != nil {
			return err
		}
	}
	return nil
}

// spoil changes what m shares with others, in place.
func spoil(m driver.Message) {
	for i := range m.Content {
		m.Content[i] = '#'
	}
	for name := range m.Attributes {
		m.Attributes[name] = "spoiled"
	}
}

func noAliasing(ctx context.Context, s events) error {
	want := event("order-1", "event1", "content")
	passed := want.Clone()
	err := s.store.Persist(ctx, passed)
	spoil(passed)
	failures := []error{err, expectKept(ctx, s, want)}

	found, err := s.store.LookUp(ctx, "order-1", "event1")
	spoil(found)
	failures = append(failures, err, expectKept(ctx, s, want))

	all, err := s.store.LookUpByKey(ctx, "order-1")
	for _, m := range all {
		spoil(m)
	}
	failures = append(failures, err, expectKept(ctx, s, want))

	sources, err := s.store.ListSourcesByKey(ctx, "order-1")
	for i := range sources {
		sources[i] = "spoiled"
	}
	failures = append(failures, err, expectAll(ctx, s, "order-1", want))

	var conflict *driver.ConflictError
	err = s.store.Persist(ctx, event("order-1", "event1", "other content"))
	if errors.As(err, &conflict) {
		spoil(conflict.Stored)
	}
	return errors.Join(append(failures, expect("Persist", err, driver.ErrConflict), expectKept(ctx, s, want))...)
}

func emptyNames(ctx context.Context, s events) error {
	_, errLookUp := s.store.LookUp(ctx, "", "event1")
	_, errLookUpSource := s.store.LookUp(ctx, "order-1", "")
	_, errLookUpByKey := s.store.LookUpByKey(ctx, "")
	_, errListSources := s.store.ListSourcesByKey(ctx, "")
	return errors.Join(
		expectRefusal("Persist", s.store.Persist(ctx, event("", "event1", "content")), driver.ErrNoKey, driver.ReasonNoKey),
		expectRefusal("Persist", s.store.Persist(ctx, event("order-1", "", "content")), driver.ErrNoSource, driver.ReasonUnknownSource),
		expectRefusal("LookUp", errLookUp, driver.ErrNoKey, driver.ReasonNoKey),
		expectRefusal("LookUp", errLookUpSource, driver.ErrNoSource, driver.ReasonUnknownSource),
		expectRefusal("LookUpByKey", errLookUpByKey, driver.ErrNoKey, driver.ReasonNoKey),
		expectRefusal("ListSourcesByKey", errListSources, driver.ErrNoKey, driver.ReasonNoKey),
		expectAll(ctx, s, "order-1"),
	)
}

// expectRefusal returns an error unless got is the permanent error want.
func expectRefusal(what string, got, want error, reason driver.Reason) error {
	return errors.Join(
		expect(what, got, want),
		expectTrue(fmt.Sprintf("%s: error %v is permanent", what, got), driver.IsPermanent(got)),
		expectEqual(what+": the error's reason", driver.ReasonOf(got), reason),
	)
}

// ended returns a context that was cancelled, and one whose deadline is past,
// each with the error that says so.
func ended(ctx context.Context) map[error]context.Context {
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	late, cancelLate := context.WithDeadline(ctx, time.Now().Add(-time.Second))
	cancelLate() // it has ended already, and for its own reason
	return map[error]context.Context{context.Canceled: cancelled, context.DeadlineExceeded: late}
}

func eventsEndedContext(ctx context.Context, s events) error {
	failures := []error{s.store.Persist(ctx, event("order-1", "event1", "content"))}
	for want, ctx := range ended(ctx) {
		_, errLookUp := s.store.LookUp(ctx, "order-1", "event1")
		_, errLookUpByKey := s.store.LookUpByKey(ctx, "order-1")
		_, errListSources := s.store.ListSourcesByKey(ctx, "order-1")
		failures = append(failures,
			expect("Persist", s.store.Persist(ctx, event("order-1", "event2", "content")), want),
			expect("LookUp", errLookUp, want),
			expect("LookUpByKey", errLookUpByKey, want),
			expect("ListSourcesByKey", errListSources, want),
		)
	}
	return errors.Join(failures...)
}
