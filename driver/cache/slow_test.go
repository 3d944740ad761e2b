package cache_test

import (
	"cmp"
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

// slow is a store whose calls take their time, as BigQuery's do, and end with their contexts.
type slow struct {
	driver.ClaimStore
	acquire, release time.Duration
}

func (s slow) Acquire(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	if err := pause(ctx, s.acquire); err != nil {
		return driver.Claim{}, err
	}
	return s.ClaimStore.Acquire(ctx, c, ttl)
}

func (s slow) Release(ctx context.Context, c driver.Claim, r driver.Released) error {
	if err := pause(ctx, s.release); err != nil {
		return err
	}
	return s.ClaimStore.Release(ctx, c, r)
}

// A store that is slow is not down: the key must not be held by nobody for a lease.
func TestSlowReleaseIsWaitedFor(t *testing.T) {
	for _, takes := range []time.Duration{7 * time.Second, 50 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			claims := memstore.New()
			b := &business{do: func(context.Context, int) error { return errors.New("fails") }}
			_ = driver.New(cache.New(slow{claims, 0, takes}), b).Process(t.Context(), order)
			free(t, claims)
		})
	}
}

// Clients that wait for a shorter time than the store takes to claim a key do not keep it from being
// processed, as long as their requests may last.
func TestClaimOutlastsItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &business{}
		p := driver.New(cache.New(slow{memstore.New(), 25 * time.Second, 0}), b)
		if n := impatient(t, p, 10*time.Second, time.Minute); n != 3 || b.runs.Load() != 1 {
			t.Errorf("acknowledged at delivery %d, after %d runs; want 3 and 1", n, b.runs.Load())
		}
	})
}

// It ends with the request's time. Where that has none, it ends with the lease that was asked for, though the client has
// gone: a store that never answers must not keep the key from being claimed again at the same instance.
func TestClaimEndsWithTheRequestOrItsLease(t *testing.T) {
	for name, limit := range map[string]time.Duration{"request": 10 * time.Second, "lease": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, gone := context.WithCancel(t.Context())
				if limit > 0 {
					ctx, gone = context.WithTimeout(ctx, limit)
				}
				time.AfterFunc(10*time.Second, gone)
				b, start := &business{}, time.Now()
				err := cache.New(slow{memstore.New(), 24 * time.Hour, 0}, cache.Lease(time.Minute)).Process(ctx, order,
					func(context.Context, driver.Message) error {
						b.runs.Add(1)
						return nil
					})
				most := cmp.Or(limit, time.Minute) + time.Minute // to give back what may have been stored
				if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || b.runs.Load() != 0 || took > most {
					t.Errorf("%v after %v and %d runs", err, took, b.runs.Load())
				}
			})
		})
	}
}

// free checks that a key is neither held nor taken over, but as if nobody had claimed it.
func free(t *testing.T, claims driver.ClaimStore) {
	t.Helper()
	if c, err := claims.Acquire(t.Context(), driver.NewClaim(order.Key), time.Second); err != nil || c.Takeover {
		t.Errorf("the key is not free: %+v, %v", c, err)
	}
}

// What may have been stored by a slow store is given back, however long that takes.
func TestClaimOfASlowStoreIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost, claims := errors.New("the answer was lost"), memstore.New()
		acquired := 0
		flaky := &failing{ClaimStore: slow{claims, 30 * time.Second, 30 * time.Second}, after: func(call string) error {
			if call != "Acquire" {
				return nil
			}
			if acquired++; acquired <= 3 {
				return lost
			}
			return nil
		}}
		if err := cache.New(flaky).Process(t.Context(), order, nil); !errors.Is(err, lost) {
			t.Errorf("%v after the calls %v", err, flaky.calls)
		}
		free(t, claims)
	})
}

// A store that is busy knows as little of a claim whose answer was lost as one that fails.
func TestClaimIsGivenBackThatABusyStoreMayHaveStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims, start := memstore.New(), time.Now()
		lose := once("Acquire", errors.New("the answer was lost"))
		busy := &failing{ClaimStore: claims, after: lose}
		busy.before = func(call string) error {
			if call == "Acquire" && len(busy.calls) > 1 && time.Since(start) < 3*time.Second {
				return fmt.Errorf("the queue is long: %w", driver.ErrHeld)
			}
			return nil
		}
		if err := cache.New(busy).Process(t.Context(), order, nil); !errors.Is(err, driver.ErrHeld) {
			t.Errorf("%v after the calls %v", err, busy.calls)
		}
		free(t, claims)
	})
}
