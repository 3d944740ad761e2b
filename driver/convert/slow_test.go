package convert_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/stores/memstore"
)

// pipes is a listener whose connections are in memory, and use the time of a synctest bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error { close(p.closed); return nil }

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial serves h on one connection, and returns the client's end of it.
func dial(t *testing.T, h http.Handler) net.Conn {
	t.Helper()
	listener := pipes{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: h}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	client, conn := net.Pipe()
	listener.conns <- conn
	t.Cleanup(func() {
		client.Close()
		server.Close()
		<-served
	})
	return client
}

const slowHeader = "POST / HTTP/1.1\r\nHost: h\r\nCe-Specversion: 1.0\r\nCe-Id: 1\r\nCe-Source: event1\r\nCe-Type: t\r\nCe-Key: k\r\n" +
	"Content-Type: application/json\r\nContent-Length: "

// trickle writes a byte each second, until the connection is closed.
func trickle(client net.Conn) (bytes int) {
	for {
		if _, err := client.Write([]byte(" ")); err != nil {
			return bytes
		}
		bytes++
		time.Sleep(time.Second)
	}
}

// The wait for a body that arrives byte by byte has an end, also if the method is wrong. The event is
// neither processed nor dead-lettered.
func TestSlowBody(t *testing.T) {
	for _, c := range []struct {
		method string
		within time.Duration // what is left of the request; 0: any time
		opts   []convert.Option
		status int
		waits  time.Duration
	}{
		{"POST", 0, nil, http.StatusRequestTimeout, convert.DefaultClientTimeout},
		{"POST", 0, []convert.Option{convert.ClientTimeout(5 * time.Second)}, http.StatusRequestTimeout, 5 * time.Second},
		{"POST", 10 * time.Second, nil, http.StatusRequestTimeout, 10 * time.Second},
		{"PUT", 0, nil, http.StatusMethodNotAllowed, convert.DefaultClientTimeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			store := memstore.New()
			h := convert.ToHTTPHandler(convert.CloudEventToInput, never(t), append(c.opts, convert.DeadLetters(store), quiet)...)
			client := dial(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c.within > 0 {
					ctx, cancel := context.WithTimeout(r.Context(), c.within)
					defer cancel()
					r = r.WithContext(ctx)
				}
				h.ServeHTTP(w, r)
			}))
			start := time.Now()
			answered := make(chan string, 1)
			go func() {
				answer, err := http.ReadResponse(bufio.NewReader(client), nil)
				if err != nil {
					answered <- err.Error()
					return
				}
				answer.Body.Close()
				answered <- answer.Status
				_, _ = io.Copy(io.Discard, client)
			}()
			fmt.Fprint(client, strings.Replace(slowHeader, "POST", c.method, 1)+"100000\r\n\r\n")
			trickle(client)
			if status := <-answered; !strings.HasPrefix(status, fmt.Sprint(c.status)) {
				t.Errorf("%s: answered %s; want %d", c.method, status, c.status)
			}
			if waited := time.Since(start); waited < c.waits || waited > c.waits+10*time.Second {
				t.Errorf("%s: the connection was held for %v; want %v", c.method, waited, c.waits)
			}
			if n := len(store.DeadLetters()); n != 0 {
				t.Errorf("%d dead letters of a body that did not come", n)
			}
		})
	}
}

// The client's time does not limit the pipeline: neither its context nor the answer ends with it,
// also on a connection that is used again.
func TestSlowPipelineIsNotTheClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipeline := processorFunc(func(ctx context.Context, _ driver.Message) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(10 * time.Minute):
				return nil
			}
		})
		client := dial(t, convert.ToHTTPHandler(convert.CloudEventToInput, pipeline, quiet))
		reader := bufio.NewReader(client)
		for i := range 3 {
			size := []int{2, 0, 2}[i] // with a body, and without
			fmt.Fprintf(client, "%s%d\r\n\r\n%s", slowHeader, size, "{}"[:size])
			answer, err := http.ReadResponse(reader, nil)
			if err != nil || answer.StatusCode != http.StatusNoContent {
				t.Fatalf("request %d: %v, %v; want 204", i, answer, err)
			}
			time.Sleep(time.Hour) // between requests the connection is idle
		}
	})
}

// The connection of a client that never reads the answer is closed.
func TestClientThatNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handled := 0
		h := convert.ToHTTPHandler(convert.CloudEventToInput, failing(func(driver.Message) error { handled++; return nil }), quiet)
		client := dial(t, h)
		start := time.Now()
		fmt.Fprint(client, slowHeader+"2\r\n\r\n{}")
		if n := trickle(client); handled != 1 || n > 1000 {
			t.Errorf("handled %d, then took %d bytes", handled, n)
		}
		if held := time.Since(start); held < convert.DefaultClientTimeout || held > convert.DefaultClientTimeout+10*time.Second {
			t.Errorf("the connection was held for %v; want %v", held, convert.DefaultClientTimeout)
		}
	})
}

// The wait for a body has an end on a socket, too.
func TestSlowBodyOnASocket(t *testing.T) {
	h := convert.ToHTTPHandler(convert.CloudEventToInput, never(t), convert.ClientTimeout(50*time.Millisecond), quiet)
	server := httptest.NewServer(h)
	defer server.Close()
	client, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	fmt.Fprint(client, slowHeader+"100\r\n\r\n{")
	answer, err := io.ReadAll(client) // until the server closes the connection
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
		t.Errorf("%q, %v; want 408 and an end", answer, err)
	}
}
