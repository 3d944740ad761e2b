// Package googleapis is a stand-in for those of Google's APIs that describe what is deployed:
// a server that answers each path with what a test says. It knows nothing of the APIs.
package googleapis

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// Refusal is the answer of an API that does not give what was asked for.
type Refusal struct {
	Code    int    // the HTTP status
	Message string // for people
	Reason  string // for programs, as in SERVICE_DISABLED
}

// Server serves the answers. Create it with [New].
type Server struct {
	URL     string
	answers map[string]any

	mu    sync.Mutex
	asked []string
}

// New starts a server, which ends with the test. Answers are by path, as in
// /v2/projects/p/locations/r/services/s; one is a [Refusal], or a func(*http.Request) any that
// returns one, or is sent as JSON. To other paths the server answers 404, as Google does.
func New(t testing.TB, answers map[string]any) *Server {
	s := &Server{answers: answers}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Asked returns the requests so far, as in GET /v2/projects/p.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	s.mu.Unlock()
	answer, found := s.answers[r.URL.Path]
	if !found {
		answer = Refusal{Code: http.StatusNotFound, Message: "there is nothing at " + r.URL.Path}
	}
	if answers, is := answer.(func(*http.Request) any); is {
		answer = answers(r)
	}
	w.Header().Set("Content-Type", "application/json")
	if refusal, refused := answer.(Refusal); refused {
		w.WriteHeader(refusal.Code)
		answer = refusal.body()
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(err)
	}
}

// body returns what Google's APIs send with a failure.
func (r Refusal) body() any {
	failure := map[string]any{"code": r.Code, "message": r.Message}
	if r.Reason != "" {
		failure["details"] = []any{map[string]any{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": r.Reason}}
	}
	return map[string]any{"error": failure}
}
