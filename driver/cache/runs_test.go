package cache_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/stores/memstore"
)

// impatient is a client that goes away after some time and sends its event again, until
// it is acknowledged.
func impatient(t *testing.T, p *driver.Pipeline, patience, deadline time.Duration) (deliveries int) {
	t.Helper()
	for deliveries = 1; deliveries <= 1000; deliveries++ {
		ctx, end := context.WithTimeout(t.Context(), deadline) // the platform's
		ctx, cancel := context.WithCancel(ctx)
		gone := time.AfterFunc(patience, cancel)
		err := p.Process(ctx, order)
		gone.Stop()
		cancel()
		end()
		if err == nil {
			return deliveries
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("never acknowledged")
	return deliveries
}

// A handler that takes longer than its client waits is run once, to its end.
func TestHandlerOutlastsItsClients(t *testing.T) {
	for _, c := range []struct{ patience, takes, deadline time.Duration }{
		{700 * time.Millisecond, 1500 * time.Millisecond, time.Minute},
		{10 * time.Second, 15 * time.Second, time.Minute},
		{10 * time.Second, 59 * time.Second, time.Minute},
		{time.Millisecond, 30 * time.Second, time.Minute},
	} {
		for _, elsewhere := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v of %v, redelivered elsewhere: %v", c.patience, c.takes, elsewhere), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					claims := &failing{ClaimStore: memstore.New()}
					b := &business{do: func(ctx context.Context, _ int) error { return pause(ctx, c.takes) }}
					p := driver.New(cache.New(claims), b)
					again := p
					if elsewhere {
						again = driver.New(cache.New(claims, cache.WaitOnHeld(0)), b)
					}
					ctx, end := context.WithTimeout(t.Context(), c.deadline)
					defer end()
					ctx, goAway := context.WithCancel(ctx)
					time.AfterFunc(c.patience, goAway)
					if err := p.Process(ctx, order); !errors.Is(err, context.Canceled) {
						t.Errorf("the client has gone: %v", err)
					}
					if p.Abandoned() != 1 {
						t.Errorf("%d runs are known to go on without a client", p.Abandoned())
					}
					for range 1000 {
						ctx, end := context.WithTimeout(t.Context(), max(c.patience, time.Second))
						err := again.Process(ctx, order)
						end()
						if err == nil {
							break
						}
						time.Sleep(100 * time.Millisecond)
					}
					want := "[Acquire Complete]"
					if got := fmt.Sprint(claims.calls); b.runs.Load() != 1 || !elsewhere && got != want {
						t.Errorf("%d runs, calls %s; want one run, and no call while others wait for it: %s", b.runs.Load(), got, want)
					}
					if synctest.Wait(); p.Abandoned() != 0 {
						t.Errorf("%d runs go on", p.Abandoned())
					}
				})
			})
		}
	}
}

// A run still ends at the function's own deadline, with its client gone.
func TestRunWithoutAClientEndsAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var ended time.Duration
		b := &business{do: func(ctx context.Context, run int) error {
			if run > 1 {
				return nil
			}
			err := pause(ctx, time.Hour)
			ended = time.Since(start)
			return err
		}}
		p := driver.New(cache.New(memstore.New()), b)
		if n := impatient(t, p, time.Second, time.Minute); n < 10 {
			t.Errorf("%d deliveries", n)
		}
		if ended != time.Minute || b.runs.Load() != 2 {
			t.Errorf("the first run ended after %v, there were %d; want it to end at its deadline, and another", ended, b.runs.Load())
		}
	})
}

// A message that waits for a run of its key tries itself when that fails.
func TestWaitsForARunThatFails(t *testing.T) {
	for name, failure := range map[string]func() error{
		"fails":  func() error { return errors.New("busy") },
		"panics": func() error { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &business{do: func(ctx context.Context, run int) error {
					time.Sleep(time.Second)
					if run < 3 {
						return failure()
					}
					return nil
				}}
				p := driver.New(cache.New(memstore.New()), b)
				var results []<-chan error
				for range 5 {
					results = append(results, p.ProcessAsync(t.Context(), order))
				}
				failed := 0
				for _, result := range results {
					if err := <-result; err != nil {
						failed++
					}
				}
				if failed != 2 || b.runs.Load() != 3 || fmt.Sprint(b.tokens) != "[1 2 3]" {
					t.Errorf("%d failed, tokens %v; want two failures, one run after the other, and then no more", failed, b.tokens)
				}
			})
		})
	}
}

// After a long run a delivery does not try with what it has read: a person may have corrected that meanwhile.
func TestWaitsTooLongForARunThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &business{do: func(context.Context, int) error {
			time.Sleep(6 * time.Second)
			return errors.New("busy")
		}}
		p := driver.New(cache.New(memstore.New()), b)
		first := p.ProcessAsync(t.Context(), order)
		synctest.Wait()
		err := p.Process(t.Context(), order)
		held, is := errors.AsType[*driver.HeldError](err) // so that the event is not too old, whatever its age
		if !is || held.Token != 1 || b.runs.Load() != 1 || errors.Is(<-first, driver.ErrHeld) {
			t.Errorf("%v after %d runs", err, b.runs.Load())
		}
	})
}

// A failure for good is that of all deliveries that wait for it, since the client of the
// run itself may have gone; another message of the key tries itself.
func TestWaitsForARunThatFailsForGood(t *testing.T) {
	for name, c := range map[string]struct {
		other driver.Message
		runs  int32
	}{
		"the same event":             {order, 1},
		"another event":              {driver.Message{ID: "other", Key: order.Key, Source: order.Source, Content: order.Content}, 2},
		"the event, another content": {driver.Message{ID: order.ID, Key: order.Key, Source: order.Source, Content: []byte("other")}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				never := errors.New("no such product")
				b := &business{do: func(ctx context.Context, run int) error {
					time.Sleep(15 * time.Second)
					if run == 1 {
						return driver.Permanent(never)
					}
					return nil
				}}
				p := driver.New(cache.New(memstore.New()), b)
				ctx, goAway := context.WithCancel(t.Context())
				time.AfterFunc(10*time.Second, goAway)
				if err := p.Process(ctx, order); !errors.Is(err, context.Canceled) {
					t.Errorf("the client has gone: %v", err)
				}
				err := p.Process(t.Context(), c.other)
				failed := driver.IsPermanent(err) && errors.Is(err, never)
				if failed != (c.runs == 1) || !failed && err != nil || b.runs.Load() != c.runs {
					t.Errorf("delivered while it runs: %v, %d runs; want %d", err, b.runs.Load(), c.runs)
				}
			})
		})
	}
}

// Of many that wait while another instance holds the key, one asks the store.
func TestHeldElsewhereIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := &failing{ClaimStore: memstore.New()}
		crashed(t, claims.ClaimStore, time.Hour)
		p := driver.New(cache.New(claims), &business{})
		start := time.Now()
		var results []<-chan error
		for range 50 {
			results = append(results, p.ProcessAsync(t.Context(), order))
		}
		for _, result := range results {
			var held *driver.HeldError
			if err := <-result; !errors.As(err, &held) || driver.IsPermanent(err) {
				t.Error(err)
			}
		}
		if len(claims.calls) > 5 || time.Since(start) != cache.DefaultWait {
			t.Errorf("%d calls in %v", len(claims.calls), time.Since(start))
		}
	})
}

// A message that waits gives up when its own context ends, and leaves the run alone.
func TestWaitingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &business{do: func(ctx context.Context, _ int) error { return pause(ctx, time.Minute) }}
		c := cache.New(memstore.New())
		next := func(ctx context.Context, m driver.Message) error {
			return b.Process(ctx, m, func(context.Context, driver.Message) error { return nil })
		}
		first := make(chan error, 1)
		go func() { first <- c.Process(t.Context(), order, next) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Process(ctx, order, next); !errors.Is(err, context.DeadlineExceeded) || driver.IsPermanent(err) {
			t.Errorf("the second: %v", err)
		}
		if err := <-first; err != nil || b.runs.Load() != 1 {
			t.Errorf("the first: %v, %d runs", err, b.runs.Load())
		}
	})
}

// Where a client goes away at a call of the store, the key is neither lost nor held by
// nobody, and its next delivery need not wait.
func TestClientGoesAwayAtACallOfTheStore(t *testing.T) {
	for _, call := range []string{"Acquire", "Complete", "Release"} {
		for _, when := range []string{"before", "after"} {
			t.Run(when+" "+call, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					goAway := func(got string) error {
						if got == call {
							cancel()
						}
						return nil
					}
					claims := &failing{ClaimStore: memstore.New()}
					if claims.before = goAway; when == "after" {
						claims.before, claims.after = nil, goAway
					}
					b := &business{do: func(_ context.Context, run int) error {
						if call == "Release" && run == 1 {
							return errors.New("busy")
						}
						return nil
					}}
					p := driver.New(cache.New(claims, cache.WaitOnHeld(0)), b)
					start := time.Now()
					_ = p.Process(ctx, order)
					synctest.Wait()
					want := int32(1)
					if call == "Release" {
						want = 2
					}
					if err := p.Process(t.Context(), order); err != nil || b.runs.Load() != want || time.Since(start) > 0 {
						t.Errorf("delivered again: %v, %d runs, after %v, calls %v; want %d runs", err, b.runs.Load(), time.Since(start), claims.calls, want)
					}
				})
			})
		}
	}
}

// A client that is gone before the key is claimed leaves nothing behind.
func TestClientThatIsGoneBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	claims, b := memstore.New(), &business{}
	err := cache.New(claims).Process(ctx, order, func(context.Context, driver.Message) error { b.runs.Add(1); return nil })
	if !errors.Is(err, context.Canceled) || b.runs.Load() != 0 {
		t.Errorf("error %v, %d runs", err, b.runs.Load())
	}
	if claim, err := claims.Acquire(t.Context(), driver.NewClaim(order.Key), time.Minute); err != nil || claim.Takeover {
		t.Errorf("%+v, %v", claim, err)
	}
}
