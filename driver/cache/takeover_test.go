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

// crashed leaves a key as an instance does that dies while it processes.
func crashed(t *testing.T, claims driver.ClaimStore, lease time.Duration) driver.Claim {
	t.Helper()
	claim, err := claims.Acquire(t.Context(), driver.NewClaim(order.Key), lease)
	if err != nil {
		t.Fatal(err)
	}
	return claim
}

func TestTakeoverAfterACrashHasAGreaterToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := memstore.New()
		old := crashed(t, claims, time.Minute)
		b := &business{}
		p := driver.New(cache.New(claims), b)
		if err := p.Process(t.Context(), order); !errors.Is(err, driver.ErrHeld) {
			t.Errorf("while the lease runs: %v; want ErrHeld, for redelivery", err)
		}
		time.Sleep(time.Minute)
		if err := p.Process(t.Context(), order); err != nil || b.runs.Load() != 1 || b.tokens[0] <= old.Token {
			t.Errorf("after the lease: error %v, tokens %v; want one run with a token above %d", err, b.tokens, old.Token)
		}
		if err := claims.Complete(t.Context(), old, driver.OutcomeProcessed); !errors.Is(err, driver.ErrLost) {
			t.Errorf("the crashed holder came back and completed: %v", err)
		}
	})
}

func TestCompleteOfALostClaimIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := memstore.New()
		b := &business{do: func(ctx context.Context, run int) error {
			time.Sleep(time.Hour) // a zombie: it ignores its context
			if run == 1 {
				if _, err := claims.Acquire(context.Background(), driver.NewClaim(order.Key), time.Minute); !errors.Is(err, driver.ErrHeld) {
					t.Errorf("nobody has taken over: %v", err)
				}
			}
			return nil
		}}
		// The renewals fail, so the lease runs out while the handler goes on.
		down := &failing{ClaimStore: claims, before: func(call string) error {
			if call == "Renew" {
				return errors.New("store is down")
			}
			return nil
		}}
		zombie := driver.New(cache.New(down, cache.Lease(time.Minute)), b).ProcessAsync(t.Context(), order)
		time.Sleep(2 * time.Minute)
		if _, err := claims.Acquire(t.Context(), driver.NewClaim(order.Key), 2*time.Hour); err != nil {
			t.Fatal(err)
		}
		err := <-zombie
		if !errors.Is(err, driver.ErrLost) || driver.IsPermanent(err) {
			t.Errorf("error %v; want ErrLost, for redelivery", err)
		}
	})
}

func TestQuarantineOnExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := memstore.New()
		crashed(t, claims, time.Minute)
		time.Sleep(time.Minute)

		busy := errors.New("dead letters are down")
		quarantined := 0
		h := driver.HandlerFunc(func(ctx context.Context, in driver.Message, _ driver.Next) error {
			quarantined++
			if quarantined < 3 {
				return busy
			}
			return nil
		})
		b := &business{}
		p := driver.New(cache.New(claims, cache.QuarantineOnExpiry(h), cache.Lease(time.Minute), cache.WaitOnHeld(0)), b)
		start := time.Now()
		for try := 1; try < 3; try++ {
			if err := p.Process(t.Context(), order); !errors.Is(err, busy) || quarantined != try {
				t.Errorf("try %d: %v, quarantined %d times; want the quarantine's own failure, at once", try, err, quarantined)
			}
		}
		if err := p.Process(t.Context(), order); err != nil || quarantined != 3 {
			t.Errorf("later: %v, quarantined %d times", err, quarantined)
		}
		if err := p.Process(t.Context(), order); err != nil || quarantined != 3 || b.runs.Load() != 0 || time.Since(start) > 0 {
			t.Errorf("at last: %v, quarantined %d times, %d runs; want the key completed and never run", err, quarantined, b.runs.Load())
		}
	})
}

// Without quarantine, it is a failure as any other.
func TestFailureAfterTheEffectReleasesTheKey(t *testing.T) {
	b := &business{do: func(_ context.Context, run int) error {
		if run == 1 {
			return driver.ErrActed
		}
		return nil
	}}
	p := driver.New(cache.New(memstore.New(), cache.WaitOnHeld(0)), b)
	_ = p.Process(t.Context(), order)
	if err := p.Process(t.Context(), order); err != nil || b.runs.Load() != 2 {
		t.Errorf("error %v, %d runs", err, b.runs.Load())
	}
}

func TestQuarantineWithoutAHandlerIsPermanent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := memstore.New()
		crashed(t, claims, time.Minute)
		time.Sleep(time.Minute)
		b := &business{}
		err := driver.New(cache.New(claims, cache.QuarantineOnExpiry(nil)), b).Process(t.Context(), order)
		if driver.ReasonOf(err) != driver.ReasonOutcomeUnknown || b.runs.Load() != 0 {
			t.Errorf("error %v, %d runs", err, b.runs.Load())
		}
	})
}

func TestQuarantineMayFindThatNothingHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := memstore.New()
		crashed(t, claims, time.Minute)
		time.Sleep(time.Minute)
		goOn := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error { return next(ctx, in) })
		b := &business{}
		p := driver.New(cache.New(claims, cache.QuarantineOnExpiry(goOn)), b)
		if err := errors.Join(p.Process(t.Context(), order), p.Process(t.Context(), order)); err != nil || b.runs.Load() != 1 {
			t.Errorf("error %v, %d runs; want one run under the claim", err, b.runs.Load())
		}
	})
}

// An answer that is lost after the store did the work, or a call that failed
// before: one of either neither loses the key nor runs it twice.
func TestOneStoreFailureCostsNothing(t *testing.T) {
	lostAnswer := errors.New("connection reset")
	for _, call := range []string{"Acquire", "Complete", "Release"} {
		for _, when := range []string{"before", "after"} {
			t.Run(call+" "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					claims := &failing{ClaimStore: memstore.New()}
					if when == "before" {
						claims.before = once(call, lostAnswer)
					} else {
						claims.after = once(call, lostAnswer)
					}
					effects := 0
					b := &business{do: func(_ context.Context, run int) error {
						if call == "Release" && run == 1 {
							return errors.New("busy")
						}
						effects++
						return nil
					}}
					p := driver.New(cache.New(claims), b)
					start := time.Now()
					var err error
					for range 3 {
						err = p.Process(t.Context(), order)
					}
					if err != nil || effects != 1 || time.Since(start) > time.Second {
						t.Errorf("error %v, %d effects, after %v, calls %v", err, effects, time.Since(start), claims.calls)
					}
				})
			})
		}
	}
}

// slowRelease is a store that takes seconds to release a key.
// A client that goes away while the claim is being stored must not leave the key
// held by nobody, and least of all in quarantine: nothing ran.
func TestClaimThatNobodyHeardOfIsGivenBack(t *testing.T) {
	for name, opts := range map[string][]cache.Option{"retry": nil, "quarantine": {cache.QuarantineOnExpiry(nil)}} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			claims := &failing{ClaimStore: memstore.New()}
			lose := once("Acquire", context.Canceled)
			claims.after = func(call string) error {
				err := lose(call)
				if err != nil {
					cancel()
				}
				return err
			}
			b := &business{}
			c := cache.New(claims, append(opts, cache.WaitOnHeld(0))...)
			next := func(ctx context.Context, m driver.Message) error {
				return b.Process(ctx, m, func(context.Context, driver.Message) error { return nil })
			}
			if err := c.Process(ctx, order, next); !errors.Is(err, context.Canceled) || b.runs.Load() != 0 {
				t.Errorf("the first: %v after %d runs", err, b.runs.Load())
			}
			if err := c.Process(t.Context(), order, next); err != nil || b.runs.Load() != 1 {
				t.Errorf("delivered again: %v after %d runs; want it to run at once, calls %v", err, b.runs.Load(), claims.calls)
			}
		})
	}
}

func TestStoreThatStaysDownIsReportedAfterBoundedTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("store is down")
		claims := &failing{ClaimStore: memstore.New(), before: func(string) error { return down }}
		start := time.Now()
		err := driver.New(cache.New(claims), &business{}).Process(t.Context(), order)
		if !errors.Is(err, down) || driver.IsPermanent(err) || time.Since(start) > 5*time.Second || len(claims.calls) > 10 {
			t.Errorf("error %v after %v and calls %v", err, time.Since(start), claims.calls)
		}
		claims.calls, claims.before = nil, func(call string) error {
			if call == "Complete" {
				return down
			}
			return nil
		}
		start = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err = cache.New(claims).Process(ctx, order, func(context.Context, driver.Message) error { return nil })
		if !errors.Is(err, down) || time.Since(start) > time.Minute {
			t.Errorf("error %v after %v; want the failure to complete while the request lives", err, time.Since(start))
		}
		for _, call := range claims.calls {
			if call == "Release" {
				t.Error("a key that was processed was released, to be processed again")
			}
		}
	})
}

// The effect has happened: as long as the request lives, a store that comes back is
// told, so that it does not happen again.
func TestCompletionIsTriedForAsLongAsTheRequestLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := time.Now().Add(40 * time.Second)
		claims := &failing{ClaimStore: memstore.New(), before: func(call string) error {
			if call == "Complete" && time.Now().Before(back) {
				return errors.New("store is down")
			}
			return nil
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		b := &business{}
		if err := driver.New(cache.New(claims), b).Process(ctx, order); err != nil {
			t.Error(err)
		}
		if err := driver.New(cache.New(claims), b).Process(t.Context(), order); err != nil || b.runs.Load() != 1 {
			t.Errorf("delivered again: %v; it ran %d times, want once", err, b.runs.Load())
		}
	})
}

func TestCompletesEvenWhenTheCallerHasGone(t *testing.T) {
	claims := memstore.New()
	ctx, cancel := context.WithCancel(t.Context())
	b := &business{do: func(context.Context, int) error { cancel(); return nil }}
	_ = cache.New(claims).Process(ctx, order, func(ctx context.Context, in driver.Message) error {
		return b.Process(ctx, in, func(context.Context, driver.Message) error { return nil })
	})
	if _, err := claims.Acquire(t.Context(), driver.NewClaim(order.Key), time.Second); !errors.Is(err, driver.ErrDone) {
		t.Errorf("the key is not completed, though it was processed: %v", err)
	}
}

// The claim must be remembered as completed only after the handler returned.
func TestKeyIsNotDoneWhileTheHandlerRuns(t *testing.T) {
	claims := memstore.New()
	b := &business{do: func(context.Context, int) error {
		if _, err := claims.Acquire(context.Background(), driver.NewClaim(order.Key), time.Second); !errors.Is(err, driver.ErrHeld) {
			t.Errorf("while the handler runs: %v; want ErrHeld", err)
		}
		return nil
	}}
	if err := driver.New(cache.New(claims), b).Process(t.Context(), order); err != nil {
		t.Fatal(err)
	}
}
