package gcs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Class is what Cloud Storage bills a request as
// (https://cloud.google.com/storage/pricing, Operation charges).
type Class string

// The classes of requests.
const (
	A    Class = "A"    // inserts, lists, patches, copies
	B    Class = "B"    // reads of content and of metadata
	Free Class = "free" // deletes
)

// Kind says what a request does.
type Kind string

// The kinds of requests.
const (
	Insert Kind = "insert" // creates or overwrites an object
	Read   Kind = "read"   // gets an object's content
	Stat   Kind = "stat"   // gets an object's metadata
	List   Kind = "list"   // lists objects
	Delete Kind = "delete" // deletes an object
	Other  Kind = "other"  // anything else
)

// Request is a request that the server has received.
type Request struct {
	N      int // its place in the order of arrival, from 0
	Class  Class
	Kind   Kind
	Bucket string
	Object string // the object's name, or the prefix of a list
}

// String returns the request on one line, as failing tests print it.
func (r Request) String() string {
	return fmt.Sprintf("%d: %s (%s) %s/%s", r.N, r.Kind, r.Class, r.Bucket, r.Object)
}

// Counts are numbers of requests by class.
type Counts struct{ A, B, Free int }

// Fault is what goes wrong with a request. The zero value: nothing.
type Fault struct {
	// Delay is how long the request waits before it is served.
	Delay time.Duration
	// Hold, if not nil, makes the request wait until it is closed, or until the
	// client goes away, in which case the request is not served.
	Hold <-chan struct{}
	// Status, if not 0, is answered at once instead of serving the request.
	Status int
	// Missing answers the request as if the object did not exist.
	Missing bool
	// Drop cuts the connection after the request was served: the work is done
	// and the answer is lost.
	Drop bool
}

// OnRequest lets decide choose the fault of each request from now on; nil: no faults.
// decide is called from many goroutines at once.
func (s *Server) OnRequest(decide func(Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decide = decide
}

// mostRequests is how many requests are remembered.
const mostRequests = 100_000

// Requests returns what the server has received since it was started or Reset, the
// last 50,000 at least.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Counts returns how many requests the server has received since it was started
// or Reset.
func (s *Server) Counts() Counts {
	var c Counts
	for _, r := range s.Requests() {
		switch r.Class {
		case A:
			c.A++
		case B:
			c.B++
		default:
			c.Free++
		}
	}
	return c
}

// Reset forgets the requests that were received, and every fault.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.received, s.decide = nil, 0, nil
}

// receive notes a request and returns its fault.
func (s *Server) receive(r Request) Fault {
	s.mu.Lock()
	r.N = s.received
	s.received++
	if len(s.requests) == mostRequests { // a local run may go on for days
		s.requests = slices.Delete(s.requests, 0, mostRequests/2)
	}
	s.requests = append(s.requests, r)
	decide := s.decide
	s.mu.Unlock()
	if decide == nil {
		return Fault{}
	}
	return decide(r)
}

// serve counts a request, injects its fault, and passes it on.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	// The whole body first: only then does the server notice a client that goes
	// away, and a fault never leaves half a request behind.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))

	request := Classify(r)
	fault := s.receive(request)
	if !wait(r.Context(), fault) {
		panic(http.ErrAbortHandler)
	}
	if fault.Status != 0 {
		http.Error(w, "a fault that was asked for", fault.Status)
		return
	}
	if fault.Missing {
		(&answer{ResponseWriter: w, server: s, request: request}).WriteHeader(http.StatusNotFound)
		return
	}
	if fault.Drop {
		s.answer(httptest.NewRecorder(), r, body, request)
		panic(http.ErrAbortHandler)
	}
	s.answer(&answer{ResponseWriter: w, server: s, request: request}, r, body, request)
}

// answer has the fake answer a request.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, body []byte, request Request) {
	s.mu.Lock()
	folder := s.folder
	s.mu.Unlock()
	if folder != nil {
		folder.serve(s.fakes, w, r, body, request)
		return
	}
	s.fakes.serve(w, r, body, request)
}

// answer gives a 404 the words of the service, which differ for objects, for buckets, and
// for downloads, whose answer is not JSON. The fake says "Not Found" for all of them.
type answer struct {
	http.ResponseWriter
	server  *Server
	request Request
	instead bool // another body was written in place of the fake's
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if status != http.StatusNotFound || a.request.Kind == Other {
		a.ResponseWriter.WriteHeader(status)
		return
	}
	a.instead = true
	text := "The specified bucket does not exist."
	if _, err := a.server.fakes.first().Backend().GetBucket(a.request.Bucket); err == nil {
		text = fmt.Sprintf("No such object: %s/%s", a.request.Bucket, a.request.Object)
	}
	if a.request.Kind != Read {
		quoted, _ := json.Marshal(text) // a string always has a JSON form
		text = fmt.Sprintf(`{"error":{"code":404,"message":%s,"errors":[{"domain":"global","reason":"notFound","message":%[1]s}]}}`, quoted)
	}
	a.Header().Del("Content-Length")
	a.ResponseWriter.WriteHeader(status)
	_, _ = io.WriteString(a.ResponseWriter, text) // the client may have gone
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(b []byte) (int, error) {
	if a.instead {
		return len(b), nil
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap is for [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// wait holds a request back; false: the client went away meanwhile.
func wait(ctx context.Context, fault Fault) bool {
	if fault.Delay > 0 {
		timer := time.NewTimer(fault.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false
		}
	}
	if fault.Hold != nil {
		select {
		case <-fault.Hold:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// Classify tells what a request to Cloud Storage is from its method and address. It is not numbered.
func Classify(r *http.Request) Request {
	path := r.URL.EscapedPath()
	query := r.URL.Query()
	if rest, ok := strings.CutPrefix(path, "/upload/storage/v1/b/"); ok {
		bucket, _, _ := strings.Cut(rest, "/")
		class := A
		if r.Method != http.MethodPost {
			class = Free // the later parts of an upload that was billed at its start
		}
		return Request{Class: class, Kind: Insert, Bucket: unescape(bucket), Object: query.Get("name")}
	}
	if rest, ok := strings.CutPrefix(strings.TrimPrefix(path, "/download"), "/storage/v1/b/"); ok {
		return classifyJSON(r.Method, rest, query)
	}
	if strings.HasPrefix(path, "/storage/v1/") {
		return Request{Class: A, Kind: Other}
	}
	bucket, object, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/") // the XML API
	xml := Request{Class: A, Kind: Other, Bucket: unescape(bucket), Object: unescape(object)}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		xml.Class, xml.Kind = B, Read
	}
	return xml
}

func classifyJSON(method, rest string, query url.Values) Request {
	bucket, object, isObject := strings.Cut(rest, "/o")
	r := Request{Class: A, Kind: Other, Bucket: unescape(bucket), Object: unescape(strings.TrimPrefix(object, "/"))}
	switch {
	case method == http.MethodDelete:
		r.Class, r.Kind = Free, Delete
	case method != http.MethodGet:
	case !isObject:
		r.Class = B
	case r.Object == "":
		r.Kind, r.Object = List, query.Get("prefix")
	case query.Get("alt") == "media":
		r.Class, r.Kind = B, Read
	default:
		r.Class, r.Kind = B, Stat
	}
	return r
}

func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}
