package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/stores/memstore"
)

// slowClaims is a store whose answers to Acquire come late: the first ones, each by so
// much, before the work or after it.
type slowClaims struct {
	driver.ClaimStore
	before, after []time.Duration
}

func (s *slowClaims) Acquire(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	next := func(delays *[]time.Duration) {
		if len(*delays) > 0 {
			time.Sleep((*delays)[0])
			*delays = (*delays)[1:]
		}
	}
	next(&s.before)
	c, err := s.ClaimStore.Acquire(ctx, c, ttl)
	next(&s.after)
	return c, err
}

// A claim whose answer comes when the lease can't be relied upon any more calls
// nothing, and is given back; one that comes just in time does.
func TestClaimThatComesTooLate(t *testing.T) {
	quarantine := func(ran *int) cache.Option {
		return cache.QuarantineOnExpiry(driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { *ran++; return nil }))
	}
	for _, c := range []struct {
		name     string
		lease    time.Duration // 0: a request of 10 s
		request  bool          // of 10 s, also with a lease
		delay    time.Duration
		runs     bool
		crashed  bool // somebody did, before
		handlers bool // keys are quarantined
	}{
		{name: "a lease of 8 s, in time", lease: 8 * time.Second, delay: 6*time.Second - 1, runs: true},
		{name: "a lease of 8 s, within its margin", lease: 8 * time.Second, delay: 6 * time.Second},
		{name: "a lease of 8 s, after it", lease: 8 * time.Second, delay: 9 * time.Second},
		{name: "a request, in time", delay: 10*time.Second - 1, runs: true},
		{name: "a request that is over", delay: 10 * time.Second},
		{name: "a request, after its lease", delay: 21 * time.Second},
		{name: "a long lease, and a request in time", lease: time.Minute, request: true, delay: 10*time.Second - 1, runs: true},
		{name: "a long lease, and a request that is over", lease: time.Minute, request: true, delay: 10 * time.Second},
		{name: "a takeover, too late", lease: 8 * time.Second, delay: 6 * time.Second, crashed: true},
		{name: "a takeover that is quarantined, in time", lease: 8 * time.Second, delay: 5 * time.Second, crashed: true, handlers: true, runs: true},
		{name: "a takeover that is quarantined, too late", lease: 8 * time.Second, delay: 6 * time.Second, crashed: true, handlers: true},
	} {
		for _, late := range []string{"before", "after"} {
			t.Run(c.name+", slow "+late, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := memstore.New()
					if c.crashed {
						crashed(t, store, time.Minute)
						time.Sleep(time.Minute)
					}
					slow := &slowClaims{ClaimStore: store}
					if late == "before" {
						slow.before = []time.Duration{c.delay}
					} else {
						slow.after = []time.Duration{c.delay}
					}
					ran := 0
					opts := []cache.Option{cache.Lease(c.lease), cache.WaitOnHeld(0)}
					if c.handlers {
						opts = append(opts, quarantine(&ran))
					}
					ctx, cancel := context.WithCancel(t.Context())
					if c.lease == 0 || c.request {
						ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
					}
					defer cancel()
					err := cache.New(slow, opts...).Process(ctx, order, func(context.Context, driver.Message) error {
						if c.handlers {
							t.Error("a key in quarantine was processed")
						}
						ran++
						return nil
					})
					if (err == nil) != c.runs || (ran == 1) != c.runs || driver.IsPermanent(err) {
						t.Fatalf("error %v, ran %d times; want it to run: %v", err, ran, c.runs)
					}
					if c.runs {
						return
					}
					// It was given back: the next one need not wait, and knows what this one knew.
					claim, err := store.Acquire(t.Context(), driver.NewClaim(order.Key), time.Minute)
					unknown := claim.Takeover || claim.Mark == driver.MarkQuarantined
					if err != nil || unknown != c.handlers {
						t.Errorf("the next holder: %+v, %v; want it to know of the crash: %v", claim, err, c.handlers)
					}
				})
			})
		}
	}
}

// A lease whose claim came late, but in time, is renewed before it ends.
func TestClaimThatComesLateIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowClaims{ClaimStore: memstore.New(), after: []time.Duration{20 * time.Second}}
		b := &business{do: func(ctx context.Context, _ int) error { return pause(ctx, time.Minute) }}
		p := driver.New(cache.New(slow, cache.Lease(30*time.Second)), b) // it is relied upon for 22.5 s
		if err := p.Process(t.Context(), order); err != nil || b.runs.Load() != 1 {
			t.Errorf("error %v, %d runs", err, b.runs.Load())
		}
	})
}

// A mark that the holder before has left stays when nothing was called.
func TestLateClaimKeepsTheMark(t *testing.T) {
	for _, mark := range []driver.Mark{driver.MarkFailed, driver.MarkQuarantined} {
		synctest.Test(t, func(t *testing.T) {
			store := memstore.New()
			if err := store.Release(t.Context(), crashed(t, store, time.Minute), driver.Released{Mark: mark}); err != nil {
				t.Fatal(err)
			}
			slow := &slowClaims{ClaimStore: store, after: []time.Duration{time.Minute}}
			if err := driver.New(cache.New(slow, cache.Lease(time.Minute)), &business{}).Process(t.Context(), order); err == nil {
				t.Error("acknowledged")
			}
			if claim, err := store.Acquire(t.Context(), driver.NewClaim(order.Key), time.Minute); err != nil || claim.Mark != mark {
				t.Errorf("mark %q, %v; want %q", claim.Mark, err, mark)
			}
		})
	}
}

// The old holder hears of its claim when a successor has completed the key.
func TestLateClaimAfterItsSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := memstore.New(), &business{}
		slow := &slowClaims{ClaimStore: store, after: []time.Duration{6 * time.Second}}
		late := driver.New(cache.New(slow, cache.Lease(5*time.Second)), b).ProcessAsync(t.Context(), order)
		time.Sleep(5*time.Second + time.Millisecond)
		if err := driver.New(cache.New(store), b).Process(t.Context(), order); err != nil {
			t.Fatal(err)
		}
		if err := <-late; err == nil || driver.IsPermanent(err) || b.runs.Load() != 1 {
			t.Errorf("error %v, %d runs; want the late one to be delivered again, and one run", err, b.runs.Load())
		}
	})
}

// The store is told with how much margin its claims are held.
func TestMarginTravelsWithTheClaim(t *testing.T) {
	for _, c := range []struct {
		opts     []cache.Option
		deadline time.Duration
		want     time.Duration
	}{
		{[]cache.Option{cache.Lease(time.Minute)}, 0, 10 * time.Second},
		{[]cache.Option{cache.Lease(8 * time.Second)}, 0, 2 * time.Second},
		{[]cache.Option{cache.Lease(8 * time.Second), cache.ClockSkew(time.Second)}, 0, time.Second},
		{nil, 4 * time.Second, 10 * time.Second},
		{[]cache.Option{cache.ClockSkew(time.Minute)}, 4 * time.Second, time.Minute},
		{nil, 0, 10 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			if c.deadline > 0 {
				ctx, cancel = context.WithTimeout(t.Context(), c.deadline)
			}
			defer cancel()
			seen := &margins{ClaimStore: memstore.New()}
			var ends time.Time
			err := cache.New(seen, c.opts...).Process(ctx, order, func(ctx context.Context, _ driver.Message) error {
				claim, _ := driver.ClaimFrom(ctx)
				if claim.Margin != c.want {
					t.Errorf("the handler's claim has a margin of %v, want %v", claim.Margin, c.want)
				}
				ends = claim.Expires.Add(-claim.Margin)
				if deadline, ok := ctx.Deadline(); ok && deadline.After(ends) {
					t.Errorf("the handler may run until %v, and the lease lasts until %v", deadline, ends)
				}
				return nil
			})
			if want := fmt.Sprint([]time.Duration{c.want, c.want}); err != nil || fmt.Sprint(seen.margins) != want {
				t.Errorf("%v; Acquire and Complete are told %v, want %s", err, seen.margins, want)
			}
		})
	}
}

type margins struct {
	driver.ClaimStore
	margins []time.Duration
}

func (m *margins) Acquire(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	m.margins = append(m.margins, c.Margin)
	return m.ClaimStore.Acquire(ctx, c, ttl)
}

func (m *margins) Complete(ctx context.Context, c driver.Claim, outcome driver.Outcome) error {
	m.margins = append(m.margins, c.Margin)
	return m.ClaimStore.Complete(ctx, c, outcome)
}

// hints is a store that notes which calls of Acquire know of another's claim.
type hints struct {
	driver.ClaimStore
	tokens []int64
	at     []time.Duration
	start  time.Time
}

func (h *hints) Acquire(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	h.tokens, h.at = append(h.tokens, c.Token), append(h.at, time.Since(h.start))
	return h.ClaimStore.Acquire(ctx, c, ttl)
}

// A message that waits for a key tells the store that it is held, so that nothing is
// written, and asks ever less often.
func TestWaitingIsCheap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &hints{ClaimStore: memstore.New(), start: time.Now()}
		crashed(t, store.ClaimStore, time.Hour)
		if err := driver.New(cache.New(store), &business{}).Process(t.Context(), order); !errors.Is(err, driver.ErrHeld) {
			t.Error(err)
		}
		if got := strings.Trim(fmt.Sprint(store.tokens), "[]"); got != "0 1 1 1 1" {
			t.Errorf("Acquire was called with the tokens %s; want all but the first to know of token 1", got)
		}
		for i := 2; i < len(store.at)-1; i++ {
			if store.at[i]-store.at[i-1] <= store.at[i-1]-store.at[i-2] {
				t.Errorf("asked after %v: the pauses do not grow", store.at)
			}
		}
		if last := store.at[len(store.at)-1]; last != cache.DefaultWait {
			t.Errorf("asked last after %v", last)
		}
	})
}

// slowRenewal is a store whose first renewal is answered late, and whose others fail.
type slowRenewal struct {
	driver.ClaimStore
	late    time.Duration
	renewed bool
}

func (s *slowRenewal) Renew(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	if s.renewed {
		return driver.Claim{}, errors.New("the store is down")
	}
	s.renewed = true
	c, err := s.ClaimStore.Renew(ctx, c, ttl)
	time.Sleep(s.late)
	return c, err
}

// A renewed lease counts from when it was asked for: the store's clock began to count no
// later than that answer was on its way.
func TestRenewedLeaseCountsFromTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lease, late = time.Minute, 15 * time.Second
		start, store := time.Now(), memstore.New()
		var ended time.Duration
		waits := driver.HandlerFunc(func(ctx context.Context, _ driver.Message, _ driver.Next) error {
			<-ctx.Done()
			ended = time.Since(start)
			return ctx.Err()
		})
		p := driver.New(cache.New(&slowRenewal{ClaimStore: store, late: late}, cache.Lease(lease)), waits)
		if err := p.Process(t.Context(), order); err == nil {
			t.Error("the handler outlived its lease")
		}
		if want := lease/3 + lease - cache.DefaultClockSkew; ended != want {
			t.Errorf("the handler's context ended after %v, want %v", ended, want)
		}
	})
}

// A key is completed once the renewal under way has its answer, and by the claim that it renewed.
func TestRenewalUnderWayIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lease, late = time.Minute, 10 * time.Second
		start := time.Now()
		var completed time.Duration
		claims := &failing{
			ClaimStore: &slowRenewal{ClaimStore: memstore.New(), late: late},
			before: func(call string) error {
				if call == "Complete" {
					completed = time.Since(start)
				}
				return nil
			},
		}
		returns := &business{do: func(ctx context.Context, _ int) error { return pause(ctx, lease/3+time.Second) }}
		if err := driver.New(cache.New(claims, cache.Lease(lease)), returns).Process(t.Context(), order); err != nil {
			t.Error(err)
		}
		if want := lease/3 + late; completed != want {
			t.Errorf("completed after %v; want the renewal's answer, %v", completed, want)
		}
	})
}
