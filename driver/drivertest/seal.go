package drivertest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/eventdriver/driver"
)

// ifSealer is a check of those stores that can seal.
func ifSealer(run func(context.Context, events) error) func(context.Context, events) error {
	return func(ctx context.Context, s events) error {
		sealer, ok := s.store.(driver.Sealer)
		if !ok {
			return errDoesNotApply
		}
		if _, err := sealer.Seal(ctx, "", ""); errors.Is(err, errors.ErrUnsupported) {
			return errDoesNotApply // it wraps a store that can't
		}
		return run(ctx, s)
	}
}

// seal has handle i of the store seal, and checks what it says.
func seal(ctx context.Context, s events, i int, key, source string, want bool) error {
	sealed, err := s.handle(i).(driver.Sealer).Seal(ctx, key, source)
	return errors.Join(err, expectEqual(fmt.Sprintf("Seal of %.40q, %.40q", key, source), sealed, want))
}

// expectTooLate returns an error unless got is that of a sealed place.
func expectTooLate(what string, got error) error {
	return expectRefusal(what, got, driver.ErrSealed, driver.ReasonTooLate)
}

// expectSealed returns an error unless the place is sealed, whoever asks.
func expectSealed(ctx context.Context, s events, key, source string) error {
	var failures []error
	for i := range 2 {
		_, err := s.handle(i).LookUp(ctx, key, source)
		failures = append(failures, expectTooLate("LookUp", err), expectTrue("it is not ErrNotFound", !errors.Is(err, driver.ErrNotFound)))
	}
	return errors.Join(failures...)
}

func sealAbsent(ctx context.Context, s events) error {
	kept := event("order-1", "event1", "content")
	late := event("order-1", "event2", "late")
	_, errOther := s.other.LookUp(ctx, "order-1", "event3")
	_, errOtherKey := s.other.LookUp(ctx, "order-2", "event2")
	return errors.Join(
		expect("Persist", s.store.Persist(ctx, kept), nil),
		seal(ctx, s, 0, "order-1", "event2", true),
		expectSealed(ctx, s, "order-1", "event2"),
		expectTooLate("Persist", s.other.Persist(ctx, late)),
		seal(ctx, s, 1, "order-1", "event1", false),
		expectKept(ctx, s, kept),
		expect("LookUp of another source", errOther, driver.ErrNotFound),
		expect("LookUp of another key", errOtherKey, driver.ErrNotFound),
		expect("Persist of another source", s.store.Persist(ctx, event("order-1", "event3", "content")), nil),
		expect("Persist of another key", s.store.Persist(ctx, event("order-2", "event2", "content")), nil),
	)
}

func sealAgain(ctx context.Context, s events) error {
	kept := event("order-1", "event1", "content")
	return errors.Join(
		expect("Persist", s.store.Persist(ctx, kept), nil),
		seal(ctx, s, 0, "order-1", "event2", true),
		seal(ctx, s, 0, "order-1", "event2", true),
		seal(ctx, s, 1, "order-1", "event2", true),
		seal(ctx, s, 1, "order-1", "event1", false),
		seal(ctx, s, 0, "order-1", "event1", false),
		expectSealed(ctx, s, "order-1", "event2"),
		expect("Persist of the same again", s.other.Persist(ctx, kept), nil),
		expectConflict(s.store.Persist(ctx, event("order-1", "event1", "other")), kept),
		expectKept(ctx, s, kept),
	)
}

func sealRefuses(ctx context.Context, s events) error {
	kept, late := event("order-1", "event1", "content"), event("order-1", "event2", "late")
	failures := []error{
		expect("Persist", s.store.Persist(ctx, kept), nil),
		seal(ctx, s, 0, "order-1", "event2", true),
	}
	for i := range 4 { // each handle, twice
		failures = append(failures, expectTooLate("Persist", s.handle(i).Persist(ctx, late)))
		if r, ok := s.handle(i).(driver.Replacer); ok {
			_, err := r.Replace(ctx, late)
			failures = append(failures, expectTooLate("Replace", err))
		}
		if _, ok := s.handle(i).(driver.KeepLooker); ok {
			l := keepAndLook(ctx, s, i, late, "event1", "event2")
			if !errors.Is(l.err, errors.ErrUnsupported) {
				failures = append(failures, expectTooLate("KeepAndLook", l.err), expectEqual("its messages", len(l.messages)+len(l.missing), 0))
			}
		}
	}
	return errors.Join(append(failures,
		expectSealed(ctx, s, "order-1", "event2"),
		seal(ctx, s, 1, "order-1", "event2", true),
		expectAll(ctx, s, "order-1", kept),
	)...)
}

func sealHidden(ctx context.Context, s events) error {
	a, b, c := threeEvents("order-1")
	failures := []error{
		seal(ctx, s, 0, "order-1", "event2", true),
		expectAll(ctx, s, "order-1"),
		expect("Persist", s.store.Persist(ctx, a), nil),
		expect("Persist", s.other.Persist(ctx, c), nil),
		expectTooLate("Persist", s.store.Persist(ctx, b)),
		expectAll(ctx, s, "order-1", a, c),
		expectSealed(ctx, s, "order-1", "event2"),
	}
	if _, err := decider(s, 0); err == nil {
		failures = append(failures, expectDecided(ctx, s, "order-1", "join", nil))
	}
	return errors.Join(failures...)
}

// sealAtOnce has the events of a key and their seals come at once.
func sealAtOnce(ctx context.Context, s events) error {
	const callers, sources = 4, 3
	for round := range 8 {
		key := fmt.Sprint("order-", round)
		source := func(i int) string { return fmt.Sprint("event", i/callers) }
		content := func(i int) driver.Message { return event(key, source(i), "content of "+source(i)) }
		sealed, errs := atOnce(callers*sources, func(i int) (bool, error) {
			if (i+round)%2 == 0 {
				return s.handle(i/2).(driver.Sealer).Seal(ctx, key, source(i))
			}
			err := s.handle(i/2).Persist(ctx, content(i))
			if errors.Is(err, driver.ErrSealed) {
				return true, expectTooLate("Persist", err)
			}
			return false, err
		})
		failures := slices.Clone(errs)
		for i := range sealed {
			failures = append(failures, expectEqual("whether it is sealed, as another caller was told", sealed[i], sealed[i/callers*callers]))
			if sealed[i] {
				failures = append(failures, expectSealed(ctx, s, key, source(i)))
			} else {
				failures = append(failures, expectKept(ctx, s, content(i)))
			}
		}
		if err := errors.Join(failures...); err != nil {
			return err
		}
	}
	return nil
}

func sealLook(ctx context.Context, s events) error {
	a, b, _ := threeEvents("order-1")
	failures := []error{
		keepAndLook(ctx, s, 0, a, threeSources...).lacks("event2", "event3"),
		seal(ctx, s, 0, "order-1", "event3", true),
	}
	for i := range 2 {
		l := keepAndLook(ctx, s, i, b, threeSources...)
		failures = append(failures, expectTooLate("KeepAndLook", l.err), expectEqual("its messages", len(l.messages)+len(l.missing), 0), expectKept(ctx, s, b))
	}
	return errors.Join(append(failures,
		keepAndLook(ctx, s, 1, b, "event1", "event2").has(a, b),
		expectAll(ctx, s, "order-1", a, b),
	)...)
}

// sealNames seals places of odd names, and has events in the others.
func sealNames(ctx context.Context, s events) error {
	_, failures := atOnce(len(s.names), func(i int) (any, error) {
		name := s.names[i]
		if i%2 == 0 {
			return nil, about(name, seal(ctx, s, i/2, "order-1", name, true), seal(ctx, s, i/2, name, "event1", true))
		}
		return nil, about(name, s.store.Persist(ctx, event("order-1", name, "content")), s.other.Persist(ctx, event(name, "event1", "content")))
	})
	for i, name := range s.names {
		if i%2 == 0 {
			failures = append(failures, about(name, expectSealed(ctx, s, "order-1", name), expectSealed(ctx, s, name, "event1")))
			continue
		}
		failures = append(failures, about(name, expectKept(ctx, s, event("order-1", name, "content")), expectKept(ctx, s, event(name, "event1", "content"))))
	}
	kept, err := s.other.ListSourcesByKey(ctx, "order-1")
	return errors.Join(append(failures, err, expectEqual("sources that are listed", len(kept), len(s.names)/2))...)
}

func sealEmpty(ctx context.Context, s events) error {
	sealer := s.store.(driver.Sealer)
	_, errKey := sealer.Seal(ctx, "", "event1")
	_, errSource := sealer.Seal(ctx, "order-1", "")
	failures := []error{
		expectRefusal("Seal", errKey, driver.ErrNoKey, driver.ReasonNoKey),
		expectRefusal("Seal", errSource, driver.ErrNoSource, driver.ReasonUnknownSource),
	}
	for want, ctx := range ended(ctx) {
		_, err := sealer.Seal(ctx, "order-1", "event1")
		failures = append(failures, expect("Seal", err, want))
	}
	return errors.Join(append(failures, expect("Persist", s.store.Persist(ctx, event("order-1", "event1", "content")), nil))...)
}

func inspectSeals(ctx context.Context, s inspected) error {
	sealer, ok := s.store.(driver.Sealer)
	if !ok {
		return errDoesNotApply
	}
	failures := []error{s.store.Persist(ctx, event("order-1", "event2", "content"))}
	for _, place := range [][2]string{{"order-1", "event3"}, {"order-1", "event1"}, {"order-1", "event2"}, {"order-2", "event1"}} {
		_, err := sealer.Seal(ctx, place[0], place[1])
		failures = append(failures, err)
	}
	mixed, err := inspect(ctx, s, "order-1")
	alone, errAlone := inspect(ctx, s, "order-2")
	page, errList := s.other.ListKeys(ctx, driver.KeyQuery{})
	failures = append(failures, err, errAlone, errList,
		expectSources("Events", mixed.Sources(), []string{"event2"}), expectSources("Sealed", mixed.Sealed, []string{"event1", "event3"}),
		expectSources("Events of another key", alone.Sources(), nil), expectSources("Sealed of another key", alone.Sealed, []string{"event1"}),
		expectEqual("keys that are listed", len(page.Keys), 2))
	for _, k := range page.Keys {
		want := map[string]driver.KeyState{"order-1": mixed, "order-2": alone}[k.Key]
		failures = append(failures, expectSources("Sealed, listed", k.Sealed, want.Sealed), expectSources("Events, listed", k.Sources(), want.Sources()))
	}
	return errors.Join(failures...)
}
