// Package bigquery runs a BigQuery on a local socket, for tests. Nothing that is deployed
// imports it.
//
// It speaks the REST API, with Google's own types of the requests. Tables keep their rows in memory. Statements are
// parsed and run by a small interpreter: INSERT of one row, SELECT from one table, and
// DELETE; anything else fails as an invalid query. Tests that need more SQL run on
// bigquery-emulator, by make prove, and so do the tests that run here: the emulator says
// whether the statements are SQL.
//
// The emulator does one thing at a time; this server does more. Jobs run beside each
// other and take time, they queue for a table ([Server.LimitInserts]), they wait or fail
// ([Server.OnJob]), and requests are refused, delayed or lose their answer
// ([Server.OnRequest]). As in the service, the ID of a job is used for good, even if a
// table is dropped, a statement sees the tables as they are at one moment, and a row can
// be read when its job is done or its insertAll was acknowledged. insertAll never removes
// duplicates, though the service may.
//
// Jobs belong to the account that a request's token names, and no other account may ask for
// them. It has no other permissions, and no prices; it ends no partition and no table, and
// answers all rows on one page.
package bigquery

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Server is a BigQuery on a socket of this machine. All methods are safe for concurrent
// use.
type Server struct {
	listener net.Listener
	http     *http.Server
	serving  sync.WaitGroup
	ended    context.Context // when the server is closed
	end      context.CancelFunc

	buffers atomic.Bool

	mu       sync.Mutex
	projects map[string]*project
	requests []Request
	onRest   func(Request) Fault
	onJob    func(Job) Fate
	limit    limit
}

// Start starts a server on a free port of 127.0.0.1. Every project exists and is empty.
// Close stops it.
func Start() (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("fake BigQuery: %w", err)
	}
	s := &Server{listener: listener, projects: make(map[string]*project)}
	s.ended, s.end = context.WithCancel(context.Background())
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve)}
	s.serving.Go(func() { _ = s.http.Serve(listener) }) // until Close
	return s, nil
}

// New starts a server for a test, which ends when the test does.
func New(t testing.TB) *Server {
	t.Helper()
	s, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// variable tells a client, and a store, where another BigQuery listens.
const variable = "BIGQUERY_EMULATOR_HOST"

// Main runs the tests of a package, for its TestMain. Where the variable
// BIGQUERY_EMULATOR_HOST names an emulator, the tests use that; otherwise Main starts a
// server and sets the variable. It returns the exit code.
func Main(m *testing.M) int {
	if os.Getenv(variable) != "" {
		onEmulator = true
		return m.Run()
	}
	s, err := Start()
	if err == nil {
		err = os.Setenv(variable, s.Host())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := s.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

var onEmulator bool

// OnEmulator says whether Main found an emulator for the tests, which knows more SQL and
// is slower.
func OnEmulator() bool { return onEmulator }

// BufferRows has DELETE refuse rows that insertAll appended, as the service does for some 90 minutes.
func (s *Server) BufferRows(on bool) { s.buffers.Store(on) }

// Host returns the server's address, as BIGQUERY_EMULATOR_HOST wants it.
func (s *Server) Host() string { return s.listener.Addr().String() }

// Close stops the server, cuts its connections and waits for it to end.
func (s *Server) Close() error {
	s.end()
	err := s.http.Close()
	s.serving.Wait()
	return err
}

// project returns a project, which exists from then on.
func (s *Server) project(name string) *project {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.projects[name]
	if p == nil {
		p = newProject(name, s)
		s.projects[name] = p
	}
	return p
}

// Request is a request that the server has received.
type Request struct {
	Method  string // as the API names it: "jobs.insert"
	Project string
	ID      string // of the job, table or dataset, where the address has one
}

// Fault is what goes wrong with a request. The zero value: nothing.
type Fault struct {
	// Hold, if not nil, makes the request wait until it is closed, or until the client
	// goes away, in which case the request is not served.
	Hold <-chan struct{}
	// Delay is how long the request waits before it is served.
	Delay time.Duration
	// Status, if not 0, is answered with Reason instead of serving the request, or, with
	// Served, after it.
	Status int
	Reason string
	Served bool
	// Drop cuts the connection after the request was served: the work is done and the
	// answer is lost.
	Drop bool
}

// OnRequest lets decide choose the fault of each request from now on; nil: no faults.
// decide is called from many goroutines at once.
func (s *Server) OnRequest(decide func(Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onRest = decide
}

// Requests returns what the server has received.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// receive notes a request and returns its fault.
func (s *Server) receive(r Request) Fault {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	decide := s.onRest
	s.mu.Unlock()
	if decide == nil {
		return Fault{}
	}
	return decide(r)
}

// pause waits for the delay and until hold is closed; false: ctx ended before.
func pause(ctx context.Context, delay time.Duration, hold <-chan struct{}) bool {
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false
		}
	}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}
