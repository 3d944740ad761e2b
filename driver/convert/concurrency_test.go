package convert_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/stores/memstore"
)

// With the SDK's receiver some of these requests hang for ever. Here each is
// answered, also while other clients abort in the middle of a body.
func TestConcurrentClients(t *testing.T) {
	const clients, each = 32, 300
	store := memstore.New()
	var processed atomic.Int64
	pipeline := failing(func(m driver.Message) error {
		processed.Add(1)
		switch m.Key {
		case "permanent":
			return driver.Permanent(errors.New("permanent"))
		case "transient":
			return errors.New("transient")
		}
		return nil
	})
	server := httptest.NewServer(convert.ToHTTPHandler(convert.CloudEventToInput, pipeline, convert.DeadLetters(store), quiet))
	defer server.Close()
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}

	var wait sync.WaitGroup
	for c := range clients {
		wait.Go(func() {
			for i := range each {
				if i%20 == c%20 {
					abort(t, server.Listener.Addr().String())
				}
				key := []string{"processed", "permanent", "transient"}[i%3]
				want := []int{204, 200, 500}[i%3]
				if got := post(t, client, server.URL, key); got != want {
					t.Errorf("%s: %d, want %d", key, got, want)
				}
			}
		})
	}
	wait.Wait()
	if n := processed.Load(); n != clients*each {
		t.Errorf("%d processed, want %d", n, clients*each)
	}
	if n := len(store.DeadLetters()); n != clients*each/3 {
		t.Errorf("%d dead letters, want %d", n, clients*each/3)
	}
}

// post sends an event and returns the answer's status.
func post(t *testing.T, client *http.Client, url, key string) int {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, strings.NewReader(`{"a":1}`))
	if err != nil {
		t.Error(err)
		return 0
	}
	r.Header = binary("", "Ce-Key", key).Header
	answer, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Error(err)
	}
	return answer.StatusCode
}

// abort sends half of an event's body, and then disconnects.
func abort(t *testing.T, address string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nCe-Id: aborted\r\nCe-Source: s\r\nCe-Type: t\r\n"+
		"Ce-Specversion: 1.0\r\nCe-Key: aborted\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"a\":1}")
	if err != nil {
		t.Error(err)
	}
}
