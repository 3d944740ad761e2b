package gcs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"time"
)

// Transport takes requests to a server without a socket, so that a client can be used
// in a bubble of testing/synctest, where delays take no time. Each client has its own:
//
//	&http.Client{Transport: &gcs.Transport{Server: s}}
//
// A request whose sender gives up while it is delayed is still served, later; one that
// is held is not.
type Transport struct {
	Server *Server
	// Ahead is by how much the client's clock is ahead of the server's: the client
	// sees the server's times as that much earlier.
	Ahead time.Duration

	serving sync.WaitGroup
}

var errDropped = errors.New("fake Cloud Storage: the connection was cut")

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		defer r.Body.Close()
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	late := r.Clone(context.WithoutCancel(r.Context()))
	late.Body, late.RequestURI, late.RemoteAddr = io.NopCloser(bytes.NewReader(body)), r.URL.RequestURI(), "127.0.0.1:1"
	if late.Host == "" {
		late.Host = r.URL.Host
	}
	answer := make(chan *http.Response, 1)
	t.serving.Go(func() { answer <- t.serve(late) })
	select {
	case response := <-answer:
		if response == nil {
			return nil, errDropped
		}
		response.Request = r
		return response, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// Wait returns when no request is being served any more.
func (t *Transport) Wait() { t.serving.Wait() }

// serve returns the server's answer, or nil if the connection is cut.
func (t *Transport) serve(r *http.Request) (response *http.Response) {
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler {
			panic(v)
		}
	}()
	w := httptest.NewRecorder()
	t.Server.serve(w, r)
	response = w.Result()
	body := earlier(w.Body.Bytes(), t.Ahead)
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	response.Header.Del("Content-Length")
	return response
}

var times = regexp.MustCompile(`"(timeCreated|updated)":\s*"([^"]+)"`)

// earlier returns an answer with the times in it moved.
func earlier(body []byte, by time.Duration) []byte {
	if by == 0 {
		return body
	}
	return times.ReplaceAllFunc(body, func(b []byte) []byte {
		parts := times.FindSubmatch(b)
		at, err := time.Parse(time.RFC3339Nano, string(parts[2]))
		if err != nil {
			return b
		}
		return []byte(`"` + string(parts[1]) + `":"` + at.Add(-by).Format(time.RFC3339Nano) + `"`)
	})
}
