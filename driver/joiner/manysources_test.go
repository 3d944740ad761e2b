package joiner_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

func sourcesOf(n int) (sources []string) {
	for i := range n {
		sources = append(sources, fmt.Sprint("event", i))
	}
	return sources
}

// TestFewCallsForAJoin counts the calls at one instance: few looks where an event waits.
func TestFewCallsForAJoin(t *testing.T) {
	for n := 2; n <= 20; n++ {
		for all, opts := range map[bool][]joiner.Option{n <= 5: nil, true: {joiner.LookAtAll(n)}} {
			w := &watched{EventStore: memstore.New()}
			j := joiner.New(joiner.MatchAll(sourcesOf(n)...), w, opts...)
			for i, source := range sourcesOf(n) {
				w.calls = nil
				run(t, j, event(source, "1"))
				want := 1 + (n - 1) + 1 // persist, look for the others, look once more for one
				switch {
				case i == n-1:
					want-- // nothing was missing
				case !all:
					want = 1 + min(2, n-1-i) + 1 // look for two of which nothing is known
					if n-1-i >= 16 {
						want++
					}
				}
				if len(w.calls) != want {
					t.Errorf("event %d of %d, all at once %v: %d calls %v; want %d", i+1, n, all, len(w.calls), w.calls, want)
				}
			}
		}
	}
}

// TestLookedAtFirst: which are looked at differs from key to key, so that no order of arrival is
// the worst for each key. Of more sources, more are looked at.
func TestLookedAtFirst(t *testing.T) {
	for sources, want := range map[int]int{6: 2, 16: 2, 17: 3, 20: 3, 26: 4, 65: 7, 100: 8} {
		sets := make(map[string]bool)
		for i := range 20 {
			w := &watched{EventStore: memstore.New()}
			m := event("event0", "1")
			m.Key = fmt.Sprint("order-", i)
			run(t, joiner.New(joiner.MatchAll(sourcesOf(sources)...), w), m)
			var looks []string
			for _, call := range w.calls {
				if source, isLook := strings.CutPrefix(call, "LookUp "); isLook && !slices.Contains(looks, source) {
					looks = append(looks, source)
				}
			}
			if len(looks) != want {
				t.Errorf("of %d sources looked at %q, want %d", sources, looks, want)
			}
			slices.Sort(looks)
			sets[fmt.Sprint(looks)] = true
		}
		if sources >= 20 && len(sets) < 15 { // of 969 and more
			t.Errorf("20 keys of %d sources looked at %d different sets: %v", sources, len(sets), sets)
		}
	}
}

// TestWhatIsKnownIsAHint: the events of a key are deleted behind the back of an instance that knows
// them all. What it knows then must neither complete the key's next life nor keep it from that.
func TestWhatIsKnownIsAHint(t *testing.T) {
	sources := sourcesOf(8)
	for missing := range sources {
		store := memstore.New()
		j := joiner.New(joiner.MatchAll(sources...), severalCalls{store})
		for i, source := range sources {
			if i != missing {
				run(t, j, event(source, "1"))
			}
		}
		if err := store.PurgeEvents(t.Context(), "order-1"); err != nil {
			t.Fatal(err)
		}
		if joined := run(t, j, event(sources[missing], "2")); joined != nil {
			t.Fatalf("%d: went on with %v, and only one event is kept", missing, joined)
		}
		went := 0
		for i, source := range sources {
			if i != missing {
				went += len(run(t, j, event(source, "2")))
			}
		}
		if went != 1 {
			t.Errorf("%d: the key's next life was joined %d times", missing, went)
		}
	}
}

// TestWhatIsKnownHasToBeRead: what is known of a key was deleted, and all else has come since.
func TestWhatIsKnownHasToBeRead(t *testing.T) {
	sources, store := sourcesOf(8), memstore.New()
	j := joiner.New(joiner.MatchAll(sources...), severalCalls{store})
	for _, source := range sources[:5] {
		run(t, j, event(source, "1"))
	}
	if err := store.PurgeEvents(t.Context(), "order-1"); err != nil {
		t.Fatal(err)
	}
	for _, source := range sources[5:7] { // at another instance
		if err := store.Persist(t.Context(), event(source, "2")); err != nil {
			t.Fatal(err)
		}
	}
	if joined := run(t, j, event(sources[7], "2")); joined != nil {
		t.Errorf("went on with %v, and three of eight events are kept", joined)
	}
	went := 0
	for _, source := range sources[:5] {
		went += len(run(t, j, event(source, "2")))
	}
	if went != 1 {
		t.Errorf("the key was joined %d times", went)
	}
}

// TestUnknownEventsAreFound: most events come to other instances, of which this one hears nothing.
func TestUnknownEventsAreFound(t *testing.T) {
	for n := 2; n <= 12; n++ {
		store, sources := severalCalls{memstore.New()}, sourcesOf(n)
		went := 0
		for _, i := range rand.Perm(n) {
			went += len(run(t, joiner.New(joiner.MatchAll(sources...), store), event(sources[i], "1")))
		}
		if went != 1 {
			t.Errorf("%d events, each at an instance of its own, were joined %d times", n, went)
		}
	}
}

// yields lets others run at each call.
type yields struct{ driver.EventStore }

func (y yields) Persist(ctx context.Context, m driver.Message) error {
	defer runtime.Gosched()
	return y.EventStore.Persist(ctx, m)
}

func (y yields) LookUp(ctx context.Context, key, source string) (driver.Message, error) {
	defer runtime.Gosched()
	return y.EventStore.LookUp(ctx, key, source)
}

// TestEventsOfManySourcesAtOnce: whoever is the last to be kept sees all others.
func TestEventsOfManySourcesAtOnce(t *testing.T) {
	sources := sourcesOf(7)
	for key := range 60 {
		store := yields{memstore.New()}
		var went atomic.Int32
		last := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { went.Add(1); return nil })
		one, other := joiner.New(joiner.MatchAll(sources...), store), joiner.New(joiner.MatchAll(sources...), store)
		var results []<-chan error
		for i, source := range sources {
			m := event(source, "1")
			m.Key = fmt.Sprint(key)
			results = append(results, driver.New([]driver.Handler{one, other}[i%2], last).ProcessAsync(t.Context(), m))
		}
		var errs []error
		for _, result := range results {
			errs = append(errs, <-result)
		}
		if err := errors.Join(errs...); err != nil || went.Load() == 0 {
			t.Fatalf("key %d was joined %d times: %v", key, went.Load(), err)
		}
	}
}
