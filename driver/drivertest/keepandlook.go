package drivertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"example.com/eventdriver/driver"
)

// look is what KeepAndLook returns.
type look struct {
	messages []driver.Message
	missing  []string
	err      error
}

// ifKeepLooker is a check of those stores that can keep and look.
func ifKeepLooker(run func(context.Context, events) error) func(context.Context, events) error {
	return func(ctx context.Context, s events) error {
		k, ok := s.store.(driver.KeepLooker)
		if !ok {
			return errDoesNotApply
		}
		if _, _, err := k.KeepAndLook(ctx, driver.Message{}, nil); errors.Is(err, errors.ErrUnsupported) {
			return errDoesNotApply // it wraps a store that can't
		}
		return run(ctx, s)
	}
}

// keepAndLook calls handle i of the store.
func keepAndLook(ctx context.Context, s events, i int, m driver.Message, sources ...string) (l look) {
	l.messages, l.missing, l.err = s.handle(i).(driver.KeepLooker).KeepAndLook(ctx, m, sources)
	return l
}

// lacks returns an error unless these sources, and no messages, were returned.
func (l look) lacks(missing ...string) error {
	return errors.Join(l.err, l.lacksNow(missing...))
}

func (l look) lacksNow(missing ...string) error {
	return errors.Join(
		expectEqual("messages of KeepAndLook while sources are missing", len(l.messages), 0),
		expectSources("KeepAndLook, missing", l.missing, missing),
	)
}

// has returns an error unless these messages were returned.
func (l look) has(want ...driver.Message) error {
	return errors.Join(l.err, l.hasNow(want...))
}

func (l look) hasNow(want ...driver.Message) error {
	failures := []error{
		expectEqual("messages of KeepAndLook", len(l.messages), len(want)),
		expectSources("KeepAndLook, missing", l.missing, nil),
	}
	for i := range min(len(l.messages), len(want)) {
		failures = append(failures, expectMessage(fmt.Sprint("KeepAndLook, place ", i), l.messages[i], want[i]))
	}
	clear(l.messages) // which nobody sees who looks later
	return errors.Join(failures...)
}

var threeSources = []string{"event1", "event2", "event3"}

// threeEvents are of threeSources.
func threeEvents(key string) (a, b, c driver.Message) {
	return event(key, "event1", "content 1"), event(key, "event2", "content 2"), event(key, "event3", "content 3")
}

func keepAndLookAll(ctx context.Context, s events) error {
	a, b, c := threeEvents("order-1")
	other, stranger := event("order-2", "event1", "of another key"), event("order-1", "event0", "not asked for")
	bare := driver.Message{Key: "order-1", Source: "bare"}
	return errors.Join(
		keepAndLook(ctx, s, 0, other, threeSources...).lacks("event2", "event3"),
		keepAndLook(ctx, s, 1, b, threeSources...).lacks("event1", "event3"),
		keepAndLook(ctx, s, 0, b, "event2").has(b),
		keepAndLook(ctx, s, 0, stranger, "event0", "event2").has(stranger, b),
		keepAndLook(ctx, s, 0, c, threeSources...).lacks("event1"),
		keepAndLook(ctx, s, 1, a, threeSources...).has(a, b, c),
		keepAndLook(ctx, s, 0, bare, "bare", "event3").has(bare, c),
		expectAll(ctx, s, "order-1", bare, stranger, a, b, c),
		expectAll(ctx, s, "order-2", other),
	)
}

func keepAndLookAgain(ctx context.Context, s events) error {
	a, b, c := threeEvents("order-1")
	again := a
	again.ID, again.Time, again.Attributes = "another", a.Time.AddDate(1, 0, 0), map[string]string{"other": "yes"}
	return errors.Join(
		keepAndLook(ctx, s, 0, a, threeSources...).lacks("event2", "event3"),
		keepAndLook(ctx, s, 1, again, threeSources...).lacks("event2", "event3"),
		keepAndLook(ctx, s, 0, c, threeSources...).lacks("event2"),
		keepAndLook(ctx, s, 1, b, threeSources...).has(a, b, c),
		keepAndLook(ctx, s, 0, again, threeSources...).has(a, b, c),
		keepAndLook(ctx, s, 1, b, threeSources...).has(a, b, c),
		expectAll(ctx, s, "order-1", a, b, c),
	)
}

func keepAndLookConflict(ctx context.Context, s events) error {
	a, b, c := threeEvents("order-1")
	changed := event("order-1", "event1", "Content 1")
	failures := []error{keepAndLook(ctx, s, 0, a, threeSources...).lacks("event2", "event3")}
	conflicts := func(i int, check func(look) error) {
		l := keepAndLook(ctx, s, i, changed, threeSources...)
		failures = append(failures, expectConflict(l.err, a), check(l))
	}
	conflicts(1, func(l look) error { return l.lacksNow("event2", "event3") })
	failures = append(failures,
		keepAndLook(ctx, s, 1, c, threeSources...).lacks("event2"),
		keepAndLook(ctx, s, 0, b, threeSources...).has(a, b, c))
	conflicts(0, func(l look) error { return l.hasNow(a, b, c) })
	return errors.Join(append(failures,
		expectConflict(s.store.Persist(ctx, changed), a),
		expectAll(ctx, s, "order-1", a, b, c),
	)...)
}

// keepAndLookSees has events come by each of the ways in which they can.
func keepAndLookSees(ctx context.Context, s events) error {
	a, b, c := threeEvents("order-1")
	failures := []error{
		keepAndLook(ctx, s, 0, a, threeSources...).lacks("event2", "event3"),
		expectKept(ctx, s, a),
		expect("Persist", s.other.Persist(ctx, b), nil),
		keepAndLook(ctx, s, 0, a, threeSources...).lacks("event3"),
		keepAndLook(ctx, s, 1, c, threeSources...).has(a, b, c),
		expectKept(ctx, s, c),
	}
	if r, ok := s.store.(driver.Replacer); ok {
		later := at(event("order-1", "event2", "later"), b.Time.AddDate(1, 0, 0))
		_, err := r.Replace(ctx, later)
		failures = append(failures, err, keepAndLook(ctx, s, 1, c, threeSources...).has(a, later, c),
			keepAndLook(ctx, s, 0, later, threeSources...).has(a, later, c))
	}
	return errors.Join(failures...)
}

// keepAndLookLast has events of a key come at once; every third by Persist and LookUp.
func keepAndLookLast(ctx context.Context, s events) error {
	const n = 6
	var sources []string
	for i := range n {
		sources = append(sources, fmt.Sprint("event", i))
	}
	for round := range 4 {
		key, persists := fmt.Sprint("order-", round), round%2 == 1
		seen, errs := atOnce(n, func(i int) (int, error) {
			m := event(key, sources[i], "content")
			if !persists || i%3 > 0 {
				l := keepAndLook(ctx, s, i, m, sources...)
				return n - len(l.missing), l.err
			}
			if err := s.handle(i).Persist(ctx, m); err != nil {
				return 0, err
			}
			found, err := s.handle(i).LookUpByKey(ctx, key)
			return len(found), err
		})
		err := expectTrue(fmt.Sprintf("a caller sees all %d sources; they saw %v", n, seen), slices.Contains(seen, n))
		if err := errors.Join(append(errs, err)...); err != nil {
			return err
		}
	}
	return nil
}

func keepAndLookAtOnce(ctx context.Context, s events) error {
	mine := func(i int) driver.Message { return event("order-1", "event1", fmt.Sprint("content ", i)) }
	looks, _ := atOnce(s.callers, func(i int) (look, error) { return keepAndLook(ctx, s, i, mine(i), "event1"), nil })
	kept, err := s.store.LookUp(ctx, "order-1", "event1")
	failures, winners := []error{err, expectKept(ctx, s, kept)}, 0
	for i, l := range looks {
		failures = append(failures, l.hasNow(kept))
		if l.err != nil {
			failures = append(failures, expectConflict(l.err, kept))
			continue
		}
		winners++
		failures = append(failures, expectMessage("the winner's", kept, mine(i)))
	}
	return errors.Join(append(failures, expectEqual("callers that were told nil", winners, 1))...)
}

// account is a [driver.Memory] with a limit.
type account struct{ limit, grown atomic.Int64 }

func (a *account) Grow(n int64) error {
	if a.grown.Add(n) > a.limit.Load() {
		return driver.ErrNoMemory
	}
	return nil
}

func (a *account) Shrink(n int64) { a.grown.Add(-n) }

func (a *account) Hold() (release func()) { return func() {} }

func keepAndLookMemory(ctx context.Context, s events) error {
	const size = 100_000
	a, b, c := threeEvents("order-1")
	for _, m := range []*driver.Message{&a, &b, &c} {
		m.Content = []byte(strings.Repeat(m.Source[5:], size))
	}
	changed := c
	changed.Content = []byte("other content")
	with := func(limit int64, m driver.Message) (look, int64) {
		memory := new(account)
		memory.limit.Store(limit)
		l := keepAndLook(driver.WithMemory(ctx, memory), s, 0, m, threeSources...)
		return l, memory.grown.Load()
	}
	first, _ := with(0, a)
	second, _ := with(0, b)
	refused, _ := with(2*size-1, c)
	complete, grown := with(5*size/2, c)
	conflict, grownByConflict := with(7*size/2, changed)
	if err := errors.Join(first.lacks("event2", "event3"), second.lacks("event3")); err != nil {
		return err
	}
	return errors.Join(
		expect("KeepAndLook without memory for the others", refused.err, driver.ErrNoMemory),
		expectEqual("messages, without memory", len(refused.messages), 0),
		expectEqual("missing, without memory", len(refused.missing), 0),
		expectKept(ctx, s, c),
		complete.has(a, b, c),
		expectTrue(fmt.Sprintf("the contents of the others are counted: %d bytes were", grown), grown >= 2*size),
		expectConflict(conflict.err, c), conflict.hasNow(a, b, c),
		expectTrue(fmt.Sprintf("all contents are counted after a conflict: %d bytes were", grownByConflict), grownByConflict >= 3*size),
	)
}

func keepAndLookNames(ctx context.Context, s events) error {
	sources := slices.Compact(slices.Sorted(slices.Values(s.names)))
	kept := make([]driver.Message, len(sources))
	for i, source := range sources {
		kept[i] = event("order-1", source, fmt.Sprint("content ", i))
	}
	last := len(sources) - 1
	_, failures := atOnce(last, func(i int) (any, error) {
		l := keepAndLook(ctx, s, i, kept[i], sources...)
		return nil, about(sources[i], l.err, expectTrue("the last is missing", slices.Contains(l.missing, sources[last])))
	})
	return errors.Join(append(failures, keepAndLook(ctx, s, last, kept[last], sources...).has(kept...))...)
}

func keepAndLookRefuses(ctx context.Context, s events) error {
	m := event("order-1", "event1", "content")
	failures := []error{
		expectRefusal("KeepAndLook", keepAndLook(ctx, s, 0, event("", "event1", "content"), "event1").err, driver.ErrNoKey, driver.ReasonNoKey),
		expectRefusal("KeepAndLook", keepAndLook(ctx, s, 0, event("order-1", "", "content"), "event1").err,
			driver.ErrNoSource, driver.ReasonUnknownSource),
	}
	for _, sources := range [][]string{nil, {"event2"}, {"", "event1"}, {"event1", "event1"}, {"event2", "event1"}} {
		err := keepAndLook(ctx, s, 0, m, sources...).err
		failures = append(failures,
			expectTrue(fmt.Sprintf("KeepAndLook for %q is refused for good: %v", sources, err), driver.IsPermanent(err)))
	}
	for want, ctx := range ended(ctx) {
		failures = append(failures, expect("KeepAndLook", keepAndLook(ctx, s, 0, m, "event1").err, want))
	}
	return errors.Join(append(failures, expectAll(ctx, s, "order-1"))...)
}

func keepAndLookNoAliasing(ctx context.Context, s events) error {
	a, b, _ := threeEvents("order-1")
	passed := a.Clone()
	first := keepAndLook(ctx, s, 0, passed, "event1", "event2")
	spoil(passed)
	failures := []error{first.lacks("event2"), expectKept(ctx, s, a)}
	for _, m := range []driver.Message{b, a, event("order-1", "event1", "other content")} {
		l := keepAndLook(ctx, s, 0, m.Clone(), "event1", "event2")
		failures = append(failures, l.hasNow(a, b))
		for _, found := range l.messages {
			spoil(found)
		}
		if conflict := new(driver.ConflictError); errors.As(l.err, &conflict) {
			spoil(conflict.Stored)
		}
		failures = append(failures, expectKept(ctx, s, a), expectKept(ctx, s, b))
	}
	return errors.Join(failures...)
}
