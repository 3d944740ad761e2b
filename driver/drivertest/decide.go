package drivertest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/eventdriver/driver"
)

// decider returns handle i of the store, if it can decide.
func decider(s events, i int) (driver.Decider, error) {
	d, ok := s.handle(i).(driver.Decider)
	if !ok {
		return nil, fmt.Errorf("decisions: %w", errDoesNotApply)
	}
	return d, nil
}

// decide has the store decide, and checks that want is decided then, whoever asks.
func decide(ctx context.Context, s events, i int, key, name string, sources, want []string) error {
	d, err := decider(s, i)
	if err != nil {
		return err
	}
	got, err := d.Decide(ctx, key, name, sources)
	return errors.Join(err, expectSources("Decide", got, want), expectDecided(ctx, s, key, name, want))
}

// expectDecided checks what both handles say is decided.
func expectDecided(ctx context.Context, s events, key, name string, want []string) error {
	var failures []error
	for i := range 2 {
		d, err := decider(s, i)
		if err != nil {
			return err
		}
		sources, decided, err := d.ListDecided(ctx, key, name)
		kept, errKept := s.handle(i).ListSourcesByKey(ctx, key)
		failures = append(failures, err, errKept, expectSources("ListDecided, decided", decided, want),
			expectSources("ListDecided, sources", sources, kept), expectTrue("what is not decided is nil", len(want) > 0 || decided == nil))
	}
	return errors.Join(failures...)
}

func expectSources(what string, got, want []string) error {
	if slices.Equal(got, want) {
		return nil
	}
	return fmt.Errorf("%s: got sources %.300q, want %.300q", what, got, want)
}

func decideFirst(ctx context.Context, s events) error {
	first := []string{"event1", "event2"}
	return errors.Join(
		decide(ctx, s, 0, "order-1", "join", []string{"event2", "event1", "event2"}, first),
		decide(ctx, s, 1, "order-1", "join", []string{"event1", "event3"}, first),
		decide(ctx, s, 0, "order-1", "join", []string{"event2"}, first),
		decide(ctx, s, 1, "order-1", "join", first, first),
	)
}

func decideAtOnce(ctx context.Context, s events) error {
	if _, err := decider(s, 0); err != nil {
		return err
	}
	source := func(i int) string { return fmt.Sprint("event", i) }
	got, failures := atOnce(s.callers, func(i int) ([]string, error) {
		return s.handle(i).(driver.Decider).Decide(ctx, "order-1", "join", []string{"event", source(i)})
	})
	failures = append(failures, expectDecided(ctx, s, "order-1", "join", got[0]), expectEqual("decided sources", len(got[0]), 2))
	for i := range got {
		failures = append(failures, expectSources(fmt.Sprint("call ", i), got[i], got[0]))
	}
	ofACaller := false
	for i := range s.callers {
		ofACaller = ofACaller || slices.Equal(got[0], []string{"event", source(i)})
	}
	return errors.Join(append(failures, expectTrue("what is decided is what a caller asked for", ofACaller))...)
}

func decisionSeen(ctx context.Context, s events) error {
	failures := []error{expectDecided(ctx, s, "order-1", "join", nil)}
	for i := range 4 {
		m := event("order-1", fmt.Sprint("event", i), "content")
		failures = append(failures, s.handle(i).Persist(ctx, m), expectDecided(ctx, s, "order-1", "join", nil))
	}
	failures = append(failures, decide(ctx, s, 1, "order-1", "join", []string{"event1"}, []string{"event1"}))
	failures = append(failures, s.store.Persist(ctx, event("order-1", "event9", "content")))
	return errors.Join(append(failures, expectDecided(ctx, s, "order-1", "join", []string{"event1"}))...)
}

// decisionIsNoEvent has decisions of odd names, and events of such sources, of one key.
func decisionIsNoEvent(ctx context.Context, s events) error {
	if _, err := decider(s, 0); err != nil {
		return err
	}
	odd := append([]string{"any", "decided", "=decided/x", "base64:!decided/x", "composed-event"}, s.names...)
	kept := event("order-1", "event1", "content")
	failures := []error{s.store.Persist(ctx, kept)}
	_, errs := atOnce(len(odd), func(i int) (any, error) {
		got, err := s.handle(i).(driver.Decider).Decide(ctx, "order-1", odd[i], []string{odd[i], "event1"})
		want := slices.Compact(slices.Sorted(slices.Values([]string{odd[i], "event1"})))
		return nil, about(odd[i], err, expectSources("Decide", got, want), expectDecided(ctx, s, "order-1", odd[i], want))
	})
	failures = append(failures, errs...)
	failures = append(failures, expectAll(ctx, s, "order-1", kept), expectAll(ctx, s, "order-2"),
		expectDecided(ctx, s, "order-2", "x", nil), expectDecided(ctx, s, "order-1", "of nobody", nil))
	for i, source := range odd[:5] {
		m := event("order-1", source, fmt.Sprint("content ", i))
		failures = append(failures, about(source, s.store.Persist(ctx, m), expectKept(ctx, s, m)))
	}
	return errors.Join(failures...)
}

func decideMany(ctx context.Context, s events) error {
	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprintf("event%03d \xff%0100d", i, i)
	}
	return decide(ctx, s, 0, "order-1", "join", many, many)
}

func decideRefuses(ctx context.Context, s events) error {
	d, err := decider(s, 0)
	if err != nil {
		return err
	}
	some := []string{"event1"}
	_, errKey := d.Decide(ctx, "", "join", some)
	_, _, errListKey := d.ListDecided(ctx, "", "join")
	failures := []error{
		expectRefusal("Decide", errKey, driver.ErrNoKey, driver.ReasonNoKey),
		expectRefusal("ListDecided", errListKey, driver.ErrNoKey, driver.ReasonNoKey),
	}
	_, _, errListName := d.ListDecided(ctx, "order-1", "")
	failures = append(failures, expectTrue(fmt.Sprintf("ListDecided of no name is refused for good: %v", errListName), driver.IsPermanent(errListName)))
	for _, call := range []struct {
		name    string
		sources []string
	}{{"", some}, {"join", nil}, {"join", []string{}}, {"join", []string{"event1", ""}}} {
		_, err := d.Decide(ctx, "order-1", call.name, call.sources)
		failures = append(failures, expectTrue(fmt.Sprintf("Decide %q %q is refused for good: %v", call.name, call.sources, err), driver.IsPermanent(err)))
	}
	for want, ctx := range ended(ctx) {
		_, err := d.Decide(ctx, "order-1", "join", some)
		_, _, errList := d.ListDecided(ctx, "order-1", "join")
		failures = append(failures, expect("Decide", err, want), expect("ListDecided", errList, want))
	}
	return errors.Join(append(failures, expectDecided(ctx, s, "order-1", "join", nil))...)
}

func decideNoAliasing(ctx context.Context, s events) error {
	d, err := decider(s, 0)
	if err != nil {
		return err
	}
	want := []string{"event1", "event2"}
	passed := slices.Clone(want)
	got, err := d.Decide(ctx, "order-1", "join", passed)
	passed[0], got[0] = "spoiled", "spoiled"
	_, listed, errList := d.ListDecided(ctx, "order-1", "join")
	failures := []error{err, errList, expectSources("ListDecided", listed, want)}
	if len(listed) > 0 {
		listed[0] = "spoiled"
	}
	return errors.Join(append(failures, expectDecided(ctx, s, "order-1", "join", want))...)
}
