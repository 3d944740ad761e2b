package eventdriver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
)

// TestSweepsCutOffAgainstLateEvents has two instances sweep, again and again, each for some
// milliseconds, while the last event of each order arrives at one of them and requests to the bucket
// fail. Each order is processed once or dead-lettered once, and has all events that were taken.
func TestSweepsCutOffAgainstLateEvents(t *testing.T) {
	bucket := gcs.New(t, "bucket")
	t.Setenv("STORAGE_EMULATOR_HOST", bucket.Host())
	config := overdue(DefaultConfig())
	config.EventStore, config.ClaimStore, config.Bucket, config.Lease = StoreGCS, StoreGCS, "bucket", shortestLease
	sweepAgainstLateEvents(t, config, 60, func(chance func(int) int) { failInBucket(bucket, chance) }, func() { bucket.OnRequest(nil) })
}

// failInBucket has some requests fail, before or after they were carried out.
func failInBucket(bucket *gcs.Server, chance func(int) int) {
	bucket.OnRequest(func(gcs.Request) gcs.Fault {
		switch chance(40) {
		case 0:
			return gcs.Fault{Drop: true}
		case 1:
			return gcs.Fault{Status: http.StatusServiceUnavailable}
		}
		return gcs.Fault{}
	})
}

func sweepAgainstLateEvents(t *testing.T, config Config, orders int, fail func(chance func(int) int), repair func()) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	business := count()
	one, first := serve(t, config, business)
	other, second := serve(t, config, business)
	key := func(i int) string { return fmt.Sprint("order-", i) }
	for i := range orders {
		deliver(t, first.URL, "event1", key(i), `1`)
	}

	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	chance := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(n)
	}
	fail(chance)
	arrived, stop := context.WithCancel(t.Context())
	var work, events sync.WaitGroup
	for _, f := range []*Function{one, other} {
		work.Go(func() {
			for sweeps := 0; arrived.Err() == nil; sweeps++ {
				// They get more time by and by: on a slow machine all would be cut off before they seal a place.
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration((1+sweeps/20)*(5+chance(60)))*time.Millisecond)
				_, _ = f.Sweep(ctx, "") // whatever comes of it
				cancel()
			}
		})
	}
	taken := make([]bool, orders)
	next := make(chan int)
	for range 4 {
		events.Go(func() {
			for i := range next {
				taken[i] = takenLate(t, []string{first.URL, second.URL}[i%2], key(i))
			}
		})
	}
	for i := range orders {
		next <- i
	}
	close(next)
	events.Wait()
	stop()
	work.Wait()
	repair()
	finishSweeps(t, one, orders)
	checkSwept(t, business, letters(t, one), taken)
}

// takenLate delivers the last event until it is answered, and says whether it was taken.
func takenLate(t *testing.T, url, key string) bool {
	for range 100 {
		switch status, answer := post(t, url, "event2", key, `2`); {
		case status == http.StatusOK && strings.Contains(answer, string(driver.ReasonTooLate)):
			return false
		case status/100 == 2:
			return true
		}
	}
	t.Errorf("the last event of %s was never acknowledged", key)
	return false
}

// finishSweeps sweeps until no key is open, or for as long as leases may last.
func finishSweeps(t *testing.T, f *Function, orders int) {
	t.Helper()
	parts := sweepable(t, f)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if _, err := f.Sweep(t.Context(), ""); err != nil {
			t.Error(err)
		}
		all, errAll := parts.sweeper.keys.ListKeys(t.Context(), driver.KeyQuery{})
		open, err := parts.sweeper.keys.ListKeys(t.Context(), driver.KeyQuery{Open: true})
		if err == nil && errAll == nil && len(open.Keys) == 0 && len(all.Keys) == orders {
			return
		}
	}
	t.Error("some keys stay open")
}

func checkSwept(t *testing.T, business *counted, letters []driver.DeadLetter, taken []bool) {
	t.Helper()
	incomplete := make(map[string]int)
	for _, d := range letters {
		switch d.Reason {
		case driver.ReasonIncomplete:
			incomplete[d.Key]++
		case driver.ReasonTooLate:
		default:
			t.Errorf("a letter %s: %s", d.Reason, d.Error)
		}
	}
	expired := 0
	for i, wasTaken := range taken {
		key := fmt.Sprint("order-", i)
		expired += incomplete[key]
		if business.processed[key]+incomplete[key] != 1 {
			t.Errorf("%s was processed %d times, and is %d times incomplete", key, business.processed[key], incomplete[key])
		}
		if (business.processed[key] == 1) != wasTaken {
			t.Errorf("%s: its last event was taken: %v, and it was processed %d times", key, wasTaken, business.processed[key])
		}
		if got := business.contents[key]; got != "" && got != `{"event1":1,"event2":2}` {
			t.Errorf("%s was processed with %s", key, got)
		}
	}
	t.Logf("%d orders: %d expired, %d processed", len(taken), expired, len(business.processed))
	if expired == 0 || len(business.processed) == 0 {
		t.Log("all ended in one way this time: nothing raced")
	}
}
