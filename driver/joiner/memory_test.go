package joiner_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/admission"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

const size = 1 << 20 // of a content

func large(key, source string) driver.Message {
	return driver.Message{Key: key, Source: source, Content: bytes.Repeat([]byte("1"), size)}
}

func admitted(t *testing.T, g *admission.Gate, n int64) (context.Context, *admission.Grant) {
	t.Helper()
	grant, err := g.Admit(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return driver.WithMemory(t.Context(), grant), grant
}

func persisted(t *testing.T, store driver.EventStore, events ...driver.Message) {
	t.Helper()
	for _, m := range events {
		if err := store.Persist(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

// TestJoinedContentIsCountedTwice: first with the events of which it is composed, then with
// the copy that a handler has of it.
func TestJoinedContentIsCountedTwice(t *testing.T) {
	for name, opts := range map[string][]joiner.Option{"first": nil, "last": {joiner.OnConflict(joiner.KeepLast)}, "first, in one call": nil} {
		t.Run(name, func(t *testing.T) {
			store, g := bothStores()["several calls"], admission.New(64*size)
			if name == "first, in one call" {
				store = memstore.New()
			}
			persisted(t, store, large("k", "a"), large("k", "b"))
			ctx, grant := admitted(t, g, size)
			before, calls := g.InUse(), 0
			pipeline := driver.New(joiner.New(joiner.MatchAll("a", "b", "c"), store, opts...),
				driver.HandlerFunc(func(_ context.Context, m driver.Message, _ driver.Next) error {
					calls++
					if got, want := g.InUse()-before, int64(2*len(m.Content)); got != want && name != "last" || got < want {
						t.Errorf("%d bytes were counted for %d", got, len(m.Content))
					}
					if spare := cap(m.Content) - len(m.Content); spare > size/8 {
						t.Errorf("%d bytes more were allocated than are needed", spare)
					}
					return nil
				}))
			if err := pipeline.Process(ctx, large("k", "c")); err != nil || calls != 1 {
				t.Errorf("%v after %d calls", err, calls)
			}
			grant.Release()
			if g.InUse() != 0 {
				t.Errorf("%d bytes are in use in the end", g.InUse())
			}
		})
	}
}

// TestEventThatCompletesNothingNeedsNoMemory: what is there of its key is of no use yet.
func TestEventThatCompletesNothingNeedsNoMemory(t *testing.T) {
	for name, store := range bothStores() {
		t.Run(name, func(t *testing.T) { testEventThatCompletesNothing(t, store) })
	}
}

func testEventThatCompletesNothing(t *testing.T, store drivertest.Store) {
	g := admission.New(0)
	persisted(t, store, large("k", "a"))
	_, other := admitted(t, g, g.Largest()-size)
	if err := other.Grow(g.Growth()); err != nil { // the lane
		t.Fatal(err)
	}
	ctx, _ := admitted(t, g, size)
	pipeline := driver.New(joiner.New(joiner.MatchAll("a", "b", "c"), store))
	if err := pipeline.Process(ctx, large("k", "b")); err != nil {
		t.Errorf("the second of three: %v", err)
	}
	if err := pipeline.Process(ctx, large("k", "c")); !errors.Is(err, driver.ErrNoMemory) || driver.IsPermanent(err) {
		t.Errorf("the last, while another has the lane: %v; want ErrNoMemory", err)
	}
	other.Release()
	if err := pipeline.Process(ctx, large("k", "c")); err != nil {
		t.Errorf("the last, with the lane: %v", err)
	}
}

// TestJoinThatNeverFitsIsTooLarge: whether it is the events or the joined content that does not.
func TestJoinThatNeverFitsIsTooLarge(t *testing.T) {
	for name, n := range map[string]int{"one call": 6, "several calls": 6, "one call, the events": 12, "several calls, the events": 12} {
		kind, _, _ := strings.Cut(name, ",")
		store, g := bothStores()[kind], admission.New(0)
		var sources []string
		for i := range n {
			sources = append(sources, fmt.Sprint("s", i))
		}
		pipeline := driver.New(joiner.New(joiner.MatchAll(sources...), store))
		for i, source := range sources {
			ctx, grant := admitted(t, g, size)
			err := pipeline.Process(ctx, large("k", source))
			if last := i == n-1; (driver.ReasonOf(err) == driver.ReasonTooLarge) != last || !last && err != nil {
				t.Errorf("%s, event %d of %d: %v", name, i+1, n, err)
			}
			grant.Release()
		}
	}
}

// TestManyLargeJoinsGetThroughOneLane: each comes again until it is done, as Pub/Sub has it,
// and meanwhile no more is held than is allowed.
func TestManyLargeJoinsGetThroughOneLane(t *testing.T) {
	for name := range bothStores() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { manyLargeJoins(t, bothStores()[name]) })
		})
	}
}

func manyLargeJoins(t *testing.T, store drivertest.Store) {
	const keys = 20
	g := admission.New(0)
	var mu sync.Mutex
	joined := make(map[string]int)
	pipeline := driver.New(joiner.New(joiner.MatchAll("a", "b", "c"), store),
		driver.HandlerFunc(func(_ context.Context, m driver.Message, _ driver.Next) error {
			mu.Lock()
			defer mu.Unlock()
			joined[m.Key]++
			return nil
		}))
	var wait sync.WaitGroup
	for key := range keys {
		persisted(t, store, large(fmt.Sprint(key), "a"), large(fmt.Sprint(key), "b"))
		wait.Go(func() {
			for {
				grant, err := g.Admit(t.Context(), size)
				if err == nil {
					err = pipeline.Process(driver.WithMemory(t.Context(), grant), large(fmt.Sprint(key), "c"))
					grant.Release()
				}
				switch {
				case err == nil || t.Context().Err() != nil:
					return
				case !errors.Is(err, driver.ErrNoMemory) || driver.IsPermanent(err):
					t.Errorf("key %d: %v", key, err)
					return
				}
				time.Sleep(time.Millisecond) // it is delivered again
			}
		})
	}
	wait.Wait()
	if len(joined) != keys || g.InUse() != 0 {
		t.Errorf("%d of %d were joined, %d bytes are in use in the end", len(joined), keys, g.InUse())
	}
}

// TestComposingCopiesOnce: contents of any form go straight into the joined one.
func TestComposingCopiesOnce(t *testing.T) {
	const size = 8 << 20
	for name, event := range map[string]driver.Message{
		"JSON":   {Content: bytes.Repeat([]byte("1"), size)},
		"plain":  {Content: bytes.Repeat([]byte("[]"), size/2), MediaType: "text/plain"},
		"text":   {Content: bytes.Repeat([]byte("ab\n\"<é\u2028"), size/11), MediaType: "text/plain"},
		"bytes":  {Content: bytes.Repeat([]byte("\xff"), size)},
		"nested": {Content: append(append([]byte{'['}, bytes.Repeat([]byte("[],"), size/3)...), "[]]"...)},
	} {
		t.Run(name, func(t *testing.T) {
			event.Key, event.Source = "k", "a"
			store, length := memstore.New(), 0
			pipeline := driver.New(joiner.New(joiner.MatchAll("a"), store), driver.HandlerFunc(func(_ context.Context, m driver.Message, _ driver.Next) error {
				length = len(m.Content)
				return nil
			}))
			persisted(t, store, event)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := pipeline.Process(t.Context(), event); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > uint64(length+size/8) {
				t.Errorf("%d bytes were allocated for a joined content of %d", got, length)
			}
		})
	}
}
