package change_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/operate/change"
	"example.com/eventdriver/stores/memstore"
)

// TestDeliveryThatWaitsForARun has a delivery wait for a run of its key at the same instance, for longer than a
// change takes: what it has read before the change must not be run after it.
func TestDeliveryThatWaitsForARun(t *testing.T) {
	for name, do := range map[string]func(*testing.T, change.Keys) error{
		"replace": func(t *testing.T, k change.Keys) error { return replaced(t, k, wrong.Source, true) },
		"purge":   func(t *testing.T, k change.Keys) error { return k.Purge(t.Context(), key, true) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memstore.New()
				var ran []string
				business := driver.HandlerFunc(func(ctx context.Context, in driver.Message, _ driver.Next) error {
					if ran = append(ran, string(in.Content)); len(ran) == 1 {
						time.Sleep(time.Minute)
						return errors.New("fails")
					}
					return nil
				})
				p := driver.New(joiner.New(joiner.MatchAll(wrong.Source), s), cache.New(s), business)
				first := p.ProcessAsync(t.Context(), wrong)
				time.Sleep(time.Second)
				waits := p.ProcessAsync(t.Context(), wrong)
				time.Sleep(10 * time.Second)
				k := keysOf(s)
				k.Settle = change.Settle
				if err := do(t, k); err != nil {
					t.Fatal(err)
				}
				if err := <-first; err == nil {
					t.Error("the first run did not fail")
				}
				if err := <-waits; !errors.Is(err, driver.ErrHeld) || len(ran) != 1 {
					t.Errorf("the delivery that waited: %v; %d runs, of %q; want it to be sent again, and one run", err, len(ran), ran)
				}
			})
		})
	}
}
