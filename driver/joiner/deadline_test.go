package joiner_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

// sealer hides that a store is a [driver.KeepLooker], and not that it seals.
type sealer struct {
	severalCalls
	driver.Sealer
}

// bothSealers returns empty stores, one of which is a [driver.KeepLooker].
func bothSealers() map[string]drivertest.Store {
	s := memstore.New()
	return map[string]drivertest.Store{"one call": memstore.New(), "several calls": sealer{severalCalls{s}, s}}
}

// process has a pipeline of the joiner process in, and returns what it went on with.
func process(ctx context.Context, j *joiner.Joiner, in driver.Message) (joined []driver.Message, err error) {
	last := driver.HandlerFunc(func(_ context.Context, m driver.Message, _ driver.Next) error {
		joined = append(joined, m)
		return nil
	})
	err = driver.New(j, last).Process(ctx, in)
	return joined, err
}

// sweep sweeps the key of the events, of which the first was kept a while ago.
func sweep(t *testing.T, j *joiner.Joiner, ago time.Duration) ([]driver.Message, error) {
	t.Helper()
	return process(driver.WithSweep(t.Context(), time.Now().Add(-ago)), j, driver.Message{Key: event("", "").Key})
}

func isLate(err error) bool {
	return errors.Is(err, driver.ErrSealed) && driver.ReasonOf(err) == driver.ReasonTooLate
}

func TestDeadline(t *testing.T) {
	for kind, store := range bothSealers() {
		synctest.Test(t, func(t *testing.T) {
			j := joiner.New(joiner.MatchAll("a", "b", "c", "d"), store, joiner.Deadline(time.Hour))
			since := time.Now()
			at := func(d time.Duration) ([]driver.Message, error) {
				time.Sleep(time.Until(since.Add(d)))
				return sweep(t, j, time.Since(since))
			}
			if joined := run(t, j, event("b", "2"), event("d", "4")); joined != nil {
				t.Fatalf("%s: went on with %v", kind, joined)
			}
			if joined, err := at(time.Hour - 1); err != nil || joined != nil {
				t.Errorf("%s: before the deadline: %v, %v", kind, joined, err)
			}
			const want = `{"b":2,"d":4}`
			for i, ago := range []time.Duration{time.Hour, time.Hour, 0} { // the last sweep finds it sealed
				joined, err := at(ago)
				if err != nil || len(joined) != 1 || string(joined[0].Content) != want || !slices.Equal(joined[0].Missing, []string{"a", "c"}) {
					t.Errorf("%s, sweep %d: %+v, %v; want %s without a and c", kind, i+1, joined, err, want)
				}
			}
			for _, late := range []string{"a", "c", "a"} {
				if joined, err := process(t.Context(), j, event(late, "9")); !isLate(err) || joined != nil {
					t.Errorf("%s: an event that comes later: %v, %v; want too-late", kind, joined, err)
				}
			}
			joined := run(t, j, event("d", "4"), event("b", "other"))
			if len(joined) != 2 || string(joined[0].Content) != want || string(joined[1].Content) != want || len(joined[1].Missing) != 2 {
				t.Errorf("%s: duplicates went on with %+v; want what the sweep did", kind, joined)
			}
		})
	}
}

// TestEventFillsTheLastPlace has a sweep die between two seals. The event that comes then completes
// the join, since it is sealed elsewhere.
func TestEventFillsTheLastPlace(t *testing.T) {
	for kind, store := range bothSealers() {
		j := joiner.New(joiner.MatchAll("a", "b", "c"), store, joiner.Deadline(time.Hour))
		run(t, j, event("a", "1"))
		if sealed, err := store.(driver.Sealer).Seal(t.Context(), event("", "").Key, "b"); err != nil || !sealed {
			t.Fatal(sealed, err)
		}
		if joined := run(t, j, event("a", "1")); joined != nil {
			t.Errorf("%s: went on with %v, and c has neither come nor been sealed", kind, joined)
		}
		joined := run(t, j, event("c", "3"))
		if len(joined) != 1 || string(joined[0].Content) != `{"a":1,"c":3}` || !slices.Equal(joined[0].Missing, []string{"b"}) {
			t.Errorf("%s: went on with %+v", kind, joined)
		}
	}
}

// TestNothingInPartIsKept has one joiner feed another with what lacks an event, which no store keeps.
func TestNothingInPartIsKept(t *testing.T) {
	for kind, store := range bothSealers() {
		first := joiner.New(joiner.MatchAll("a", "b"), store, joiner.Name("ab"), joiner.Deadline(time.Hour))
		second := joiner.New(joiner.MatchAll("ab"), store)
		run(t, first, event("a", "1"))
		for _, ctx := range []context.Context{driver.WithSweep(t.Context(), time.Now().Add(-time.Hour)), t.Context()} {
			in := event("a", "1")
			if _, sweep := driver.SweepFrom(ctx); sweep {
				in = driver.Message{Key: in.Key}
			}
			last := driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
				t.Errorf("%s: went on with %s, and nothing missing", kind, in.Content)
				return nil
			})
			err := driver.New(first, second, last).Process(ctx, in)
			if !driver.IsPermanent(err) || !strings.Contains(err.Error(), `lacks the events of ["b"]`) {
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
}

// TestNothingIsJoinedInPartWithoutADeadline has a joiner meet seals that it does not know of.
func TestNothingIsJoinedInPartWithoutADeadline(t *testing.T) {
	for kind, store := range bothSealers() {
		j := joiner.New(joiner.MatchAll("a", "b"), store)
		run(t, j, event("a", "1"))
		if _, err := store.(driver.Sealer).Seal(t.Context(), event("", "").Key, "b"); err != nil {
			t.Fatal(err)
		}
		for _, source := range []string{"a", "b"} {
			if joined, err := process(t.Context(), j, event(source, "1")); !isLate(err) || joined != nil {
				t.Errorf("%s: went on with %v, %v; want too-late", kind, joined, err)
			}
		}
		if joined, err := sweep(t, j, time.Hour); !isLate(err) || joined != nil {
			t.Errorf("%s: a sweep went on with %v, %v", kind, joined, err)
		}
	}
}

func TestSweepOfACompleteJoin(t *testing.T) {
	for name, condition := range bothConditions {
		for _, policy := range []joiner.ConflictPolicy{joiner.KeepFirst, joiner.KeepLast} {
			store := memstore.New()
			j := joiner.New(condition, store, joiner.OnConflict(policy))
			if joined, err := sweep(t, j, time.Hour); err != nil || joined != nil {
				t.Errorf("%s: of nothing: %v, %v", name, joined, err)
			}
			run(t, j, event("event1", "1"))
			if joined, err := sweep(t, j, time.Hour); err != nil || joined != nil {
				t.Errorf("%s: of one event: %v, %v", name, joined, err)
			}
			run(t, j, event("event2", "2"))
			joined, err := sweep(t, j, 0)
			if err != nil || len(joined) != 1 || string(joined[0].Content) != `{"event1":1,"event2":2}` || joined[0].Missing != nil {
				t.Errorf("%s: %+v, %v", name, joined, err)
			}
			if k, err := store.Inspect(t.Context(), event("", "").Key); err != nil || len(k.Events) != 2 || len(k.Sealed) != 0 {
				t.Errorf("%s: kept %+v, %v; want what the events brought", name, k, err)
			}
		}
	}
}

// TestSweepOfNothingSealsNothing: the events of a key are gone, and come again perhaps.
func TestSweepOfNothingSealsNothing(t *testing.T) {
	store := memstore.New()
	j := joiner.New(joiner.MatchAll("a", "b"), store, joiner.Deadline(time.Hour))
	if joined, err := sweep(t, j, 2*time.Hour); err != nil || joined != nil {
		t.Errorf("%v, %v", joined, err)
	}
	if joined := run(t, j, event("a", "1"), event("b", "2")); len(joined) != 1 || joined[0].Missing != nil {
		t.Errorf("went on with %+v", joined)
	}
	if _, err := process(driver.WithSweep(t.Context(), time.Now()), j, driver.Message{}); driver.ReasonOf(err) != driver.ReasonNoKey {
		t.Errorf("a sweep without a key: %v", err)
	}
}

func TestSweepJoinsTheLastContent(t *testing.T) {
	for kind, store := range bothSealers() {
		j := joiner.New(joiner.MatchAll("a", "b"), store, joiner.OnConflict(joiner.KeepLast), joiner.Deadline(time.Hour))
		run(t, j, event("a", "1"), event("a", "2"))
		joined, err := sweep(t, j, time.Hour)
		if err != nil || len(joined) != 1 || string(joined[0].Content) != `{"a":2}` {
			t.Errorf("%s: %+v, %v", kind, joined, err)
		}
		if joined, err := process(t.Context(), j, event("b", "1")); !isLate(err) || joined != nil {
			t.Errorf("%s: a late event went on with %v, %v", kind, joined, err)
		}
	}
}

// TestEachOperationOfASweepFails: it goes on only if it knows what is in each place, and a failure
// is no reason to give the key up.
func TestEachOperationOfASweepFails(t *testing.T) {
	down := errors.New("store is down")
	for _, policy := range []joiner.ConflictPolicy{joiner.KeepFirst, joiner.KeepLast} {
		for n := 1; ; n++ {
			store := memstore.New()
			run(t, joiner.New(joiner.MatchAll("a", "b", "c"), store), event("a", "1"))
			faults := drivertest.NewFaults(store)
			faults.Hook(func(c drivertest.Call) drivertest.Fault {
				if c.Seq == n {
					return drivertest.Fault{Before: drivertest.FailWith(down)}
				}
				return drivertest.Fault{}
			})
			j := joiner.New(joiner.MatchAll("a", "b", "c"), faults, joiner.OnConflict(policy), joiner.Deadline(time.Hour))
			joined, err := sweep(t, j, time.Hour)
			if failed := len(faults.Calls()) >= n; !failed {
				if n < 5 || len(joined) != 1 || err != nil {
					t.Errorf("policy %d: %d operations, went on with %v, %v", policy, n-1, joined, err)
				}
				break
			}
			if !errors.Is(err, down) || driver.IsPermanent(err) || joined != nil {
				t.Errorf("policy %d, operation %d fails: %v, %v", policy, n, joined, err)
			}
			if joined, err = sweep(t, j, time.Hour); err != nil || len(joined) != 1 || string(joined[0].Content) != `{"a":1}` || len(joined[0].Missing) != 2 {
				t.Errorf("policy %d, the next sweep: %+v, %v", policy, joined, err)
			}
		}
	}
}

// beaten is a store in which an event always beats its seal.
type beaten struct{ *memstore.Store }

func (b beaten) Seal(ctx context.Context, key, source string) (bool, error) {
	if err := b.Persist(ctx, event(source, "0")); err != nil {
		return false, err
	}
	return b.Store.Seal(ctx, key, source)
}

func TestAnEventThatBeatsItsSealIsJoined(t *testing.T) {
	j := joiner.New(joiner.MatchAll("a", "b", "c"), beaten{memstore.New()}, joiner.Deadline(time.Hour))
	run(t, j, event("b", "2"))
	joined, err := sweep(t, j, time.Hour)
	if err != nil || len(joined) != 1 || string(joined[0].Content) != `{"a":0,"b":2,"c":0}` || joined[0].Missing != nil {
		t.Errorf("%+v, %v", joined, err)
	}
}

func TestDeadlineThatCanNotBeKept(t *testing.T) {
	for want, create := range map[string]func(){
		"MatchAll alone": func() { joiner.New(joiner.MatchAny("a", "b"), memstore.New(), joiner.Deadline(time.Hour)) },
		"driver.Sealer": func() {
			joiner.New(joiner.MatchAll("a", "b"), severalCalls{memstore.New()}, joiner.Deadline(time.Hour))
		},
		"not positive": func() { joiner.New(joiner.MatchAll("a", "b"), memstore.New(), joiner.Deadline(-1)) },
	} {
		func() {
			defer func() {
				if err, _ := recover().(error); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("panic %v, want one that says %q", err, want)
				}
			}()
			create()
		}()
	}
}
