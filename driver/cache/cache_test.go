package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/stores/memstore"
)

var order = driver.Message{ID: "id", Key: "order-1", Source: "composed-event", Content: []byte("{}")}

// business is a handler that counts its runs.
type business struct {
	runs   atomic.Int32
	mu     sync.Mutex
	tokens []int64
	do     func(ctx context.Context, run int) error
}

func (b *business) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	run := b.runs.Add(1)
	claim, ok := driver.ClaimFrom(ctx)
	if !ok {
		return errors.New("no claim in the context")
	}
	b.mu.Lock()
	b.tokens = append(b.tokens, claim.Token)
	b.mu.Unlock()
	if b.do != nil {
		if err := b.do(ctx, int(run)); err != nil {
			return err
		}
	}
	return next.Call(ctx, in)
}

// failing is a store whose calls can be made to fail, before or after the work.
type failing struct {
	driver.ClaimStore
	before, after func(call string) error

	mu    sync.Mutex
	calls []string
}

func (f *failing) do(call string, work func() error) error {
	f.mu.Lock()
	f.calls = append(f.calls, call)
	f.mu.Unlock()
	if f.before != nil {
		if err := f.before(call); err != nil {
			return err
		}
	}
	err := work()
	if err == nil && f.after != nil {
		return f.after(call)
	}
	return err
}

func (f *failing) Acquire(ctx context.Context, wanted driver.Claim, ttl time.Duration) (c driver.Claim, err error) {
	err = f.do("Acquire", func() error { c, err = f.ClaimStore.Acquire(ctx, wanted, ttl); return err })
	return c, err
}

func (f *failing) Renew(ctx context.Context, c driver.Claim, ttl time.Duration) (renewed driver.Claim, err error) {
	err = f.do("Renew", func() error { renewed, err = f.ClaimStore.Renew(ctx, c, ttl); return err })
	return renewed, err
}

func (f *failing) Complete(ctx context.Context, c driver.Claim, outcome driver.Outcome) error {
	return f.do("Complete", func() error { return f.ClaimStore.Complete(ctx, c, outcome) })
}

func (f *failing) Release(ctx context.Context, c driver.Claim, r driver.Released) error {
	return f.do("Release", func() error { return f.ClaimStore.Release(ctx, c, r) })
}

// once fails the first call of that name.
func once(name string, err error) func(string) error {
	failed := false
	return func(call string) error {
		if call != name || failed {
			return nil
		}
		failed = true
		return err
	}
}

func TestProcessesAKeyOnce(t *testing.T) {
	b := &business{}
	p := driver.New(cache.New(memstore.New()), b)
	for range 3 {
		if err := p.Process(t.Context(), order); err != nil {
			t.Fatal(err)
		}
	}
	other := order
	other.Key = "order-2"
	if err := p.Process(t.Context(), other); err != nil || b.runs.Load() != 2 {
		t.Errorf("%d runs for two keys, %v", b.runs.Load(), err)
	}
}

func TestConflictPolicies(t *testing.T) {
	var handled atomic.Int32
	count := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		handled.Add(1)
		return next(ctx, in)
	})
	for _, c := range []struct {
		name    string
		opts    []cache.Option
		check   func(error) bool
		handled int32
	}{
		{"the default skips", nil, func(err error) bool { return err == nil }, 1},
		{"SkipOnConflict", []cache.Option{cache.SkipOnConflict()}, func(err error) bool { return err == nil }, 1},
		{"FailOnDone", []cache.Option{cache.FailOnDone()}, func(err error) bool {
			return errors.Is(err, driver.ErrDone) && driver.ReasonOf(err) == driver.ReasonDuplicate
		}, 1},
		{"HandleDone goes on if it wants to", []cache.Option{cache.HandleDone(driver.HandlerFunc(
			func(ctx context.Context, in driver.Message, next driver.Next) error { return next(ctx, in) }))},
			func(err error) bool { return err == nil }, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			handled.Store(0)
			p := driver.New(cache.New(memstore.New(), c.opts...), count)
			if err := p.Process(t.Context(), order); err != nil {
				t.Fatal(err)
			}
			if err := p.Process(t.Context(), order); !c.check(err) || handled.Load() != c.handled {
				t.Errorf("error %v, %d handled; want %d", err, handled.Load(), c.handled)
			}
		})
	}
}

func TestKeyFrom(t *testing.T) {
	b := &business{}
	p := driver.New(cache.New(memstore.New(), cache.KeyFrom(func(m driver.Message) string { return m.ID })), b)
	for _, id := range []string{"a", "b", "a"} {
		m := order
		m.ID = id
		if err := p.Process(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if b.runs.Load() != 2 {
		t.Errorf("%d runs for two IDs", b.runs.Load())
	}
	if err := p.Process(t.Context(), driver.Message{Key: "k"}); driver.ReasonOf(err) != driver.ReasonNoKey {
		t.Errorf("an empty key: %v", err)
	}
}

func TestFailureReleasesTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := errors.New("out of stock")
		b := &business{do: func(_ context.Context, run int) error {
			switch run {
			case 1:
				return out
			case 2:
				panic("boom")
			}
			return nil
		}}
		p := driver.New(cache.New(memstore.New()), b)
		start := time.Now()
		if err := p.Process(t.Context(), order); !errors.Is(err, out) {
			t.Errorf("first: %v; want the handler's error", err)
		}
		var panicked *driver.PanicError
		if err := p.Process(t.Context(), order); !errors.As(err, &panicked) {
			t.Errorf("second: %v; want the panic", err)
		}
		if err := p.Process(t.Context(), order); err != nil || b.runs.Load() != 3 {
			t.Errorf("third: %v after %d runs", err, b.runs.Load())
		}
		if fmt.Sprint(b.tokens) != "[1 2 3]" || time.Since(start) != 0 {
			t.Errorf("tokens %v after %v; want growing ones, at once", b.tokens, time.Since(start))
		}
	})
}

func TestPanicThroughARawNextReleasesToo(t *testing.T) {
	claims := memstore.New()
	func() {
		defer func() { _ = recover() }()
		_ = cache.New(claims).Process(t.Context(), order, func(context.Context, driver.Message) error { panic("boom") })
	}()
	if _, err := claims.Acquire(t.Context(), driver.NewClaim(order.Key), time.Second); err != nil {
		t.Errorf("the key is still held after a panic: %v", err)
	}
}

func TestHeldKeyWaitsThenFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := memstore.New()
		if _, err := claims.Acquire(t.Context(), driver.NewClaim(order.Key), time.Hour); err != nil {
			t.Fatal(err)
		}
		b := &business{}
		p := driver.New(cache.New(claims, cache.WaitOnHeld(3*time.Second)), b)
		start := time.Now()
		err := p.Process(t.Context(), order)
		var held *driver.HeldError
		if !errors.As(err, &held) || driver.IsPermanent(err) || b.runs.Load() != 0 {
			t.Errorf("error %v, %d runs; want a HeldError that is tried again", err, b.runs.Load())
		}
		if waited := time.Since(start); waited != 3*time.Second {
			t.Errorf("waited %v; want 3s", waited)
		}
	})
}

func TestHeldKeyIsSkippedOnceItsHolderCompletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &business{do: func(ctx context.Context, _ int) error { time.Sleep(time.Second); return nil }}
		p := driver.New(cache.New(memstore.New()), b)
		first := p.ProcessAsync(t.Context(), order)
		second := p.ProcessAsync(t.Context(), order)
		if err := errors.Join(<-first, <-second); err != nil || b.runs.Load() != 1 {
			t.Errorf("error %v, %d runs; want one run, and the other to be skipped", err, b.runs.Load())
		}
	})
}

func TestLongHandlerKeepsItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := &failing{ClaimStore: memstore.New()}
		b := &business{do: func(ctx context.Context, _ int) error { return pause(ctx, time.Minute) }}
		p := driver.New(cache.New(claims, cache.Lease(6*time.Second), cache.WaitOnHeld(0)), b)
		other := driver.New(cache.New(claims, cache.WaitOnHeld(0)), b)
		first := p.ProcessAsync(t.Context(), order)
		for range 5 {
			time.Sleep(11 * time.Second)
			if err := other.Process(t.Context(), order); !errors.Is(err, driver.ErrHeld) {
				t.Errorf("after %v: %v; want the key still held", 11*time.Second, err)
			}
		}
		if err := <-first; err != nil || b.runs.Load() != 1 {
			t.Errorf("error %v, %d runs", err, b.runs.Load())
		}
		renewals := strings.Count(strings.Join(claims.calls, " "), "Renew")
		if renewals < 28 || renewals > 30 { // one each 2 s of 60 s
			t.Errorf("%d renewals in a minute; want one each third of 6s", renewals)
		}
	})
}

func TestHandlerContextEndsBeforeTheLeaseDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := &failing{ClaimStore: memstore.New(), before: func(call string) error {
			if call == "Renew" {
				return errors.New("store is down")
			}
			return nil
		}}
		var ended time.Time
		var expires time.Time
		b := &business{do: func(ctx context.Context, _ int) error {
			claim, _ := driver.ClaimFrom(ctx)
			expires = claim.Expires
			err := pause(ctx, time.Hour)
			ended = time.Now()
			return err
		}}
		err := driver.New(cache.New(claims, cache.Lease(time.Minute), cache.ClockSkew(5*time.Second)), b).Process(t.Context(), order)
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "lease") {
			t.Errorf("error %v; want it to say that the lease could not be held", err)
		}
		if left := expires.Sub(ended); left != 5*time.Second {
			t.Errorf("the context ended %v before the lease; want the clock skew, 5s", left)
		}
	})
}

func TestHandlerContextEndsAtOnceWhenTheClaimIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		claims := &failing{ClaimStore: store, before: once("Renew", fmt.Errorf("renew: %w", driver.ErrLost))}
		start := time.Now()
		b := &business{do: func(ctx context.Context, _ int) error { return pause(ctx, time.Hour) }}
		err := driver.New(cache.New(claims, cache.Lease(time.Minute)), b).Process(t.Context(), order)
		if !errors.Is(err, driver.ErrLost) || time.Since(start) != 20*time.Second {
			t.Errorf("error %v after %v; want ErrLost at the first renewal, 20s", err, time.Since(start))
		}
	})
}

func TestLeaseLength(t *testing.T) {
	for _, c := range []struct {
		name     string
		opts     []cache.Option
		deadline time.Duration
		want     time.Duration
	}{
		{"configured", []cache.Option{cache.Lease(time.Minute)}, time.Hour, time.Minute},
		{"until the deadline and the skew", []cache.Option{cache.ClockSkew(7 * time.Second)}, time.Minute, 67 * time.Second},
		{"default", nil, 0, 10 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				b := &business{do: func(ctx context.Context, _ int) error {
					claim, _ := driver.ClaimFrom(ctx)
					if got := time.Until(claim.Expires); got != c.want {
						t.Errorf("lease of %v; want %v", got, c.want)
					}
					return nil
				}}
				if err := driver.New(cache.New(memstore.New(), c.opts...), b).Process(ctx, order); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestNoRenewalWhereTheLeaseOutlastsTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := &failing{ClaimStore: memstore.New()}
		b := &business{do: func(ctx context.Context, _ int) error { return pause(ctx, 50*time.Second) }}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := driver.New(cache.New(claims), b).Process(ctx, order); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(claims.calls); got != "[Acquire Complete]" {
			t.Errorf("calls %s; want no renewal, each costs", got)
		}
	})
}

// A lease that outlasts the deadline by less than its margin is renewed: the handler would be
// cut short before the deadline.
func TestRenewalWhereTheMarginBeginsBeforeTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &business{do: func(ctx context.Context, _ int) error { return pause(ctx, 54*time.Second) }}
		ctx, cancel := context.WithTimeout(t.Context(), 55*time.Second)
		defer cancel()
		if err := driver.New(cache.New(memstore.New(), cache.Lease(time.Minute)), b).Process(ctx, order); err != nil {
			t.Error(err)
		}
	})
}

// pause waits for d, or until the context ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestNewRefusesNil(t *testing.T) {
	for name, opt := range map[string]cache.Option{"KeyFrom": cache.KeyFrom(nil), "HandleDone": cache.HandleDone(nil)} {
		func() {
			defer func() {
				if err, _ := recover().(error); err == nil || !strings.Contains(err.Error(), name) {
					t.Errorf("panic %v; want an error that names %s", err, name)
				}
			}()
			cache.New(memstore.New(), opt)
		}()
	}
}
