package trouble

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/eventdriver/cmd/local/internal/records"
)

// Operation is what a request asks of the store.
type Operation string

// The operations. Those of a store that is not in Cloud Storage are all Other.
const (
	KeepEvent Operation = "keep an event"
	LookUp    Operation = "look for an event"
	Claim     Operation = "claim a key" // and to renew or release it
	LookClaim Operation = "look at a claim"
	Complete  Operation = "complete a key"
	Letter    Operation = "keep a letter"
	Other     Operation = "do something else"
)

// Operations returns all of them.
func Operations() []Operation {
	return []Operation{KeepEvent, LookUp, Claim, LookClaim, Complete, Letter, Other}
}

// Proxy stands between an instance and the store's server.
type Proxy struct {
	instance string
	troubles *Troubles
	forward  *httputil.ReverseProxy
	server   *http.Server
	listener net.Listener
	serving  sync.WaitGroup
}

// StartProxy starts a proxy on 127.0.0.1 that passes an instance's requests on to the store's
// server at host. Close stops it.
func (t *Troubles) StartProxy(instance, host string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression, transport.MaxIdleConnsPerHost = true, 64
	p := &Proxy{instance: instance, troubles: t, listener: listener, forward: &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: host}) },
		Transport:    transport,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}
	p.serving.Go(func() { _ = p.server.Serve(listener) }) // until Close
	return p, nil
}

// Host returns where the proxy listens, as STORAGE_EMULATOR_HOST wants it.
func (p *Proxy) Host() string { return p.listener.Addr().String() }

// Close cuts all connections.
func (p *Proxy) Close() error {
	err := p.server.Close()
	p.serving.Wait()
	return err
}

// ServeHTTP passes a request on.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	record := describe(r)
	record.Instance = p.instance
	op := Operation(record.Message)
	if slow, set := p.troubles.take(func(set Trouble) bool { return set.Kind == Slow }); set && !wait(r.Context(), slow.For) {
		panic(http.ErrAbortHandler)
	}
	_, lost := p.troubles.take(func(set Trouble) bool { return set.Kind == Lose && (set.Operation == "" || set.Operation == op) })
	if !lost {
		answer := &noted{ResponseWriter: w}
		defer p.note(record, answer)
		p.forward.ServeHTTP(answer, r)
		return
	}
	record.Severity = "WARNING"
	record.Message += ": the store did it, its answer is lost"
	answer := &noted{ResponseWriter: httptest.NewRecorder()}
	p.forward.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
	p.note(record, answer)
	panic(http.ErrAbortHandler)
}

func (p *Proxy) note(r records.Record, answer *noted) {
	r.Attributes["status"] = answer.status
	p.troubles.journal.Add(r)
}

// noted notes the status of an answer.
type noted struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (n *noted) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (n *noted) Unwrap() http.ResponseWriter { return n.ResponseWriter }

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// describe says what a request to Cloud Storage asks for. The names of objects are those of
// package gcsstore.
func describe(r *http.Request) records.Record {
	object := objectOf(r.URL)
	record := records.Record{Kind: records.Store, Severity: "DEBUG", Message: string(Other),
		Attributes: map[string]any{"method": r.Method, "object": object}}
	folder, last := path.Split(object)
	parts := strings.Split(strings.Trim(folder, "/"), "/")
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	choose := func(read, write Operation) {
		if record.Message = string(write); reads {
			record.Message = string(read)
		}
	}
	switch {
	case slices.Contains(parts, "deadletters"):
		choose(Other, Letter)
	case parts[len(parts)-1] == "events" && len(parts) > 1:
		choose(LookUp, KeepEvent)
		record.Key, record.Source = unescape(parts[len(parts)-2]), unescape(last)
	case last == "claim":
		choose(LookClaim, Claim)
		record.Key = unescape(keyOf(parts))
	case last == "done":
		choose(LookClaim, Complete)
		record.Key = unescape(keyOf(parts))
	}
	return record
}

// keyOf returns the key's folder of those that lead to a claim, which may be in a scope.
func keyOf(parts []string) string {
	if n := len(parts); n > 2 && parts[n-2] == "scopes" {
		return parts[n-3]
	}
	return parts[len(parts)-1]
}

// objectOf returns the name of the object that a request of the JSON or the XML API is about.
func objectOf(u *url.URL) string {
	if strings.HasPrefix(u.Path, "/upload/") {
		return u.Query().Get("name")
	}
	if rest, ok := strings.CutPrefix(u.Path, "/storage/v1/b/"); ok {
		_, name, _ := strings.Cut(rest, "/o/")
		if name == "" {
			return u.Query().Get("prefix")
		}
		return name
	}
	_, name, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return name
}

// unescape returns what gcsstore's escaped name stands for; "" if the name does not tell.
func unescape(name string) string {
	if strings.HasPrefix(name, "==") {
		return ""
	}
	plain, err := url.PathUnescape(strings.ReplaceAll(name, "=", "%"))
	if err != nil {
		return ""
	}
	return plain
}
