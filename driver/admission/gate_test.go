package admission_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/admission"
)

const total = 256 << 20

// big is a request of which two fit beside each other, and not three.
const big = total / 16 * 6 / 2

func admit(t *testing.T, g *admission.Gate, n int64) *admission.Grant {
	t.Helper()
	grant, err := g.Admit(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return grant
}

func TestRequestsWaitForTheirTurnInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admission.New(total)
		first, second := admit(t, g, big), admit(t, g, big)
		var mu sync.Mutex
		var order []int64
		var wait sync.WaitGroup
		for _, n := range []int64{2 * big, big, big - 1} {
			wait.Go(func() {
				grant, err := g.Admit(t.Context(), n)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, n)
				mu.Unlock()
				time.Sleep(time.Second)
				grant.Release()
			})
			synctest.Wait()
		}
		first.Release()
		synctest.Wait()
		if len(order) != 0 {
			t.Errorf("%v overtook the first in the queue", order)
		}
		second.Release()
		wait.Wait()
		if len(order) != 3 || order[0] != 2*big {
			t.Errorf("let in %v; want the order of arrival", order)
		}
		if g.InUse() != 0 {
			t.Errorf("%d bytes are in use in the end", g.InUse())
		}
	})
}

func TestRequestsAreSentAwayInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admission.New(total)
		grant := admit(t, g, 2*big)
		began := time.Now()
		_, err := g.Admit(t.Context(), big)
		if !errors.Is(err, driver.ErrNoMemory) || driver.IsPermanent(err) {
			t.Errorf("%v; want ErrNoMemory, which is not permanent", err)
		}
		if waited := time.Since(began); waited != admission.Wait || waited >= 5*time.Second {
			t.Errorf("waited for %v, which must be less than half the deadline of ten seconds", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := g.Admit(ctx, big); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, driver.ErrNoMemory) {
			t.Errorf("%v; want the context's error", err)
		}
		if _, err := g.Try(big); !errors.Is(err, driver.ErrNoMemory) {
			t.Errorf("Try: %v", err)
		}
		// Whoever leaves the queue lets in those behind who need less.
		grant.Release()
		grant = admit(t, g, big)
		go func() { _, _ = g.Admit(t.Context(), 2*big) }()
		time.Sleep(time.Second)
		began = time.Now()
		admit(t, g, big).Release()
		if waited := time.Since(began); waited != admission.Wait-time.Second {
			t.Errorf("waited for %v behind one that needs more", waited)
		}
		grant.Release()
		if g.InUse() != 0 {
			t.Errorf("%d bytes are in use in the end", g.InUse())
		}
	})
}

func TestSmallRequestsDoNotWaitForLargeOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admission.New(total)
		defer admit(t, g, 2*big).Release()
		for range 10 {
			go func() { _, _ = g.Admit(t.Context(), big) }()
		}
		owner := admit(t, g, admission.Small)
		defer owner.Release()
		if err := owner.Grow(g.Growth()); err != nil { // the lane
			t.Fatal(err)
		}
		synctest.Wait()
		began := time.Now()
		for range 20 {
			grant := admit(t, g, admission.Small)
			defer grant.Release()
			if err := grant.Grow(admission.Small); err != nil {
				t.Errorf("a small request could not grow by as much again: %v", err)
			}
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("small requests waited for %v", waited)
		}
		time.Sleep(admission.Wait)
	})
}

func TestOneAtATimeCanAlwaysGrow(t *testing.T) {
	g := admission.New(total)
	first, second := admit(t, g, big), admit(t, g, big) // the share is full
	for range 4 {
		if err := first.Grow(g.Growth() / 4); err != nil {
			t.Errorf("the first: %v", err)
		}
	}
	if err := second.Grow(1); !errors.Is(err, driver.ErrNoMemory) || driver.IsPermanent(err) {
		t.Errorf("the second: %v; want ErrNoMemory", err)
	}
	if g.InUse() != 2*big+g.Growth() {
		t.Errorf("%d bytes are in use", g.InUse())
	}
	first.Release()
	if err := second.Grow(g.Growth()); err != nil {
		t.Errorf("the second, alone: %v", err)
	}
	second.Release()
	if g.InUse() != 0 {
		t.Errorf("%d bytes are in use in the end", g.InUse())
	}
}

// TestTooLargeDoesNotDependOnTheLoad: what is too large alone is too large for the one
// that has the lane, for one that is refused, and where everything is free.
func TestTooLargeDoesNotDependOnTheLoad(t *testing.T) {
	g := admission.New(total)
	first, second, third := admit(t, g, big), admit(t, g, big), admit(t, g, 1)
	if err := first.Grow(1); err != nil {
		t.Fatal(err)
	}
	if err := third.Grow(1); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"with the lane": first.Grow(g.Growth()), "without": second.Grow(g.Growth() + 1), "small": third.Grow(g.Growth()),
		"alone": admit(t, admission.New(total), 1).Grow(g.Growth() + 1),
	} {
		if driver.ReasonOf(err) != driver.ReasonTooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := g.Admit(t.Context(), g.Largest()+1); driver.ReasonOf(err) != driver.ReasonTooLarge {
		t.Errorf("a request: %v", err)
	}
}

func TestGrowthDoesNotOvertakeTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admission.New(total)
		first, second := admit(t, g, big), admit(t, g, big/2)
		go func() {
			grant, err := g.Admit(t.Context(), big)
			if err != nil {
				t.Errorf("the one in the queue: %v", err)
				return
			}
			grant.Release()
		}()
		synctest.Wait()
		before := g.InUse()
		if err := first.Grow(1); err != nil {
			t.Fatal(err)
		}
		if err := second.Grow(big / 4); !errors.Is(err, driver.ErrNoMemory) {
			t.Errorf("what somebody waits for was given away: %v", err)
		}
		if g.InUse() != before+1 {
			t.Errorf("%d bytes are in use", g.InUse())
		}
		first.Release()
		second.Release()
		synctest.Wait()
	})
}

func TestWhatShrinksIsFree(t *testing.T) {
	g := admission.New(total)
	first, second := admit(t, g, big), admit(t, g, big)
	small := admit(t, g, 1)
	before := g.InUse()
	for name, grant := range map[string]*admission.Grant{"large": first, "other": second, "small": small} {
		for range 3 {
			for _, n := range []int64{g.Growth() / 2, g.Growth() / 2} {
				if err := grant.Grow(n); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			grant.Shrink(g.Growth())
		}
		if g.InUse() != before {
			t.Errorf("%s: %d bytes are in use, want %d", name, g.InUse(), before)
		}
	}
	if err := small.Grow(1); err != nil {
		t.Error(err)
	}
	for _, grant := range []*admission.Grant{first, second, small} {
		grant.Release()
	}
	if g.InUse() != 0 {
		t.Errorf("%d bytes are in use in the end", g.InUse())
	}
}

func TestGrantEndsWithItsLastHolder(t *testing.T) {
	g := admission.New(total)
	grant := admit(t, g, big)
	release := grant.Hold()
	grant.Release()
	if err := grant.Grow(1); err != nil || g.InUse() != big+1 {
		t.Errorf("%v, and %d bytes are in use while somebody holds them", err, g.InUse())
	}
	release()
	release()
	if g.InUse() != 0 {
		t.Errorf("%d bytes are in use in the end", g.InUse())
	}
	if err := grant.Grow(1); !errors.Is(err, driver.ErrNoMemory) || g.InUse() != 0 {
		t.Errorf("a grant that has ended: %v", err)
	}
}

// TestNeverMoreThanTheTotal has many requests of all sizes come, grow, hold, give up and
// end, and counts what they were given.
func TestNeverMoreThanTheTotal(t *testing.T) {
	g := admission.New(total)
	var given atomic.Int64
	var wait sync.WaitGroup
	for worker := range 50 {
		random := rand.New(rand.NewPCG(1, uint64(worker)))
		wait.Go(func() {
			for range 200 {
				n := random.Int64N(big) >> random.IntN(12)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(1000))*time.Microsecond)
				grant, err := g.Admit(ctx, n)
				cancel()
				if err != nil {
					continue
				}
				mine := n
				given.Add(n)
				for range random.IntN(4) {
					more := random.Int64N(g.Growth()/3) >> random.IntN(8)
					if grant.Grow(more) == nil {
						mine += more
						given.Add(more)
					}
					if given.Load() > total {
						t.Errorf("%d bytes were given", given.Load())
					}
				}
				given.Add(-mine)
				grant.Release()
			}
		})
	}
	wait.Wait()
	if g.InUse() != 0 {
		t.Errorf("%d bytes are in use in the end", g.InUse())
	}
}
