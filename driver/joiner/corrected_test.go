package joiner_test

import (
	"context"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

// TestRedeliveryOfWhatWasCorrected: under every policy, in one call and in several, it is no conflict and
// no letter, and the corrected event is joined.
func TestRedeliveryOfWhatWasCorrected(t *testing.T) {
	type severalCalls struct {
		driver.EventStore
		driver.Replacer
		driver.Decider
	}
	policies := map[string]joiner.ConflictPolicy{"first": joiner.KeepFirst, "last": joiner.KeepLast, "reject": joiner.Reject}
	conditions := map[string]joiner.Condition{"all": joiner.MatchAll("event1", "event2"), "two": joiner.AtLeast(2, "event1", "event2")}
	for policyName, policy := range policies {
		for conditionName, condition := range conditions {
			for _, oneCall := range []bool{false, true} {
				t.Run(policyName+" "+conditionName, func(t *testing.T) {
					s := memstore.New()
					var store driver.EventStore = severalCalls{s, s, s}
					if oneCall {
						store = s
					}
					expectCorrected(t, s, joiner.New(condition, store, joiner.OnConflict(policy)))
				})
			}
		}
	}
}

// expectCorrected has the joiner join a corrected event, though the one before comes again, and last.
func expectCorrected(t *testing.T, s *memstore.Store, j driver.Handler) {
	t.Helper()
	var joined []string
	deliver := func(source, content string) {
		t.Helper()
		m := driver.Message{ID: source, Key: "order-1", Source: source, Content: []byte(content), Time: time.Unix(1, 0)}
		if err := j.Process(t.Context(), m, func(_ context.Context, in driver.Message) error {
			joined = append(joined, string(in.Content))
			return nil
		}); err != nil {
			t.Errorf("%s, %s: %v", source, content, err)
		}
	}
	deliver("event1", `"wrong"`)
	right := driver.Message{ID: "event1", Key: "order-1", Source: "event1", Content: []byte(`"right"`)}
	if err := s.Correct(t.Context(), right, driver.Correction{By: "ann", Time: time.Unix(9, 0), Why: "it was wrong"}); err != nil {
		t.Fatal(err)
	}
	deliver("event2", `2`)
	deliver("event1", `"wrong"`)
	if want := `{"event1":"right","event2":2}`; len(joined) != 2 || joined[0] != want || joined[1] != want {
		t.Errorf("joined %q, want twice %s", joined, want)
	}
}
