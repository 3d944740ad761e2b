package cache_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
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
		if err := errors.Join(err, store.Release(t.Context(), claim, driver.Released{Mark: mark})); err != nil {
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

// TestSweepWithAnUnknownOutcome: no event comes again to tell of it, so the next sweep does, and then the
// key stays in quarantine.
func TestSweepWithAnUnknownOutcome(t *testing.T) {
	for name, do := range map[string]func(context.Context, int) error{
		"it panics":                   func(context.Context, int) error { panic("boom") },
		"something fails after it":    func(context.Context, int) error { return driver.ErrActed },
		"the lease can't be renewed":  func(ctx context.Context, _ int) error { return pause(ctx, time.Hour) },
		"the completion is not known": func(context.Context, int) error { return nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			store := memstore.New()
			claims := &failing{ClaimStore: store, before: func(call string) error {
				if call == "Renew" || call == "Complete" {
					return errors.New("store is down")
				}
				return nil
			}}
			b, told := &business{do: do}, 0
			tell := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
				if told++; told == 1 {
					return errors.New("the letter is not stored")
				}
				return cache.OutcomeUnknown.Process(ctx, in, next)
			})
			p := driver.New(cache.New(claims, cache.Lease(time.Minute), cache.WaitOnHeld(0), cache.QuarantineOnExpiry(tell)), b)
			ctx := driver.WithSweep(t.Context(), time.Now())
			for try, want := range []func(error) bool{
				func(err error) bool { return err != nil && !driver.IsPermanent(err) && told == 0 },
				func(err error) bool { return err != nil && !driver.IsPermanent(err) && told == 1 },
				func(err error) bool { return driver.ReasonOf(err) == driver.ReasonOutcomeUnknown && told == 2 },
				func(err error) bool { return errors.Is(err, driver.ErrMarked) && told == 2 },
			} {
				err := p.Process(ctx, order)
				synctest.Wait()
				if !want(err) || b.runs.Load() != 1 {
					t.Errorf("%s, sweep %d: %v, told %d times, run %d times", name, try+1, err, told, b.runs.Load())
				}
				time.Sleep(2 * time.Minute) // a lease that was left runs out
			}
			k, err := store.Inspect(t.Context(), order.Key)
			if c := k.Claim(""); err != nil || c.Held || c.Mark != driver.MarkQuarantined {
				t.Errorf("%s: in the end the key is %+v, %v", name, c, err)
			}
		})
	}
}

// TestSweepThatClaimsTooLate leaves a key whose holder has crashed for the next sweep to tell of.
func TestSweepThatClaimsTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		crashed(t, store, time.Minute)
		time.Sleep(time.Minute)
		slow := &slowClaims{ClaimStore: store, after: []time.Duration{time.Hour}}
		told := 0
		tell := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { told++; return nil })
		p := driver.New(cache.New(slow, cache.Lease(time.Minute), cache.QuarantineOnExpiry(tell)), new(business))
		ctx := driver.WithSweep(t.Context(), time.Now())
		if err := p.Process(ctx, order); err == nil || told != 0 {
			t.Errorf("a claim that comes an hour late: %v, told %d times", err, told)
		}
		if err := p.Process(ctx, order); err != nil || told != 1 {
			t.Errorf("the next sweep: %v, told %d times", err, told)
		}
	})
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
