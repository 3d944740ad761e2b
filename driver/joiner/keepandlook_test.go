package joiner_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

// severalCalls hides that a store is a [driver.KeepLooker].
type severalCalls struct{ drivertest.Store }

// bothStores returns empty stores, one of which is a [driver.KeepLooker].
func bothStores() map[string]drivertest.Store {
	return map[string]drivertest.Store{"one call": memstore.New(), "several calls": severalCalls{memstore.New()}}
}

func operations(f *drivertest.Faults) (ops []drivertest.Op) {
	for _, c := range f.Calls() {
		ops = append(ops, c.Op)
	}
	return ops
}

func TestOneCallForEachEventOfAJoin(t *testing.T) {
	for _, policy := range []joiner.ConflictPolicy{joiner.KeepFirst, joiner.Reject} {
		for n := 1; n <= 5; n++ {
			faults := drivertest.NewFaults(memstore.New())
			var events []driver.Message
			var sources []string
			for i := range n {
				sources = append(sources, fmt.Sprint("event", i))
				events = append(events, event(sources[i], "1"))
			}
			joined := run(t, joiner.New(joiner.MatchAll(sources...), faults, joiner.OnConflict(policy)), append(events, events[0])...)
			want := slices.Repeat([]drivertest.Op{drivertest.OpKeepAndLook}, n+1)
			if got := operations(faults); len(joined) != 2 || !slices.Equal(got, want) {
				t.Errorf("policy %d, %d events and a redelivery: went on %d times, calls %v; want 2, and a call each", policy, n, len(joined), got)
			}
		}
	}
}

// Where one call can't say what is joined, it is not made: it would read contents in vain.
func TestOneCallOnlyWhereItDecides(t *testing.T) {
	for name, j := range map[string]func(driver.EventStore) *joiner.Joiner{
		"decided": func(s driver.EventStore) *joiner.Joiner { return joiner.New(joiner.MatchAny("event1", "event2"), s) },
		"keep last": func(s driver.EventStore) *joiner.Joiner {
			return joiner.New(joiner.MatchAll("event1", "event2"), s, joiner.OnConflict(joiner.KeepLast))
		},
	} {
		faults := drivertest.NewFaults(memstore.New())
		run(t, j(faults), event("event1", "1"), event("event2", "2"))
		if calls := operations(faults); slices.Contains(calls, drivertest.OpKeepAndLook) {
			t.Errorf("%s: calls %v", name, calls)
		}
	}
}

// A wrapper has all methods, and its store may not.
func TestWrapperOfAStoreWithoutTheCall(t *testing.T) {
	faults := drivertest.NewFaults(severalCalls{memstore.New()})
	joined := run(t, joiner.New(joiner.MatchAll("event1", "event2"), faults), event("event1", "1"), event("event2", "2"))
	if len(joined) != 1 || string(joined[0].Content) != `{"event1":1,"event2":2}` || faults.Count(drivertest.OpPersist) != 2 {
		t.Errorf("went on with %v after calls %v", joined, operations(faults))
	}
}

func TestLostAnswerOfTheCallThatCompletesAJoin(t *testing.T) {
	faults := drivertest.NewFaults(memstore.New())
	j := joiner.New(joiner.MatchAll("event1", "event2"), faults)
	run(t, j, event("event1", "1"))
	faults.FailAfter(drivertest.OpKeepAndLook, 2)
	if err := driver.New(j).Process(t.Context(), event("event2", "2")); !errors.Is(err, drivertest.ErrInjected) || driver.IsPermanent(err) {
		t.Errorf("error %v; want the store's own, to be delivered again", err)
	}
	if joined := run(t, j, event("event2", "2")); len(joined) != 1 || string(joined[0].Content) != `{"event1":1,"event2":2}` {
		t.Errorf("the redelivery went on with %v", joined)
	}
}

// What is joined is what is kept, also of the event's own source.
func TestOneCallJoinsTheKeptEvent(t *testing.T) {
	for kind, store := range bothStores() {
		j := joiner.New(joiner.MatchAll("event1", "event2"), store)
		first := dated("event1", "1", `"first"`, 9)
		joined := run(t, j, first, dated("event2", "2", `2`, 3), dated("event1", "3", `"other"`, 20))
		if len(joined) != 2 || string(joined[1].Content) != `{"event1":"first","event2":2}` || !joined[1].Time.Equal(first.Time) {
			t.Errorf("%s: went on with %v", kind, joined)
		}
	}
}
