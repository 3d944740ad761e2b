package eventdriver

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
)

func TestLateDuplicateAfterCompletion(t *testing.T) {
	for name, config := range configs(t) {
		t.Run(name, func(t *testing.T) {
			business := count()
			_, server := serve(t, config, business)
			for range 3 {
				for _, source := range []string{"event1", "event2", "event3"} {
					if status, answer := post(t, server.URL, source, "order-1", `1`); !taken(status) {
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
		{joiner.KeepFirst, http.StatusAccepted, `{"event1":null,"event2":"first","event3":3}`},
		{joiner.KeepLast, http.StatusAccepted, `{"event1":null,"event2":"second","event3":3}`},
		{joiner.Reject, http.StatusOK, `{"event1":null,"event2":"first","event3":3}`},
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
					t.Errorf("dead-lettered: %v", rejected)
				}
			})
		}
	}
}
