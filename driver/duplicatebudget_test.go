package driver_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

// While the last event of a key is processed, it comes again, to another instance and to
// the same one. The first waits for two seconds and writes to the claim once; the second
// waits for the run, and sends no request for the claim at all.
func TestWaitingDuplicateStaysWithinItsBudget(t *testing.T) {
	server := gcs.New(t, "my-bucket")
	synctest.Test(t, func(t *testing.T) {
		sources := []string{"event1", "event2", "event3"}
		slow := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { time.Sleep(time.Minute); return nil })
		instance := func() *driver.Pipeline {
			transport := &gcs.Transport{Server: server}
			t.Cleanup(transport.Wait)
			store, err := gcsstore.New(t.Context(), gcsstore.Config("my-bucket"), option.WithEndpoint(server.Endpoint()),
				option.WithHTTPClient(&http.Client{Transport: transport}))
			if err != nil {
				t.Fatal(err)
			}
			if err := store.Persist(t.Context(), driver.Message{Key: "warm", Source: "up"}); err != nil { // it knows the bucket
				t.Fatal(err)
			}
			return driver.New(joiner.New(joiner.MatchAll(sources...), store), cache.New(store), slow)
		}
		one, other := instance(), instance()
		event := func(source string) driver.Message {
			return driver.Message{ID: source, Key: "order-1", Source: source, Content: []byte("1")}
		}
		for _, source := range sources[:2] {
			if err := one.Process(t.Context(), event(source)); err != nil {
				t.Fatal(err)
			}
		}
		first := one.ProcessAsync(t.Context(), event("event3"))
		time.Sleep(time.Second)

		server.Reset()
		if err := other.Process(t.Context(), event("event3")); !errors.Is(err, driver.ErrHeld) {
			t.Errorf("elsewhere: %v", err)
		}
		if got, want := server.Counts(), (gcs.Counts{A: 2, B: 13}); got != want {
			t.Errorf("a duplicate that waits at another instance costs %+v, want %+v: %v", got, want, server.Requests())
		}
		server.Reset()
		second := one.ProcessAsync(t.Context(), event("event3"))
		time.Sleep(30 * time.Second)
		for _, r := range server.Requests() {
			if strings.HasSuffix(r.Object, "/claim") || strings.HasSuffix(r.Object, "/done") {
				t.Errorf("a duplicate that waits at the same instance sends %v", r)
			}
		}
		if err := errors.Join(<-first, <-second); err != nil {
			t.Error(err)
		}
	})
}
