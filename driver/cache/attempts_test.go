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

// instance is a cache of its own on the store, with a business behind it.
func instance(store driver.ClaimStore, b *business, attempts int, opts ...cache.Option) *driver.Pipeline {
	return driver.New(cache.New(store, append(opts, cache.Lease(time.Minute))...), cache.MaxAttempts(attempts), b)
}

// fails fails its first runs, so, and then succeeds.
func fails(err error, runs int) *business {
	return &business{do: func(_ context.Context, run int) error {
		if run <= runs {
			return err
		}
		return nil
	}}
}

var errBusy = errors.New("busy")

// TestRetryAfter: until the moment that a run asked for, every delivery is refused at once, at every
// instance, and without a run and a write; after it, the next runs.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		b := fails(driver.RetryAfter(errBusy, 10*time.Minute), 1)
		one, other := instance(store, b, 0), instance(store, b, 0)
		if err := one.Process(t.Context(), order); !errors.Is(err, errBusy) {
			t.Fatal(err)
		}
		released := time.Now()
		before, _ := store.Inspect(t.Context(), order.Key)
		for _, at := range []time.Duration{0, 5 * time.Minute, 10*time.Minute - 1} {
			time.Sleep(time.Until(released.Add(at)))
			for _, p := range []*driver.Pipeline{one, other} {
				began := time.Now()
				err := p.Process(t.Context(), order)
				later, is := errors.AsType[*driver.LaterError](err)
				if !is || !later.Until.Equal(released.Add(10*time.Minute)) || time.Since(began) > 0 {
					t.Errorf("after %v: %v, in %v; want a LaterError at once", at, err, time.Since(began))
				}
			}
		}
		if after, _ := store.Inspect(t.Context(), order.Key); after.Claims[0] != before.Claims[0] {
			t.Errorf("the claim was written: %+v, it was %+v", after.Claims[0], before.Claims[0])
		}
		time.Sleep(time.Nanosecond)
		if err := other.Process(t.Context(), order); err != nil || b.runs.Load() != 2 {
			t.Errorf("after the pause: %v, %d runs", err, b.runs.Load())
		}
	})
}

// TestRetryAfterIsForFailuresOnly: what failed for good, or may have acted, is not paused.
func TestRetryAfterIsForFailuresOnly(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		mark driver.Mark
	}{
		"permanent": {driver.Permanent(driver.RetryAfter(errBusy, time.Minute)), driver.MarkFailed},
		"acted":     {driver.RetryAfter(errors.Join(errBusy, driver.ErrActed), time.Minute), driver.MarkQuarantined},
	} {
		store := memstore.New()
		_ = instance(store, fails(c.err, 1), 0, cache.QuarantineOnExpiry(nil)).Process(t.Context(), order)
		k, err := store.Inspect(t.Context(), order.Key)
		if got := k.Claim(""); err != nil || got.Mark != c.mark || !got.NotBefore.IsZero() {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestMaxAttempts: the last of the failures that may be is for good, in the same write as the release.
// Then nothing runs until an operator releases the key, or the order is sent again; each begins anew.
func TestMaxAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		b := fails(errBusy, 7)
		one, other := instance(store, b, 3), instance(store, b, 3)
		deliver := func(ctx context.Context, n int, reason driver.Reason, runs int32) {
			t.Helper()
			p := []*driver.Pipeline{one, other}[n%2]
			if err := p.Process(ctx, order); driver.ReasonOf(err) != reason || b.runs.Load() != runs {
				t.Errorf("delivery %d: %v, %d runs; want %q, %d", n, err, b.runs.Load(), reason, runs)
			}
		}
		deliver(t.Context(), 1, "", 1)
		deliver(t.Context(), 2, "", 2)
		deliver(t.Context(), 3, driver.ReasonTooManyAttempts, 3)
		k, _ := store.Inspect(t.Context(), order.Key)
		if c := k.Claim(""); c.Mark != driver.MarkFailed || c.Attempts != 3 {
			t.Errorf("%+v", c)
		}
		deliver(t.Context(), 4, driver.ReasonTooManyAttempts, 3)
		deliver(t.Context(), 5, driver.ReasonTooManyAttempts, 3)
		k, _ = store.Inspect(t.Context(), order.Key)
		if c := k.Claim(""); c.Mark != driver.MarkFailed || c.Attempts != 3 {
			t.Errorf("after refusals: %+v", c)
		}
		deliver(driver.WithResent(t.Context()), 6, "", 4)
		deliver(t.Context(), 7, "", 5)
		deliver(t.Context(), 8, driver.ReasonTooManyAttempts, 6)

		c, err := store.Acquire(t.Context(), driver.NewClaim(order.Key), time.Minute) // an operator
		if err := errors.Join(err, store.Release(t.Context(), c, driver.Released{})); err != nil {
			t.Fatal(err)
		}
		deliver(t.Context(), 9, "", 7)
		deliver(t.Context(), 10, "", 8) // it succeeds
		deliver(t.Context(), 11, "", 8) // a duplicate
	})
}

// TestResentEventIsGivenUpAgain: the redeliveries of a letter that was sent to a topic are of an event
// that was sent again, too. They do not begin anew.
func TestResentEventIsGivenUpAgain(t *testing.T) {
	store, b := memstore.New(), fails(errBusy, 100)
	p := instance(store, b, 3)
	resent := driver.WithResent(t.Context())
	for range 3 {
		_ = p.Process(t.Context(), order)
	}
	for delivery, want := range []driver.Reason{"", "", driver.ReasonTooManyAttempts} {
		if err := p.Process(resent, order); driver.ReasonOf(err) != want || int(b.runs.Load()) != 4+delivery {
			t.Errorf("delivery %d of the letter: %v, %d runs; want %q", delivery+1, err, b.runs.Load(), want)
		}
	}
	if err := p.Process(resent, order); driver.IsPermanent(err) || b.runs.Load() != 7 {
		t.Errorf("sent once more: %v, %d runs", err, b.runs.Load())
	}
}

// TestVanishedRunsAreAttempts: a run that crashes each time is given up, too, in place of a run.
func TestVanishedRunsAreAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := memstore.New(), fails(nil, 0)
		p := instance(store, b, 2)
		for range 2 {
			if _, err := store.Acquire(t.Context(), driver.NewClaim(order.Key), time.Minute); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
		}
		if err := p.Process(t.Context(), order); driver.ReasonOf(err) != driver.ReasonTooManyAttempts || b.runs.Load() != 0 {
			t.Errorf("%v, %d runs", err, b.runs.Load())
		}
		if k, _ := store.Inspect(t.Context(), order.Key); k.Claim("").Mark != driver.MarkFailed {
			t.Errorf("%+v", k.Claim(""))
		}
	})
}

// TestWhatIsNoAttempt: what was busy, was not begun, or is in quarantine does not count, and a run that
// nobody hears of gives nothing up.
func TestWhatIsNoAttempt(t *testing.T) {
	for name, c := range map[string]struct {
		err      error
		opts     []cache.Option
		attempts int
		mark     driver.Mark
	}{
		"a nested key is held": {err: &driver.HeldError{Key: "other"}},
		"memory is short":      {err: driver.ErrNoMemory},
		"it may have acted":    {err: driver.ErrActed, opts: []cache.Option{cache.QuarantineOnExpiry(nil)}, mark: driver.MarkQuarantined},
		"its context ended":    {err: context.DeadlineExceeded, attempts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memstore.New()
				b := &business{do: func(ctx context.Context, _ int) error {
					if c.err == context.DeadlineExceeded {
						<-ctx.Done()
					}
					return c.err
				}}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				err := instance(store, b, 1, c.opts...).Process(ctx, order)
				synctest.Wait()
				k, _ := store.Inspect(t.Context(), order.Key)
				if got := k.Claim(""); driver.IsPermanent(err) || !errors.Is(err, c.err) || got.Attempts != c.attempts || got.Mark != c.mark {
					t.Errorf("%v, and then %+v", err, got)
				}
			})
		})
	}
}

// TestQuarantineIsNotGivenUp: a key whose last run may have acted stays in quarantine, however often.
func TestQuarantineIsNotGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := memstore.New(), fails(errBusy, 5)
		asks := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error { return next.Call(ctx, in) })
		p := instance(store, b, 1, cache.QuarantineOnExpiry(asks))
		if _, err := store.Acquire(t.Context(), driver.NewClaim(order.Key), time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		for range 5 {
			if err := p.Process(t.Context(), order); driver.IsPermanent(err) || !errors.Is(err, errBusy) {
				t.Errorf("%v", err)
			}
		}
		if k, _ := store.Inspect(t.Context(), order.Key); k.Claim("").Mark != driver.MarkQuarantined || b.runs.Load() != 5 {
			t.Errorf("%+v, %d runs", k.Claim(""), b.runs.Load())
		}
	})
}

// TestLostAnswerOfARelease: a release whose answer is lost is made again, and says the same.
func TestLostAnswerOfARelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		lost := 0
		claims := &failing{ClaimStore: store, after: func(call string) error {
			if call == "Release" && lost < 2 {
				lost++
				return errors.New("the answer is lost")
			}
			return nil
		}}
		if err := instance(claims, fails(driver.RetryAfter(errBusy, time.Hour), 1), 5).Process(t.Context(), order); !errors.Is(err, errBusy) {
			t.Fatal(err)
		}
		k, _ := store.Inspect(t.Context(), order.Key)
		if c := k.Claim(""); lost != 2 || c.Attempts != 1 || !c.NotBefore.After(time.Now().Add(59*time.Minute)) {
			t.Errorf("%d answers were lost, then %+v", lost, c)
		}
	})
}
