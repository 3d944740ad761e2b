package telemetry_test

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

// TestTakeoversAndFencedCompletionsAreCounted, of claims whose leases run out.
func TestTakeoversAndFencedCompletionsAreCounted(t *testing.T) {
	observed, _, reader := open(t)
	claims := observed.ClaimStore("memory", memstore.New())
	old, err := claims.Acquire(t.Context(), driver.NewClaim("k"), time.Nanosecond)
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	business := observed.Business(driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
		runs++
		return nil
	}))
	if err := driver.New(cache.New(claims), business).Process(t.Context(), driver.Message{Key: "k", Source: "s"}); err != nil || runs != 1 {
		t.Fatalf("%v, %d runs", err, runs)
	}
	if err := claims.Complete(t.Context(), old, ""); !errors.Is(err, driver.ErrLost) {
		t.Errorf("the old holder: %v", err)
	}
	if _, err := claims.Renew(t.Context(), old, time.Hour); !errors.Is(err, driver.ErrLost) {
		t.Errorf("the old holder: %v", err)
	}
	for name, want := range map[string]int64{"eventdriver.takeovers": 1, "eventdriver.completions.fenced": 1, "eventdriver.leases.lost": 1, "eventdriver.joins": 1} {
		if got := total(t, reader, name, "")[""]; got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	if got := total(t, reader, "eventdriver.runs", "eventdriver.repeated"); got["true"] != 1 || len(got) != 1 {
		t.Errorf("runs, by whether one was before: %v", got)
	}
}

// TestLostLeaseIsCountedOnce, whether the store says that it is lost or it can't be renewed in time; one that is kept is
// not counted.
func TestLostLeaseIsCountedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		renew error
		want  int64
	}{"the store says so": {driver.ErrLost, 1}, "it can't be renewed": {errors.New("unavailable"), 1}, "it is renewed": {nil, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				observed, _, reader := open(t)
				claims := observed.ClaimStore("memory", renewing{memstore.New(), c.renew})
				business := observed.Business(driver.HandlerFunc(func(ctx context.Context, _ driver.Message, _ driver.Next) error {
					select {
					case <-ctx.Done():
						return context.Cause(ctx)
					case <-time.After(5 * time.Minute):
						return nil
					}
				}))
				err := driver.New(cache.New(claims, cache.Lease(time.Minute)), business).Process(t.Context(), driver.Message{Key: "k", Source: "s"})
				if (err != nil) != (c.want > 0) {
					t.Errorf("the run ends with %v", err)
				}
				if got := total(t, reader, "eventdriver.leases.lost", "")[""]; got != c.want {
					t.Errorf("%d leases are lost, want %d", got, c.want)
				}
			})
		})
	}
}

// renewing is a store whose claims can be renewed, unless err is not nil.
type renewing struct {
	driver.ClaimStore
	err error
}

func (r renewing) Renew(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	if r.err != nil {
		return c, r.err
	}
	return r.ClaimStore.Renew(ctx, c, ttl)
}
