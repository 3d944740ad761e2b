package change_test

import (
	"errors"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/operate/change"
	"example.com/eventdriver/stores/memstore"
)

func TestRerun(t *testing.T) {
	for begin := range begins {
		each(t, begin, func(t *testing.T, s *memstore.Store, was driver.Claim) {
			err := keysOf(s).Rerun(t.Context(), key, false)
			if begin != "done" {
				if !errors.Is(err, change.ErrNothing) {
					t.Errorf("error %v, want that there is nothing to change", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Complete(t.Context(), was, ""); !errors.Is(err, driver.ErrLost) {
				t.Errorf("a completion that is late: %v", err)
			}
			expectFree(t, s, was)
		})
	}
}

// TestRerunNeedsAStoreThatReopens: the error says so.
func TestRerunNeedsAStoreThatReopens(t *testing.T) {
	s := memstore.New()
	k := change.Keys{Claims: struct{ driver.ClaimStore }{s}, Store: s, By: "me"}
	if err := k.Rerun(t.Context(), key, false); !errors.Is(err, change.ErrCannot) {
		t.Errorf("%v", err)
	}
}
