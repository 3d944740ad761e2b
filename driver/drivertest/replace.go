package drivertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
)

// at returns m, of another time and with another ID.
func at(m driver.Message, t time.Time) driver.Message {
	m.ID, m.Time = m.ID+" at "+t.String(), t
	return m
}

// replace replaces by m, if the store can, and checks that want is kept then.
func replace(ctx context.Context, s events, i int, m, want driver.Message) error {
	replacer, ok := s.handle(i).(driver.Replacer)
	if !ok {
		return fmt.Errorf("Replace: %w", errDoesNotApply)
	}
	kept, err := replacer.Replace(ctx, m)
	if err != nil {
		return err
	}
	return errors.Join(expectMessage("Replace", kept, want), expectKept(ctx, s, want))
}

func replaceLater(ctx context.Context, s events) error {
	noon := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	first := at(event("order-1", "event1", "first"), noon)
	later := at(event("order-1", "event1", "later"), noon.Add(time.Second))
	earlier := at(event("order-1", "event1", "earlier"), noon.Add(-time.Second))
	equal := at(event("order-1", "event1", "equal"), later.Time)
	within := at(event("order-1", "event1", "within the microsecond"), later.Time.Add(900*time.Nanosecond))
	sooner := at(event("order-1", "event1", "sooner within it"), later.Time.Add(100*time.Nanosecond))
	last := at(event("order-1", "event1", "last"), noon.Add(time.Hour))
	last.Attributes, last.Content = nil, nil
	return errors.Join(
		expect("Persist", s.store.Persist(ctx, first), nil),
		replace(ctx, s, 0, later, later),
		replace(ctx, s, 1, earlier, later),
		replace(ctx, s, 1, at(earlier, time.Time{}), later),
		replace(ctx, s, 0, equal, equal),
		replace(ctx, s, 0, first, equal),
		replace(ctx, s, 0, within, within),
		replace(ctx, s, 1, sooner, sooner),
		replace(ctx, s, 1, last, last),
		expectConflict(s.store.Persist(ctx, equal), last),
		expectAll(ctx, s, "order-1", last),
	)
}

// replaceRedelivery has events of one Time, of a second, and of none come again.
func replaceRedelivery(ctx context.Context, s events) error {
	var failures []error
	noon := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	for i, when := range []time.Time{{}, noon, noon.Add(time.Microsecond)} {
		key := fmt.Sprint("order-", i)
		of := func(id, content string) driver.Message {
			m := event(key, "event1", content)
			m.ID, m.Time = id, when
			return m
		}
		a, b, other := of("1", "content a"), of("1", "content b"), of("2", "content a")
		earlier := of("0", "content 0")
		if earlier.Time = when.Add(-time.Second); when.IsZero() {
			earlier = a
		}
		failures = append(failures,
			replace(ctx, s, 0, a, a), replace(ctx, s, 1, a, a), // its answer was lost
			replace(ctx, s, 0, b, b), replace(ctx, s, 1, a, b), replace(ctx, s, 0, b, b), replace(ctx, s, 0, earlier, b),
			replace(ctx, s, 1, other, other), replace(ctx, s, 0, b, other), replace(ctx, s, 1, a, other),
		)
		later := at(of("1", "content a"), noon.Add(time.Hour)) // what was replaced, with a later Time
		later.ID = "1"
		failures = append(failures, replace(ctx, s, 0, later, later), replace(ctx, s, 1, other, later), replace(ctx, s, 0, a, later))
	}
	return errors.Join(failures...)
}

func replaceNothing(ctx context.Context, s events) error {
	neighbour := event("order-1", "event2", "neighbour")
	never := at(event("order-1", "event1", "of no time"), time.Time{})
	return errors.Join(
		expect("Persist", s.store.Persist(ctx, neighbour), nil),
		replace(ctx, s, 0, never, never),
		replace(ctx, s, 1, never, never),
		expect("Persist of the same", s.other.Persist(ctx, never), nil),
		expectAll(ctx, s, "order-1", never, neighbour),
	)
}

func replaceAtOnce(ctx context.Context, s events) error {
	if _, ok := s.store.(driver.Replacer); !ok {
		return errDoesNotApply
	}
	n := min(s.callers, 20) // each may have to try again for each that came between
	version := func(i int) driver.Message {
		return at(event("order-1", "event1", fmt.Sprint("content ", i)), time.Unix(int64(i), 0))
	}
	kept, failures := atOnce(n, func(i int) (driver.Message, error) {
		i = i * 7 % n
		return s.handle(i).(driver.Replacer).Replace(ctx, version(i))
	})
	for i, m := range kept {
		mine := version(i * 7 % n)
		failures = append(failures, expectTrue(
			fmt.Sprintf("Replace at %v returns nothing earlier; it returned %v", mine.Time, m.Time), !m.Time.Before(mine.Time)))
	}
	latest := version(0)
	for i := range n {
		if m := version(i * 7 % n); m.Time.After(latest.Time) {
			latest = m
		}
	}
	return errors.Join(append(failures, expectKept(ctx, s, latest))...)
}

func replaceRefuses(ctx context.Context, s events) error {
	r, ok := s.store.(driver.Replacer)
	if !ok {
		return errDoesNotApply
	}
	_, errKey := r.Replace(ctx, event("", "event1", "content"))
	_, errSource := r.Replace(ctx, event("order-1", "", "content"))
	failures := []error{
		expectRefusal("Replace", errKey, driver.ErrNoKey, driver.ReasonNoKey),
		expectRefusal("Replace", errSource, driver.ErrNoSource, driver.ReasonUnknownSource),
		expectAll(ctx, s, "order-1"),
	}
	for want, ctx := range ended(ctx) {
		_, err := r.Replace(ctx, event("order-1", "event1", "content"))
		failures = append(failures, expect("Replace", err, want))
	}
	return errors.Join(failures...)
}

func replaceNoAliasing(ctx context.Context, s events) error {
	r, ok := s.store.(driver.Replacer)
	if !ok {
		return errDoesNotApply
	}
	want := event("order-1", "event1", "content")
	passed := want.Clone()
	kept, err := r.Replace(ctx, passed)
	spoil(passed)
	failures := []error{err, expectMessage("Replace", kept, want), expectKept(ctx, s, want)}
	spoil(kept)
	failures = append(failures, expectKept(ctx, s, want))

	kept, err = r.Replace(ctx, at(want, time.Time{}))
	spoil(kept)
	return errors.Join(append(failures, err, expectKept(ctx, s, want))...)
}
