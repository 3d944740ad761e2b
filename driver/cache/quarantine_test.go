package cache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/stores/memstore"
)

// Every run whose outcome is unknown is quarantined, at once and for each message that
// comes; and with another policy runs again.
func TestUnknownOutcomes(t *testing.T) {
	down := errors.New("store is down")
	always := func(op string, err error) func(string) error {
		return func(call string) error {
			if call == op {
				return err
			}
			return nil
		}
	}
	for name, run := range map[string]struct {
		deadline time.Duration
		before   func(call string) error
		do       func(ctx context.Context) error
	}{
		"the request's time is over": {deadline: 10 * time.Second, do: func(ctx context.Context) error { return pause(ctx, 20*time.Second) }},
		"the request's time is over, and the handler says that it can never succeed": {deadline: 10 * time.Second,
			do: func(ctx context.Context) error { return driver.Permanent(pause(ctx, 20*time.Second)) }},
		"the lease can't be renewed": {before: always("Renew", down), do: func(ctx context.Context) error { return pause(ctx, time.Hour) }},
		"the lease is lost":          {before: always("Renew", driver.ErrLost), do: func(ctx context.Context) error { return pause(ctx, time.Hour) }},
		"something fails after it acted": {do: func(context.Context) error {
			return fmt.Errorf("not published (%w)", driver.ErrActed)
		}},
		"it panics":                      {do: func(context.Context) error { panic("boom") }},
		"it ends its goroutine":          {do: func(context.Context) error { runtime.Goexit(); return nil }},
		"the completion is not recorded": {before: always("Complete", down), do: func(context.Context) error { return nil }},
	} {
		for _, quarantine := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, quarantine %v", name, quarantine), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					claims := &failing{ClaimStore: memstore.New(), before: run.before}
					b := &business{do: func(ctx context.Context, n int) error {
						if n == 1 {
							return run.do(ctx)
						}
						return nil
					}}
					opts := []cache.Option{cache.WaitOnHeld(0)}
					if run.deadline == 0 {
						opts = append(opts, cache.Lease(time.Minute))
					}
					if quarantine {
						opts = append(opts, cache.QuarantineOnExpiry(nil))
					}
					p := driver.New(cache.New(claims, opts...), b)
					ctx, cancel := context.WithCancel(t.Context())
					if run.deadline > 0 {
						ctx, cancel = context.WithTimeout(t.Context(), run.deadline)
					}
					defer cancel()
					if err := p.Process(ctx, order); err == nil {
						t.Error("the first run is acknowledged")
					}
					synctest.Wait()
					claims.before = nil
					for try := range 3 {
						err := p.Process(t.Context(), order)
						if errors.Is(err, driver.ErrHeld) && !quarantine { // it waits for the lease to run out
							time.Sleep(time.Minute)
							err = p.Process(t.Context(), order)
						}
						switch {
						case quarantine && (driver.ReasonOf(err) != driver.ReasonOutcomeUnknown || b.runs.Load() != 1):
							t.Errorf("try %d: %v after %d runs; want it dead-lettered, and one run", try, err, b.runs.Load())
						case !quarantine && (err != nil || b.runs.Load() != 2):
							t.Errorf("try %d: %v after %d runs; want a second run", try, err, b.runs.Load())
						}
					}
				})
			})
		}
	}
}

// A failure that was reported in time is no unknown outcome, whatever it is.
func TestQuarantineLetsReleasedKeysRunAgain(t *testing.T) {
	for name, failure := range map[string]error{
		"busy": errors.New("busy"), "never": driver.Permanent(errors.New("no such product")), "its own timeout": context.DeadlineExceeded,
	} {
		t.Run(name, func(t *testing.T) {
			b := &business{do: func(_ context.Context, run int) error {
				if run == 1 {
					return failure
				}
				return nil
			}}
			p := driver.New(cache.New(memstore.New(), cache.QuarantineOnExpiry(nil)), b)
			_ = p.Process(t.Context(), order)
			if err := p.Process(t.Context(), order); err != nil || b.runs.Load() != 2 {
				t.Errorf("error %v, %d runs; a failure that was reported is no unknown outcome", err, b.runs.Load())
			}
		})
	}
}

// What a run ended with is kept with the key, for whoever looks later. It does not stop
// the next message.
func TestMarks(t *testing.T) {
	never := driver.Permanent(errors.New("no such product"))
	for name, c := range map[string]struct {
		opts []cache.Option
		err  error
		want driver.Mark
	}{
		"it failed":                       {nil, errors.New("busy"), driver.MarkNone},
		"it can never succeed":            {nil, never, driver.MarkFailed},
		"it failed after it acted":        {nil, driver.ErrActed, driver.MarkNone},
		"the same, with quarantine":       {[]cache.Option{cache.QuarantineOnExpiry(nil)}, driver.ErrActed, driver.MarkQuarantined},
		"never, with quarantine":          {[]cache.Option{cache.QuarantineOnExpiry(nil)}, never, driver.MarkFailed},
		"acted and never, and quarantine": {[]cache.Option{cache.QuarantineOnExpiry(nil)}, driver.Permanent(driver.ErrActed), driver.MarkQuarantined},
	} {
		t.Run(name, func(t *testing.T) {
			claims := memstore.New()
			b := &business{do: func(context.Context, int) error { return c.err }}
			_ = driver.New(cache.New(claims, c.opts...), b).Process(t.Context(), order)
			claim, err := claims.Acquire(t.Context(), driver.NewClaim(order.Key), time.Minute)
			if err != nil || claim.Mark != c.want {
				t.Fatalf("mark %q, %v; want %q", claim.Mark, err, c.want)
			}
			if err := claims.Release(t.Context(), claim, driver.Released{Mark: claim.Mark}); err != nil {
				t.Fatal(err)
			}
			ran := &business{}
			if err := driver.New(cache.New(claims), ran).Process(t.Context(), order); err != nil || ran.runs.Load() != 1 {
				t.Errorf("the next message: %v, %d runs", err, ran.runs.Load())
			}
		})
	}
}

// The handler for keys in quarantine may find that nothing has happened, and go on; but
// not when the lease has ended while it looked.
func TestQuarantineDoesNotGoOnAfterItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := memstore.New()
		crashed(t, claims, time.Minute)
		time.Sleep(time.Minute)
		slow := driver.HandlerFunc(func(_ context.Context, in driver.Message, next driver.Next) error {
			time.Sleep(time.Minute) // it ignores its context
			return next(context.Background(), in)
		})
		down := &failing{ClaimStore: claims, before: func(call string) error {
			if call == "Renew" {
				return errors.New("store is down")
			}
			return nil
		}}
		ran := false
		c := cache.New(down, cache.QuarantineOnExpiry(slow), cache.Lease(time.Minute))
		err := c.Process(t.Context(), order, func(context.Context, driver.Message) error { ran = true; return nil })
		if err == nil || ran {
			t.Errorf("error %v, ran %v", err, ran)
		}
	})
}
