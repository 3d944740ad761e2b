package eventdriver

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

func TestLateDuplicateAfterCompletion(t *testing.T) {
	for name, config := range configs(t) {
		t.Run(name, func(t *testing.T) {
			business := count()
			_, server := serve(t, config, business)
			for range 3 {
				for _, source := range []string{"event1", "event2", "event3"} {
					if status, answer := post(t, server.URL, source, "order-1", `1`); status != http.StatusNoContent {
						t.Errorf("%s: %d %s", source, status, answer)
					}
				}
			}
			business.once(t, "order-1")
		})
	}
}

func TestSameSourceOtherContent(t *testing.T) {
	for _, c := range []struct {
		policy  joiner.ConflictPolicy
		status  int
		content string
	}{
		{joiner.KeepFirst, http.StatusNoContent, `{"event1":"","event2":"first","event3":3}`},
		{joiner.KeepLast, http.StatusNoContent, `{"event1":"","event2":"second","event3":3}`},
		{joiner.Reject, http.StatusOK, `{"event1":"","event2":"first","event3":3}`},
	} {
		for name, config := range configs(t) {
			t.Run(fmt.Sprintf("%s, policy %d", name, c.policy), func(t *testing.T) {
				config.ConflictPolicy = c.policy
				business := count()
				f, server := serve(t, config, business)
				post(t, server.URL, "event2", "order-1", `"first"`)
				if status, answer := post(t, server.URL, "event2", "order-1", `"second"`); status != c.status {
					t.Errorf("%d %s; want %d", status, answer, c.status)
				}
				post(t, server.URL, "event1", "order-1", `1`)
				post(t, server.URL, "event3", "order-1", `3`)
				business.once(t, "order-1")
				if got := business.contents["order-1"]; got != c.content {
					t.Errorf("content %s; want %s", got, c.content)
				}
				rejected := strings.Contains(fmt.Sprint(letters(t, f)), string(driver.ReasonConflict))
				if rejected != (c.policy == joiner.Reject) {
					t.Errorf("set aside: %v", rejected)
				}
			})
		}
	}
}

// Each operation of a join fails once, before it is done or with its answer lost
// after: one operation in each run, until a run has none left to fail. Redelivery
// must bring every order to its end, and the business must have acted once.
func TestEveryOperationFailsOnce(t *testing.T) {
	type inject func(f *drivertest.Faults, op drivertest.Op, n int)
	for name, fail := range map[string]inject{"before": (*drivertest.Faults).FailBefore, "after": (*drivertest.Faults).FailAfter} {
		for _, mishap := range []string{"none", "fails once", "panics once"} {
			t.Run(fmt.Sprintf("%s, business %s", name, mishap), func(t *testing.T) {
				for n := 1; everyOperation(t, fail, n, mishap); n++ {
				}
			})
		}
	}
}

// everyOperation runs one join whose nth operation fails, and says whether there
// was one.
func everyOperation(t *testing.T, fail func(*drivertest.Faults, drivertest.Op, int), n int, mishap string) (failed bool) {
	synctest.Test(t, func(t *testing.T) {
		faults := drivertest.NewFaults(memstore.New())
		fail(faults, drivertest.OpAny, n)
		business := count()
		business.before = func(_ string, try int) error {
			switch {
			case try > 1:
			case mishap == "fails once":
				return fmt.Errorf("try %d", try)
			case mishap == "panics once":
				panic("boom")
			}
			return nil
		}
		pipeline, err := newPipeline(DefaultConfig(), stores{events: faults, claims: faults}, business)
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range []string{"event1", "event2", "event3", "event1"} {
			m := driver.Message{ID: source, Key: "order-1", Source: source, Content: []byte("1")}
			tries := 0
			for err := error(nil); ; tries++ {
				if err = pipeline.Process(t.Context(), m); err == nil {
					break
				}
				if tries == 5 {
					t.Fatalf("operation %d fails: %s is never acknowledged: %v", n, source, err)
				}
				time.Sleep(10 * time.Second) // fake: Eventarc's backoff
			}
		}
		business.once(t, "order-1")
		if t.Failed() {
			t.Fatalf("operation %d failed: %v", n, faults.Calls())
		}
		failed = faults.Count(drivertest.OpAny) >= n
	})
	return failed
}
