package gcsstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

// inBubble runs a test in which delays take no time. It opens stores with clocks that
// are ahead of the server's.
func inBubble(t *testing.T, server *gcs.Server, test func(t *testing.T, open func(ahead time.Duration) *gcsstore.Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, func(ahead time.Duration) *gcsstore.Store {
			t.Helper()
			transport := &gcs.Transport{Server: server, Ahead: ahead}
			store, err := gcsstore.New(t.Context(), gcsstore.Config(bucket), option.WithEndpoint(server.Endpoint()),
				option.WithHTTPClient(&http.Client{Transport: transport}))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(transport.Wait)
			return store
		})
	})
}

// delayed is a server whose answers take as long as delay says.
func delayed(t *testing.T, delay func(gcs.Request) time.Duration) *gcs.Server {
	t.Helper()
	server := gcs.New(t, bucket)
	server.OnRequest(func(r gcs.Request) gcs.Fault { return gcs.Fault{Delay: delay(r)} })
	return server
}

func writes(suffix string, r gcs.Request) bool {
	return r.Kind == gcs.Insert && strings.HasSuffix(r.Object, suffix)
}

// TestCompletionIsNotOvertaken has a holder complete at some time of its lease, with a
// request that takes its time, while one whose clock is ahead by as much as the margin
// tries to take over all the time. Never may both have the key.
func TestCompletionIsNotOvertaken(t *testing.T) {
	for _, lease := range []struct{ length, margin time.Duration }{
		{14 * time.Second, 10 * time.Second}, // what a request of 4 s asks for
		{4 * time.Second, time.Second},
		{time.Minute, 10 * time.Second},
	} {
		safe := lease.length - lease.margin
		for _, slow := range []time.Duration{0, 900 * time.Millisecond, 5 * time.Second, 9 * time.Second} {
			for _, at := range []time.Duration{0, safe / 2, safe - 10*time.Second, safe - slow/2, safe - time.Millisecond, safe + time.Millisecond} {
				if at < 0 {
					continue
				}
				t.Run(fmt.Sprintf("lease %v, margin %v, completed at %v in %v", lease.length, lease.margin, at, slow), func(t *testing.T) {
					t.Parallel()
					delay := func(r gcs.Request) time.Duration {
						if writes("/done", r) {
							return slow
						}
						return 0
					}
					inBubble(t, delayed(t, delay), func(t *testing.T, open func(time.Duration) *gcsstore.Store) {
						overtake(t, open(0), open(lease.margin-time.Millisecond), lease.length, lease.margin, at)
					})
				})
			}
		}
	}
}

func overtake(t *testing.T, holder, taker *gcsstore.Store, length, margin, at time.Duration) {
	t.Helper()
	want := driver.NewClaim("order-1")
	want.Margin = margin
	claim, err := holder.Acquire(t.Context(), want, length)
	if err != nil || claim.Margin != margin {
		t.Fatalf("%+v, %v", claim, err)
	}
	completed := make(chan error, 1)
	go func() {
		time.Sleep(at)
		completed <- holder.Complete(t.Context(), claim, driver.OutcomeProcessed)
	}()
	var taken error
	for range 1000 {
		time.Sleep(length / 50)
		if _, taken = taker.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour); !errors.Is(taken, driver.ErrHeld) {
			break
		}
	}
	err = <-completed
	if (err == nil) != errors.Is(taken, driver.ErrDone) || (taken == nil) != errors.Is(err, driver.ErrLost) {
		t.Errorf("Complete: %v, and the other's Acquire: %v; want exactly one to have the key", err, taken)
	}
	if at < length-margin && err != nil {
		t.Errorf("a holder that relies on its lease was overtaken: %v", err)
	}
}

// TestLeaseCountsFromTheRequest has the answer to Acquire, or to Renew, come late: the
// lease began when the server stored it, not when its holder heard of it.
func TestLeaseCountsFromTheRequest(t *testing.T) {
	for _, late := range []string{"Acquire", "Renew"} {
		t.Run(late, func(t *testing.T) {
			var slow atomic.Bool
			delay := func(r gcs.Request) time.Duration {
				if slow.Load() && writes("/claim", r) {
					return 7 * time.Second
				}
				return 0
			}
			inBubble(t, delayed(t, delay), func(t *testing.T, open func(time.Duration) *gcsstore.Store) {
				store := open(0)
				slow.Store(late == "Acquire")
				asked := time.Now()
				claim, err := store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Minute)
				if late == "Renew" {
					slow.Store(true)
					asked = time.Now()
					claim, err = store.Renew(t.Context(), claim, time.Minute)
				}
				slow.Store(false)
				if err != nil || time.Since(asked) != 7*time.Second || claim.Expires.After(asked.Add(time.Minute)) {
					t.Errorf("asked at %v, answered after %v: the lease ends at %v, %v", asked, time.Since(asked), claim.Expires, err)
				}
			})
		})
	}
}

// TestTakeoverGoesByTheServersClock: as long as a lease lasts by the time at which the
// server stored it, nobody with a clock that is right takes over, and then at once.
func TestTakeoverGoesByTheServersClock(t *testing.T) {
	inBubble(t, gcs.New(t, bucket), func(t *testing.T, open func(time.Duration) *gcsstore.Store) {
		holder, taker := open(0), open(0)
		claim, err := holder.Acquire(t.Context(), driver.NewClaim("order-1"), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute - time.Millisecond)
		_, err = taker.Acquire(t.Context(), driver.NewClaim("order-1"), time.Minute)
		held(t, err)
		time.Sleep(time.Millisecond)
		if taken, err := taker.Acquire(t.Context(), driver.NewClaim("order-1"), time.Minute); err != nil || !taken.Takeover || taken.Token != claim.Token+1 {
			t.Errorf("%+v, %v; want a takeover", taken, err)
		}
	})
}

// TestLostRenewalIsNotReliedUpon: a renewal for a shorter time whose answer is lost has
// happened, perhaps. A completion must not rely on the longer lease of before.
func TestLostRenewalIsNotReliedUpon(t *testing.T) {
	var slow atomic.Bool
	delay := func(r gcs.Request) time.Duration {
		if slow.Load() && writes("/claim", r) {
			return time.Second
		}
		return 0
	}
	inBubble(t, delayed(t, delay), func(t *testing.T, open func(time.Duration) *gcsstore.Store) {
		holder, taker := open(0), open(0)
		claim, err := holder.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		slow.Store(true)
		impatient, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if _, err := holder.Renew(impatient, claim, time.Second); err == nil {
			t.Fatal("the answer came in time")
		}
		slow.Store(false)
		time.Sleep(time.Minute)
		taken, err := taker.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
		if err != nil || !taken.Takeover {
			t.Fatalf("%+v, %v; want a takeover of the shortened lease", taken, err)
		}
		lost(t, "Complete after a renewal whose answer was lost", holder.Complete(t.Context(), claim, driver.OutcomeProcessed))
	})
}

// TestCompletionIsNotWaitedForBeyondTheLease: what is answered after the lease has safely
// ended may have come after a takeover, so it is no completion.
func TestCompletionIsNotWaitedForBeyondTheLease(t *testing.T) {
	delay := func(r gcs.Request) time.Duration {
		if writes("/done", r) {
			return 20 * time.Second
		}
		return 0
	}
	inBubble(t, delayed(t, delay), func(t *testing.T, open func(time.Duration) *gcsstore.Store) {
		store := open(0)
		want := driver.NewClaim("order-1")
		want.Margin = 10 * time.Second
		claim, err := store.Acquire(t.Context(), want, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		safeEnd := time.Now().Add(50 * time.Second)
		time.Sleep(35 * time.Second) // there is time on the way, and no need to renew
		if err := store.Complete(t.Context(), claim, driver.OutcomeProcessed); !errors.Is(err, context.DeadlineExceeded) || time.Now().After(safeEnd) {
			t.Errorf("Complete: %v, at %v; the lease safely ends at %v", err, time.Now(), safeEnd)
		}
	})
}
