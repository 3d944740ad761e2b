package cache_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/stores/memstore"
)

// TestSweepLeavesMarkedKeysAlone: events do not, and the mark stays for whoever looks next.
func TestSweepLeavesMarkedKeysAlone(t *testing.T) {
	for _, mark := range []driver.Mark{driver.MarkFailed, driver.MarkQuarantined, driver.MarkNone} {
		store := memstore.New()
		claim, err := store.Acquire(t.Context(), driver.NewClaim(order.Key), time.Minute)
		if err := errors.Join(err, store.Release(t.Context(), claim, mark)); err != nil {
			t.Fatal(err)
		}
		b := new(business)
		p := driver.New(cache.New(store), b)
		for range 2 {
			err := p.Process(driver.WithSweep(t.Context(), time.Now()), order)
			if marked := mark != driver.MarkNone; errors.Is(err, driver.ErrMarked) != marked || driver.IsPermanent(err) || (b.runs.Load() == 0) != marked {
				t.Errorf("%q: a sweep had the handler run %d times, %v", mark, b.runs.Load(), err)
			}
		}
		if mark == driver.MarkNone {
			continue
		}
		k, err := store.Inspect(t.Context(), order.Key)
		if c := k.Claim(""); err != nil || c.Held || c.Mark != mark {
			t.Errorf("%q: after the sweep the key is %+v, %v", mark, c, err)
		}
		if err := p.Process(t.Context(), order); err != nil || b.runs.Load() != 1 {
			t.Errorf("%q: an event had the handler run %d times, %v", mark, b.runs.Load(), err)
		}
	}
}

func TestOutcomeOfACompletion(t *testing.T) {
	for want, missing := range map[driver.Outcome][]string{driver.OutcomeProcessed: nil, driver.OutcomeExpired: {"event2"}} {
		store := memstore.New()
		in := order
		in.Missing = missing
		p := driver.New(cache.New(store), driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { return nil }))
		if err := p.Process(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		k, err := store.Inspect(t.Context(), in.Key)
		if done := k.Claim("").Done; err != nil || done == nil || done.Outcome != want {
			t.Errorf("missing %q: completed as %+v, %v; want %s", missing, done, err, want)
		}
	}
}
