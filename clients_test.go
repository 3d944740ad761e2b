package eventdriver

import (
	"context"
	"net/http"
	"runtime"
	"testing"

	"example.com/eventdriver/driver"
)

// slowBusiness begins, and ends when it is told to, or when its context ends.
type slowBusiness struct {
	*counted
	began chan struct{}
	end   chan struct{}
}

func (b slowBusiness) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	b.began <- struct{}{}
	select {
	case <-b.end:
		return b.counted.Process(ctx, in, next)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// until waits for something that another goroutine is about to do.
func until(t *testing.T, done func() bool) {
	t.Helper()
	for !done() {
		if t.Context().Err() != nil {
			t.Fatal("the test ends")
		}
		runtime.Gosched()
	}
}

// A handler takes longer than its clients wait, who hang up and send the event again, to
// the same instance and to another one. It runs once, to its end, and is waited for when
// the instance ends.
func TestHandlerOutlastsItsClients(t *testing.T) {
	for name, config := range configs(t) {
		t.Run(name, func(t *testing.T) {
			business := slowBusiness{count(), make(chan struct{}, 100), make(chan struct{})}
			f, server := serve(t, config, business)
			for _, source := range []string{"event1", "event2"} {
				deliver(t, server.URL, source, "order-1", `1`)
			}
			hangUp := func(arrived func()) {
				t.Helper()
				ctx, cancel := context.WithCancel(t.Context())
				gone := make(chan struct{})
				go func() {
					defer close(gone)
					if response, err := http.DefaultClient.Do(event(t, server.URL, "event3", "order-1", `1`).WithContext(ctx)); err == nil {
						response.Body.Close()
						t.Error("the event was answered before its client hung up")
					}
				}()
				arrived()
				cancel()
				<-gone
				until(t, func() bool { return f.active.Load() == 0 }) // the server has noticed
			}
			hangUp(func() { <-business.began })
			for range 5 {
				hangUp(func() { until(t, func() bool { return f.active.Load() == 1 }) })
			}
			if config.ClaimStore == StoreGCS { // a second instance; with claims in memory there is but one
				_, other := serve(t, config, business)
				if status, answer := post(t, other.URL, "event3", "order-1", `1`); status != http.StatusServiceUnavailable {
					t.Errorf("another instance answers %d %s", status, answer)
				}
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			if f.Drain(ended) == nil {
				t.Error("the instance may end, though a run goes on")
			}
			answered := make(chan int)
			go func() {
				status, _ := post(t, server.URL, "event3", "order-1", `1`)
				answered <- status
			}()
			until(t, func() bool { return f.active.Load() == 1 })
			close(business.end)
			if status := <-answered; status != http.StatusNoContent || len(business.began) > 0 {
				t.Errorf("sent again: %d, and %d more runs began", status, len(business.began))
			}
			if err := f.Drain(t.Context()); err != nil {
				t.Error(err)
			}
			business.once(t, "order-1")
		})
	}
}
