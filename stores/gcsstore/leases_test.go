package gcsstore

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
		var l leases
		for i := range 10_000 {
			ttl := time.Second
			if i%1000 == 0 {
				ttl = time.Hour
			}
			l.remember(driver.Claim{Key: strconv.Itoa(i)}, known{until: time.Now().Add(ttl)})
			time.Sleep(100 * time.Millisecond) // the bubble's time: at most 10 short leases live at once
		}
		if n := len(l.known); n > 64 {
			t.Errorf("%d leases are remembered", n)
		}
		for i := range 10 {
			if _, ok := l.find(driver.Claim{Key: strconv.Itoa(i * 1000)}); !ok {
				t.Errorf("the long lease %d was forgotten", i)
			}
		}
	})
}

// TestLasts pins until when a lease is relied on without asking.
func TestLasts(t *testing.T) {
	now := time.Now()
	for ttl, enough := range map[time.Duration]time.Duration{
		time.Hour:        time.Hour - 20*time.Second,
		40 * time.Second: 20 * time.Second,
		time.Second:      500 * time.Millisecond,
	} {
		k := known{record{ttl: ttl}, now.Add(ttl)}
		if !k.lasts(now.Add(enough-1)) || k.lasts(now.Add(enough)) {
			t.Errorf("a lease of %v is not relied on for exactly %v", ttl, enough)
		}
		if left := k.until.Sub(k.safeUntil()); left != min(ttl/4, 10*time.Second) {
			t.Errorf("a lease of %v has a margin of %v", ttl, left)
		}
	}
}
