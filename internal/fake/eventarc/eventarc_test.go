package eventarc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/internal/fake/eventarc"
)

// function counts deliveries, and acknowledges an event at the third.
type function struct {
	mu     sync.Mutex
	bodies map[string][]string // by the event's ID
	header http.Header
}

func (f *function) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	id := r.Header.Get("Ce-Id")
	f.bodies[id] = append(f.bodies[id], string(body))
	f.header = r.Header
	switch len(f.bodies[id]) {
	case 1:
		w.WriteHeader(http.StatusBadRequest) // a 4xx is no acknowledgement
	case 2:
		panic(http.ErrAbortHandler)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func TestDeliversUntilAcknowledged(t *testing.T) {
	f := &function{bodies: make(map[string][]string)}
	server := httptest.NewServer(f)
	defer server.Close()
	failures := 0
	e := eventarc.New(t.Context(), eventarc.Config{Route: eventarc.Fixed(server.URL), FirstBackoff: time.Millisecond,
		OnAnswer: func(d eventarc.Delivery) {
			if d.Err != nil {
				failures++
			}
		}})
	id := e.Publish("event1", "order-1", []byte("content"))
	e.Wait()
	if got := f.bodies[id]; len(got) != 3 || got[0] != got[2] || !strings.Contains(got[0], `"attributes":{"key":"order-1"}`) {
		t.Errorf("delivered %q; want the same three times, with the key", got)
	}
	if source := f.header.Get("Ce-Source"); source != "//pubsub.googleapis.com/projects/local/topics/event1" {
		t.Errorf("source %s", source)
	}
	if e.Deliveries() != 3 || e.Acknowledged() != 1 || failures != 2 {
		t.Errorf("%d deliveries, %d acknowledged, %d failures", e.Deliveries(), e.Acknowledged(), failures)
	}
}

// Each trigger calls the path of its own.
func TestTriggersCallTheirPaths(t *testing.T) {
	called := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		called <- r.Header.Get("Ce-Source") + " " + r.URL.Path
	}))
	defer server.Close()
	for _, url := range []string{server.URL, server.URL + "/"} {
		e := eventarc.New(t.Context(), eventarc.Config{Route: eventarc.Fixed(url), Path: func(topic string) string {
			return map[string]string{"orders": "/events/event1"}[topic]
		}})
		for topic, want := range map[string]string{"orders": "/events/event1", "others": "/"} {
			e.Publish(topic, "order-1", nil)
			e.Wait()
			if got := <-called; got != "//pubsub.googleapis.com/projects/local/topics/"+topic+" "+want {
				t.Errorf("%s: an event of %s, want %s", topic, got, want)
			}
		}
	}
}

func TestDuplicatesAreTheSameEvent(t *testing.T) {
	f := &function{bodies: make(map[string][]string)}
	server := httptest.NewServer(f)
	defer server.Close()
	e := eventarc.New(t.Context(), eventarc.Config{Route: eventarc.Fixed(server.URL), FirstBackoff: time.Millisecond})
	event := e.NewEvent("event1", "order-1", nil, nil)
	acknowledged := make(chan struct{}, 2)
	for range 2 {
		e.Deliver(event, func() { acknowledged <- struct{}{} })
	}
	e.Wait()
	if len(acknowledged) != 2 || len(f.bodies) != 1 || len(f.bodies[event.ID]) < 4 {
		t.Errorf("%d acknowledged, deliveries %v", len(acknowledged), f.bodies)
	}
}

func TestDeliveriesEnd(t *testing.T) {
	reached := make(chan struct{})
	var once sync.Once
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(reached) })
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	e := eventarc.New(ctx, eventarc.Config{Route: eventarc.Fixed(server.URL), FirstBackoff: time.Hour, LongestBackoff: time.Hour})
	e.Publish("event1", "order-1", nil)
	<-reached
	cancel()
	e.Wait()
	if e.Acknowledged() != 0 {
		t.Error("acknowledged what was not")
	}
}

func TestDeadline(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body) // then the server notices that the client has gone
		if r.Header.Get("Ce-Id") == "1" {
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	late := make(chan error, 100)
	ctx, cancel := context.WithCancel(t.Context())
	e := eventarc.New(ctx, eventarc.Config{Route: eventarc.Fixed(server.URL), Deadline: 20 * time.Millisecond, FirstBackoff: time.Millisecond,
		OnAnswer: func(d eventarc.Delivery) { late <- d.Err }})
	e.Publish("event1", "order-1", nil)
	var timeout net.Error
	if err := <-late; !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v; want the deadline to have passed", err)
	}
	cancel()
	e.Wait()
}

// TestWindow: of many events that are published at once, a bounded number is under way at any time.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const atOnce = 3
		ctx, cancel := context.WithCancel(t.Context())
		var under atomic.Int64
		e := eventarc.New(ctx, eventarc.Config{AtOnce: atOnce, Route: func(ctx context.Context) (string, func(), error) {
			under.Add(1)
			defer under.Add(-1)
			<-ctx.Done()
			return "", nil, ctx.Err()
		}})
		for range 100 {
			e.Publish("event1", "order-1", nil)
		}
		synctest.Wait()
		if n := under.Load(); n != atOnce {
			t.Errorf("%d are under way, want %d", n, atOnce)
		}
		cancel()
		e.Wait()
	})
}
