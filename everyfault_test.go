package eventdriver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/internal/fake/bigquery"
	"example.com/eventdriver/stores/memstore"
)

// The mishaps of a business, the first time that it is called for a key.
var mishaps = map[string]func() error{
	"works":       func() error { return nil },
	"fails once":  func() error { return fmt.Errorf("out of stock") },
	"panics once": func() error { panic("boom") },
}

// Each operation of a join fails once, before it is done or with its answer lost
// after: one operation in each join, until a join has none left to fail. Redelivery
// must bring every order to its end, and the business must have acted once.
func TestEveryOperationFailsOnce(t *testing.T) {
	type inject func(f *drivertest.Faults, op drivertest.Op, n int)
	for name, fail := range map[string]inject{"before": (*drivertest.Faults).FailBefore, "after": (*drivertest.Faults).FailAfter} {
		for mishap := range mishaps {
			inMemory := func(open func() any) func(n int) bool {
				return func(n int) (injected bool) {
					synctest.Test(t, func(t *testing.T) { // a redelivery takes no time
						injected = everyOperation(t, open(), fail, n, mishap)
					})
					return injected
				}
			}
			t.Run(fmt.Sprintf("memory, %s, business %s", name, mishap), func(t *testing.T) {
				untilNoneIsLeft(t, 7, inMemory(func() any { return memstore.New() }))
			})
			t.Run(fmt.Sprintf("memory without KeepAndLook, %s, business %s", name, mishap), func(t *testing.T) {
				untilNoneIsLeft(t, 9, inMemory(func() any { return struct{ drivertest.Store }{memstore.New()} }))
			})
			t.Run(fmt.Sprintf("Cloud Storage, %s, business %s", name, mishap), func(t *testing.T) {
				store := opened(t, onGCS(t)).events
				untilNoneIsLeft(t, 9, func(n int) bool { return everyOperation(t, store, fail, n, mishap) })
			})
		}
		t.Run("BigQuery, "+name, func(t *testing.T) {
			store := opened(t, onBigQuery(t)).events
			untilNoneIsLeft(t, 7, func(n int) bool { return everyOperation(t, store, fail, n, "works") })
		})
	}
}

// untilNoneIsLeft has fault 1, then 2, and so on happen until there was none, and
// checks how many there were: a run with none would prove nothing.
func untilNoneIsLeft(t *testing.T, least int, run func(n int) (injected bool)) {
	t.Helper()
	n := 1
	for ; run(n); n++ {
	}
	t.Logf("%d faults, one in each join", n-1)
	if n <= least {
		t.Errorf("%d faults; a join has %d operations to fail, or more", n-1, least)
	}
}

func opened(t *testing.T, config Config) stores {
	t.Helper()
	s, err := openStores(t.Context(), config, unobserved{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// everyOperation runs one join whose nth operation fails, and says whether there
// was one.
func everyOperation(t *testing.T, store any, fail func(*drivertest.Faults, drivertest.Op, int), n int, mishap string) bool {
	t.Helper()
	faults := drivertest.NewFaults(store)
	fail(faults, drivertest.OpAny, n)
	join(t, stores{events: faults, claims: faults}, fmt.Sprint("order-", n), mishap)
	if t.Failed() {
		t.Fatalf("operation %d failed: %v", n, faults.Calls())
	}
	return faults.Count(drivertest.OpAny) >= n
}

// join delivers the events of one order, the first of them twice, each until it is
// acknowledged. The business must have acted once.
func join(t *testing.T, s stores, key, mishap string) {
	t.Helper()
	business := count()
	business.before = func(_ string, try int) error {
		if try > 1 {
			return nil
		}
		return mishaps[mishap]()
	}
	// A slow store may not be told in time that its claim is given back; it then
	// runs out within the tries, each of which waits for two seconds.
	config := DefaultConfig()
	config.Lease = time.Minute
	pipeline, err := newPipeline(config, s, business, nil, unobserved{})
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{"event1", "event2", "event3", "event1"} {
		m := driver.Message{ID: source, Key: key, Source: source, Content: []byte("1")}
		for tries := 1; ; tries++ {
			err := pipeline.Process(t.Context(), m)
			if err == nil {
				break
			}
			if tries == 60 {
				t.Fatalf("%s: %s is never acknowledged: %v", key, source, err)
			}
		}
	}
	business.once(t, key)
}

// Each request of a join to its store goes wrong once: it is refused, or lost before
// or after it was served, or served when its sender has given up.
func TestEveryRequestFailsOnce(t *testing.T) {
	for _, fault := range []fault{refused, tooMany, lostBefore, lostAfter, servedLate} {
		t.Run("Cloud Storage, "+string(fault), func(t *testing.T) {
			config := onGCS(t)
			config.StoreTimeout = 300 * time.Millisecond // how long a request that is not answered holds the test up
			everyRequest(t, "STORAGE_EMULATOR_HOST", config, fault)
		})
	}
	for _, fault := range []fault{refused, tooMany, lostBefore, lostAfter, servedLate} {
		t.Run("BigQuery, "+string(fault), func(t *testing.T) {
			config := onBigQuery(t)
			config.StoreTimeout = 300 * time.Millisecond // likewise
			if bigquery.OnEmulator() {
				config.StoreTimeout = time.Minute
				if fault == servedLate {
					config.StoreTimeout = 2 * time.Second
				}
			}
			everyRequest(t, "BIGQUERY_EMULATOR_HOST", config, fault)
		})
	}
}

func everyRequest(t *testing.T, host string, config Config, fault fault) {
	t.Helper()
	proxy := newProxy(t, os.Getenv(host))
	t.Setenv(host, proxy.Listener.Addr().String())
	s := opened(t, config)
	untilNoneIsLeft(t, 9, func(n int) bool {
		proxy.next(n, fault)
		join(t, s, fmt.Sprint("order-", n), "works")
		if t.Failed() {
			t.Fatalf("request %d: %s", n, fault)
		}
		return proxy.received() >= n
	})
}

// fault is what goes wrong with a request.
type fault string

const (
	refused    fault = "answered 503"
	tooMany    fault = "answered 429"
	lostBefore fault = "cut off before it is served"
	lostAfter  fault = "cut off after it is served"
	servedLate fault = "served when its sender has given up"
)

// proxy passes requests on to a server; one of them goes wrong.
type proxy struct {
	*httptest.Server
	forward http.Handler

	mu    sync.Mutex
	count int
	nth   int
	fault fault
}

func newProxy(t *testing.T, host string) *proxy {
	t.Helper()
	p := &proxy{forward: httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: host})}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

// next has the nth request from now on, counted from 1, go wrong.
func (p *proxy) next(n int, f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count, p.nth, p.fault = 0, n, f
}

func (p *proxy) received() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

func (p *proxy) receive() fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count++; p.count == p.nth {
		return p.fault
	}
	return ""
}

func (p *proxy) serve(w http.ResponseWriter, r *http.Request) {
	// The whole body first: only then does the server notice a sender that goes away.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	switch p.receive() {
	case refused:
		http.Error(w, "a fault that was asked for", http.StatusServiceUnavailable)
	case tooMany:
		http.Error(w, "a fault that was asked for", http.StatusTooManyRequests)
	case lostBefore:
		panic(http.ErrAbortHandler)
	case servedLate:
		<-r.Context().Done()
		fallthrough
	case lostAfter:
		p.forward.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
		panic(http.ErrAbortHandler)
	default:
		p.forward.ServeHTTP(w, r)
	}
}
