package cache_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/stores/memstore"
)

// within is a handler that gives the message to a pipeline of its own.
func within(handlers ...driver.Handler) driver.Handler {
	p := driver.New(handlers...)
	return driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		if err := p.Process(ctx, in); err != nil {
			return err
		}
		return next(ctx, in)
	})
}

// Of two caches that share a claim one would never run. So that is an error which tells
// what to do, in whichever way they come to be in one run.
func TestTwoCachesOnOneClaim(t *testing.T) {
	slow := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		time.Sleep(time.Minute)
		return next(ctx, in)
	})
	wants := map[string]int32{ // runs of the business, where the caches don't share a claim
		"in a row": 2, "in a pipeline within": 1, "one after the other": 2, "side by side": 2, "side by side, slowly": 2, "side by side, deep": 2,
		"the first one alone": 1,
	}
	for name, build := range map[string]func(one, two driver.Handler, b *business) *driver.Pipeline{
		"in a row":             func(one, two driver.Handler, b *business) *driver.Pipeline { return driver.New(one, b, two, b) },
		"in a pipeline within": func(one, two driver.Handler, b *business) *driver.Pipeline { return driver.New(one, within(two, b)) },
		"one after the other":  func(one, two driver.Handler, b *business) *driver.Pipeline { return driver.New(within(one, b), two, b) },
		"side by side": func(one, two driver.Handler, b *business) *driver.Pipeline {
			return driver.New(driver.Parallel(within(one, b), within(two, b)))
		},
		"side by side, slowly": func(one, two driver.Handler, b *business) *driver.Pipeline {
			return driver.New(driver.Parallel(within(one, b), within(slow, two, b)))
		},
		"side by side, deep": func(one, two driver.Handler, b *business) *driver.Pipeline {
			return driver.New(within(driver.Parallel(within(within(one, b)), within(two, b))))
		},
		"the first one alone": func(one, two driver.Handler, b *business) *driver.Pipeline {
			return driver.New(within(one), within(two, b))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memstore.New()
				err := build(cache.New(store), cache.New(store), &business{}).Process(t.Context(), order)
				if !permanent(err) || !strings.Contains(err.Error(), order.Key) || !strings.Contains(err.Error(), "cache.Scope") {
					t.Errorf("on one claim: %v; want a permanent error that names the key and what to do", err)
				}
			})
			for what, two := range map[string]func(driver.ClaimStore) driver.Handler{
				"another scope": func(store driver.ClaimStore) driver.Handler { return cache.New(store, cache.Scope("second")) },
				"another store": func(driver.ClaimStore) driver.Handler { return cache.New(memstore.New()) },
				"another key": func(store driver.ClaimStore) driver.Handler {
					return cache.New(store, cache.KeyFrom(func(m driver.Message) string { return "second " + m.Key }))
				},
			} {
				synctest.Test(t, func(t *testing.T) {
					store, b := memstore.New(), &business{}
					p := build(cache.New(store), two(store), b)
					if err := errors.Join(p.Process(t.Context(), order), p.Process(t.Context(), order)); err != nil || b.runs.Load() != wants[name] {
						t.Errorf("%s: %v, %d runs; want %d", what, err, b.runs.Load(), wants[name])
					}
				})
			}
		})
	}
}

// permanent says that a failure is, or of several at least one.
func permanent(err error) bool {
	if joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		for _, err := range joined.Unwrap() {
			if permanent(err) {
				return true
			}
		}
	}
	return driver.IsPermanent(err)
}

// A cache that comes again within its own run would wait for itself.
func TestCacheWithinItself(t *testing.T) {
	store := memstore.New()
	c := cache.New(store, cache.Scope("orders"))
	for name, p := range map[string]*driver.Pipeline{
		"in a row": driver.New(c, &business{}, c, &business{}),
		"within":   driver.New(c, within(within(c, &business{}))),
	} {
		err := p.Process(t.Context(), order)
		if !driver.IsPermanent(err) || !strings.Contains(err.Error(), `"orders"`) || !strings.Contains(err.Error(), "cache.Scope") {
			t.Errorf("%s: %v; want a permanent error that names the scope and what to do", name, err)
		}
	}
}

// One cache in two branches: only one of them would run.
func TestOneCacheInTwoBranches(t *testing.T) {
	slow := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		time.Sleep(time.Minute)
		return next(ctx, in)
	})
	for name, second := range map[string]func(...driver.Handler) driver.Handler{
		"at once": within,
		"later":   func(h ...driver.Handler) driver.Handler { return within(append([]driver.Handler{slow}, h...)...) },
	} {
		synctest.Test(t, func(t *testing.T) {
			c, b := cache.New(memstore.New()), &business{}
			err := driver.New(driver.Parallel(within(c, b), within(driver.Parallel(second(c, b))))).Process(t.Context(), order)
			if !permanent(err) || !strings.Contains(err.Error(), "cache.Scope") {
				t.Errorf("%s: %v; want a permanent error that says what to do", name, err)
			}
		})
	}
}

// A handler may try the rest of its pipeline again, with the cache in it; and may give
// it other messages.
func TestSameCacheAgainInOneRun(t *testing.T) {
	again := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		for range 3 {
			if next(ctx, in) == nil {
				break
			}
		}
		other := in
		other.Key = "order-2"
		return errors.Join(next(ctx, other), next(ctx, in)) // the second is a duplicate
	})
	b := &business{do: func(_ context.Context, run int) error {
		if run < 3 {
			return errors.New("busy")
		}
		return nil
	}}
	if err := driver.New(again, cache.New(memstore.New()), b).Process(t.Context(), order); err != nil || b.runs.Load() != 4 {
		t.Errorf("error %v, %d runs; want three tries of the one, and one of the other", err, b.runs.Load())
	}
}

// Scopes are as different as keys.
func TestScopesDoNotMeet(t *testing.T) {
	store, b := memstore.New(), &business{}
	for range 2 {
		for _, scope := range []string{"", "a", "b", "order-1"} {
			if err := driver.New(cache.New(store, cache.Scope(scope)), b).Process(t.Context(), order); err != nil {
				t.Error(err)
			}
		}
	}
	if b.runs.Load() != 4 {
		t.Errorf("%d runs, want one in each of 4 scopes", b.runs.Load())
	}
}
