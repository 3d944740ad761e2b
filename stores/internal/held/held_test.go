package held

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
)

// TestLeasesAreForgotten hands out very many short leases and few long ones, and
// looks at how many are remembered.
func TestLeasesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h Claims[int]
		for i := range 10_000 {
			ttl := time.Second
			if i%1000 == 0 {
				ttl = time.Hour
			}
			h.Remember(driver.Claim{Key: strconv.Itoa(i), Expires: time.Now().Add(ttl)}, i)
			time.Sleep(100 * time.Millisecond) // the bubble's time: at most 10 short leases live at once
		}
		if n := len(h.byID); n > fewest {
			t.Errorf("%d leases are remembered", n)
		}
		for i := range 10 {
			if known, ok := h.Find(driver.Claim{Key: strconv.Itoa(i * 1000)}); !ok || known != i*1000 {
				t.Errorf("of the long lease %d is known %d, %v", i, known, ok)
			}
		}
	})
}

func TestClaimsAreToldApart(t *testing.T) {
	var h Claims[string]
	claims := []driver.Claim{
		{Key: "k", Owner: "o", Token: 1}, {Key: "l", Owner: "o", Token: 1}, {Key: "k", Owner: "p", Token: 1},
		{Key: "k", Owner: "o", Token: 2}, {Key: "k", Owner: "o", Token: 1, Scope: "s"},
	}
	for i, c := range claims {
		h.Remember(c, strconv.Itoa(i))
	}
	for i, c := range claims {
		c.Expires, c.Margin, c.Takeover, c.Mark = time.Now(), time.Second, true, driver.MarkFailed // not what makes it the same
		if known, ok := h.Find(c); !ok || known != strconv.Itoa(i) {
			t.Errorf("of %+v is known %q, %v", c, known, ok)
		}
		h.Forget(c)
		if _, ok := h.Find(c); ok {
			t.Errorf("%+v was not forgotten", c)
		}
	}
}
