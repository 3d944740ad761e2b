package combined_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/stores/combined"
	"example.com/eventdriver/stores/memstore"
)

// two is a handle on two stores.
type two struct {
	driver.Inspector
	driver.EventStore
	driver.Replacer
	driver.Decider
	driver.Sealer
	driver.DeadLetterStore
	driver.ClaimStore
	of [2]*memstore.Store
}

func handleOn(events, claims *memstore.Store) *two {
	return &two{Inspector: combined.New(events, claims), EventStore: events, Replacer: events, Decider: events, Sealer: events,
		DeadLetterStore: events, ClaimStore: claims, of: [2]*memstore.Store{events, claims}}
}

func TestConformance(t *testing.T) {
	drivertest.TestInspector(t, drivertest.Harness[*two]{
		Open:      func(*testing.T) *two { return handleOn(memstore.New(), memstore.New()) },
		Again:     func(_ *testing.T, s *two) *two { return handleOn(s.of[0], s.of[1]) },
		FakeTime:  true,
		Exclusive: true,
	})
}

// counted counts the calls of an Inspector.
type counted struct {
	driver.Inspector
	mu              sync.Mutex
	inspects, lists int
}

func (c *counted) Inspect(ctx context.Context, key string) (driver.KeyState, error) {
	c.mu.Lock()
	c.inspects++
	c.mu.Unlock()
	return c.Inspector.Inspect(ctx, key)
}

func (c *counted) ListKeys(ctx context.Context, q driver.KeyQuery) (driver.KeyPage, error) {
	c.mu.Lock()
	c.lists++
	c.mu.Unlock()
	return c.Inspector.ListKeys(ctx, q)
}

// fill has n keys, of which each tenth waits, and one key that was claimed and has no events.
func fill(t *testing.T, n int) (events, claims *memstore.Store) {
	t.Helper()
	events, claims = memstore.New(), memstore.New()
	for i := range n {
		key := fmt.Sprintf("order-%03d", i)
		err := events.Persist(t.Context(), driver.Message{Key: key, Source: "event1"})
		if i%10 != 0 {
			c, errClaim := claims.Acquire(t.Context(), driver.NewClaim(key), time.Hour)
			err = errors.Join(err, errClaim, claims.Complete(t.Context(), c, driver.OutcomeProcessed))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := claims.Acquire(t.Context(), driver.NewClaim("claimed"), time.Hour); err != nil {
		t.Fatal(err)
	}
	return events, claims
}

// list lists by an Inspector for each page, and returns the keys.
func list(t *testing.T, limit int, with func() driver.Inspector) (keys []string) {
	t.Helper()
	for q := (driver.KeyQuery{Limit: limit, Open: true}); ; {
		page, err := with().ListKeys(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range page.Keys {
			keys = append(keys, k.Key)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			slices.Sort(keys)
			return keys
		}
	}
}

// TestCosts: however many keys are completed, none is asked for. The claims are listed once in a process.
func TestCosts(t *testing.T) {
	events, claims := fill(t, 300)
	want := []string{"claimed"}
	for i := range 30 {
		want = append(want, fmt.Sprintf("order-%03d", 10*i))
	}
	e, c := &counted{Inspector: events}, &counted{Inspector: claims}
	one := combined.New(e, c)
	if keys := list(t, 50, func() driver.Inspector { return one }); !slices.Equal(keys, want) {
		t.Errorf("listed %q, want %q", keys, want)
	}
	if e.inspects != 1 || e.lists != 2 || c.inspects != 0 || c.lists != 1 {
		t.Errorf("%d inspects and %d lists of events, %d and %d of claims; want 1, 2, 0, 1", e.inspects, e.lists, c.inspects, c.lists)
	}
	if keys := list(t, 50, func() driver.Inspector { return combined.New(e, c) }); !slices.Equal(keys, want) {
		t.Errorf("each page in a process of its own: listed %q, want %q", keys, want)
	}
}

// TestCursorsAreWords: a cursor that is pasted into a command is no more than that, whatever keys there are.
func TestCursorsAreWords(t *testing.T) {
	claims, want := memstore.New(), []string{"\x1b[2J", "$(reboot)", "a; b", "it's"}
	for _, key := range want {
		if _, err := claims.Acquire(t.Context(), driver.NewClaim(key), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	both, words := combined.New(memstore.New(), claims), regexp.MustCompile(`^[\w:-]*$`)
	var keys []string
	for q := (driver.KeyQuery{Limit: 1}); ; {
		page, err := both.ListKeys(t.Context(), q)
		if err != nil || !words.MatchString(page.Next) {
			t.Fatalf("the cursor %q, %v", page.Next, err)
		}
		for _, k := range page.Keys {
			keys = append(keys, k.Key)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if !slices.Equal(keys, want) {
		t.Errorf("listed %q, want %q", keys, want)
	}
}

// TestEachStoreHasItsPart: claims in the store of the events, and events in that of the claims, are from before
// the function had two stores, and mean nothing.
func TestEachStoreHasItsPart(t *testing.T) {
	events, claims := memstore.New(), memstore.New()
	old, err := events.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
	_, errOld := events.Acquire(t.Context(), driver.NewClaim("order-2"), time.Hour)
	if err := errors.Join(err, errOld, events.Complete(t.Context(), old, driver.OutcomeProcessed),
		events.Persist(t.Context(), driver.Message{Key: "order-1", Source: "event1"}),
		claims.Persist(t.Context(), driver.Message{Key: "order-3", Source: "event1"})); err != nil {
		t.Fatal(err)
	}
	both := combined.New(events, claims)
	k, err := both.Inspect(t.Context(), "order-1")
	if err != nil || len(k.Claims) != 0 || len(k.Events) != 1 {
		t.Errorf("%+v, %v; want an event and no claim", k, err)
	}
	for _, key := range []string{"order-2", "order-3"} {
		if k, err := both.Inspect(t.Context(), key); !errors.Is(err, driver.ErrNotFound) {
			t.Errorf("%+v, %v; want ErrNotFound", k, err)
		}
	}
	if keys := list(t, 0, func() driver.Inspector { return both }); !slices.Equal(keys, []string{"order-1"}) {
		t.Errorf("listed %q, want order-1", keys)
	}
}

// failing fails at one of its calls.
type failing struct {
	driver.Inspector
	left int
}

func (f *failing) ListKeys(ctx context.Context, q driver.KeyQuery) (driver.KeyPage, error) {
	if f.left--; f.left == 0 {
		return driver.KeyPage{Next: q.Cursor}, errors.New("down")
	}
	return f.Inspector.ListKeys(ctx, q)
}

// TestGoesOnAfterFailures: wherever a store fails, a page says where to go on.
func TestGoesOnAfterFailures(t *testing.T) {
	events, claims := fill(t, 30)
	for at := range 4 {
		for _, both := range []*combined.Inspector{
			combined.New(&failing{events, at + 1}, claims), combined.New(events, &failing{claims, at + 1}),
		} {
			var keys []string
			for q := (driver.KeyQuery{Limit: 10, Open: true}); ; {
				page, err := both.ListKeys(t.Context(), q)
				for _, k := range page.Keys {
					keys = append(keys, k.Key)
				}
				if q.Cursor = page.Next; q.Cursor == "" && err == nil {
					break
				}
			}
			if slices.Sort(keys); !slices.Equal(keys, []string{"claimed", "order-000", "order-010", "order-020"}) {
				t.Errorf("failure at list %d: %q", at+1, keys)
			}
		}
	}
}
