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
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/eventtest"
	"example.com/eventdriver/stores/memstore"
)

func TestAnswers(t *testing.T) {
	permanent := driver.Reject(driver.ReasonConflict, errors.New("100%s wrong\nand more"))
	for name, c := range map[string]struct {
		err    error
		store  driver.DeadLetterStore
		status int
		body   string
	}{
		"processed":             {nil, nil, 204, ""},
		"dead-lettered":         {permanent, memstore.New(), 200, ""},
		"dead letters off":      {permanent, nil, 400, "rejected: conflict: "},
		"transient":             {errors.New("down"), memstore.New(), 500, "failed"},
		"held":                  {&driver.HeldError{Key: "k"}, memstore.New(), 503, "held"},
		"paused":                {&driver.LaterError{Key: "k"}, memstore.New(), 503, "its last run asked for a pause"},
		"not kept":              {permanent, brokenStore{errors.New("full")}, 500, "failed"},
		"not kept, permanently": {permanent, brokenStore{permanent}, 500, "failed"},
		"not kept, held":        {permanent, brokenStore{driver.ErrHeld}, 500, "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			pipeline := failing(func(driver.Message) error { return c.err })
			server := httptest.NewServer(convert.ToHTTPHandler(convert.CloudEventToInput, pipeline, convert.DeadLetters(c.store), quiet))
			defer server.Close()
			r := eventtest.Binary(`{}`)
			r.RequestURI, r.URL = "", mustURL(t, server.URL)
			answer, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body := readAll(t, answer.Body)
			if answer.StatusCode != c.status || !strings.HasPrefix(body, c.body) || strings.Count(body, "\n") > 1 || c.status < 300 && body != "" {
				t.Errorf("%d %q, want %d and a line that starts with %q", answer.StatusCode, body, c.status, c.body)
			}
			reason, text := answer.Header.Get(convert.DeadLetterHeader), answer.Header.Get(convert.ErrorHeader)
			if dead := c.status == 200; dead != (reason == "conflict") || dead != strings.HasSuffix(text, "100%25s wrong; and more") {
				t.Errorf("the headers say %q, %q", reason, text)
			}
			if retry := answer.Header.Get("Retry-After"); (retry != "") != (c.status == 503) {
				t.Errorf("Retry-After %q", retry)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		-time.Hour: "1", 0: "1", time.Millisecond: "1", time.Second: "1", 1001 * time.Millisecond: "2",
		59500 * time.Millisecond: "60", time.Hour: "60",
	} {
		synctest.Test(t, func(t *testing.T) {
			held := &driver.HeldError{Key: "k", Expires: time.Now().Add(wait)}
			handler := convert.ToHTTPHandler(convert.CloudEventToInput, failing(func(driver.Message) error { return held }), quiet)
			if got := serve(handler, eventtest.Binary(`{}`)).Header().Get("Retry-After"); got != want {
				t.Errorf("a lease for %v: Retry-After %s, want %s", wait, got, want)
			}
		})
	}
}

// TestRetryAfterAPause: the answer says how long the pause lasts, and not a second less. The failure that
// asks for it says so, too.
func TestRetryAfterAPause(t *testing.T) {
	for wait, want := range map[time.Duration]string{-time.Hour: "1", 0: "1", time.Millisecond: "1", 1001 * time.Millisecond: "2", time.Hour: "3600"} {
		synctest.Test(t, func(t *testing.T) {
			later := &driver.LaterError{Key: "k", Until: time.Now().Add(wait)}
			handler := convert.ToHTTPHandler(convert.CloudEventToInput, failing(func(driver.Message) error { return later }), quiet)
			if w := serve(handler, eventtest.Binary(`{}`)); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != want {
				t.Errorf("a pause of %v: %d, Retry-After %s, want %s", wait, w.Code, w.Header().Get("Retry-After"), want)
			}
		})
	}
	asks := driver.RetryAfter(errors.New("busy"), 1500*time.Millisecond)
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, failing(func(driver.Message) error { return asks }), quiet)
	if w := serve(handler, eventtest.Binary(`{}`)); w.Code != http.StatusInternalServerError || w.Header().Get("Retry-After") != "2" {
		t.Errorf("%d, Retry-After %s", w.Code, w.Header().Get("Retry-After"))
	}
}

func TestOtherMethods(t *testing.T) {
	store := memstore.New()
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, never(t), convert.DeadLetters(store), quiet)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodOptions} {
		r := eventtest.Binary(`{}`)
		r.Method = method
		if w := serve(handler, r); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodPost {
			t.Errorf("%s: %d, Allow %q; want 405 and POST", method, w.Code, w.Header().Get("Allow"))
		}
	}
	if len(store.DeadLetters()) != 0 {
		t.Error("there are dead letters")
	}
}

func TestBodyLimit(t *testing.T) {
	store := memstore.New()
	processed := 0
	pipeline := failing(func(driver.Message) error { processed++; return nil })
	server := httptest.NewServer(convert.ToHTTPHandler(convert.CloudEventToInput, pipeline,
		convert.DeadLetters(store), convert.BodyLimit(1000), quiet))
	defer server.Close()
	send := func(size int) int {
		t.Helper()
		r := eventtest.Binary(`"` + strings.Repeat("x", size-2) + `"`)
		r.RequestURI, r.URL = "", mustURL(t, server.URL)
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	if status := send(1000); status != http.StatusNoContent || processed != 1 {
		t.Errorf("at the limit: %d", status)
	}
	for i, size := range []int{1001, 5 << 20} {
		if status := send(size); status != http.StatusOK || len(store.DeadLetters()) != i+1 {
			t.Fatalf("%d bytes: %d, %d dead letters", size, status, len(store.DeadLetters()))
		}
		d := store.DeadLetters()[i]
		if len(d.Body) != 1000 || !d.Cut || d.Reason != driver.ReasonUndecodable || !strings.Contains(d.Error, "1000 bytes") || d.ID != "id-1" {
			t.Errorf("%d bytes kept, %s: %s", len(d.Body), d.Reason, d.Error)
		}
	}
	if processed != 1 {
		t.Errorf("%d processed, want 1", processed)
	}
}

// TestLetterOfAnUnreadBodyHasItsKey: what the headers say is found by the key, unless the key is in the data.
func TestLetterOfAnUnreadBodyHasItsKey(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"cut":        func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", 1001))) },
		"compressed": func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") },
		"two types":  func(r *http.Request) { r.Header["Content-Type"] = []string{"text/plain", "text/html"} },
		"its subject": func(r *http.Request) {
			r.Header.Del("Ce-Key")
			r.Header.Set("Ce-Subject", "a%20b")
			r.Header.Set("Content-Encoding", "br")
		},
	} {
		for _, pointer := range []string{"", "/id"} {
			var opts []decode.Option
			if pointer != "" {
				opts = append(opts, decode.KeyPointer(pointer))
			}
			d, err := decode.New(append(opts, decode.SourceAliases(map[string][]string{"event1": {"elsewhere"}}))...)
			if err != nil {
				t.Fatal(err)
			}
			store := memstore.New()
			r := eventtest.Binary("{}")
			r.Header.Set("Ce-Key", "a%20b")
			r.Header.Set("Ce-Source", "elsewhere")
			change(r)
			serve(convert.ToHTTPHandler(d.Message, never(t), convert.DeadLetters(store), convert.BodyLimit(1000), quiet), r)
			letters := store.DeadLetters()
			if len(letters) != 1 {
				t.Fatalf("%s: %+v", name, letters)
			}
			want := "a b"
			if pointer != "" {
				want = ""
			}
			if l := letters[0]; l.Key != want || l.Source != "event1" || l.ID != "id-1" || l.Reason != driver.ReasonUndecodable {
				t.Errorf("%s, %q: %+v", name, pointer, l)
			}
		}
	}
}

// So is a Pub/Sub message whose attributes can be read, though its data can't.
func TestLetterOfAnUnreadMessageHasItsKey(t *testing.T) {
	const body = `{"message":{"messageId":"1","data":"?","attributes":{"key":"order-1"}},"subscription":"s"}`
	for _, r := range []*http.Request{
		eventtest.Request([]byte(body), "Content-Type", "application/json"),
		eventtest.Binary(body, "Ce-Type", eventtest.PubSubType, "Ce-Key", ""),
	} {
		if l := deadLetter(t, r); l.Key != "order-1" || l.Reason != driver.ReasonUndecodable {
			t.Errorf("%q: key %q, %s", r.Header, l.Key, l.Error)
		}
	}
}

func TestOuterBodyLimit(t *testing.T) {
	store := memstore.New()
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, never(t), convert.DeadLetters(store), quiet)
	w := serve(http.MaxBytesHandler(handler, 10), eventtest.Binary(`"0123456789"`))
	if w.Code != http.StatusOK || string(store.DeadLetters()[0].Body) != `"012345678` {
		t.Errorf("%d, %+v", w.Code, store.DeadLetters())
	}
}

func TestAbortedBody(t *testing.T) {
	for _, size := range []int{10, 100} { // below and above the limit
		store := memstore.New()
		handler := convert.ToHTTPHandler(convert.CloudEventToInput, never(t), convert.DeadLetters(store), convert.BodyLimit(50), quiet)
		r := eventtest.Binary("")
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat(" ", size)), brokenReader{}))
		if w := serve(handler, r); w.Code != http.StatusBadRequest || len(store.DeadLetters()) != 0 {
			t.Errorf("%d, %d dead letters; want 400 and none", w.Code, len(store.DeadLetters()))
		}
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// The header has as much of a long error as fits, also if the cut is inside of a character. The
// letter has all of it.
func TestErrorHeaderIsShort(t *testing.T) {
	for n := range 4 {
		text := strings.Repeat("x", n) + strings.Repeat("\u20ac\x00", 2000)
		store := memstore.New()
		p := processorFunc(func(context.Context, driver.Message) error { return driver.Permanent(errors.New(text)) })
		w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, p, convert.DeadLetters(store), quiet), eventtest.Binary(`{}`))
		header := w.Header().Get(convert.ErrorHeader)
		start, ok := strings.CutSuffix(header, "...")
		decoded, err := decode.DecodeHeader("key", start)
		if !ok || len(header) > 1100 || strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%d: %d bytes, %q", n, len(header), header)
		}
		if err == nil && !strings.HasPrefix(text, decoded) {
			t.Errorf("%d: decoded it is %q", n, decoded)
		}
		if kept := store.DeadLetters(); len(kept) != 1 || kept[0].Error != text {
			t.Errorf("%d: kept %d letters", n, len(kept))
		}
	}
}

// With the SDK's receiver some of these requests never get an answer. Here each does, even while
// other clients disconnect in the middle of a body.
func TestConcurrentClients(t *testing.T) {
	const clients, each = 32, 60
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
	r.Header = eventtest.Binary("", "Ce-Key", key).Header
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

// abort sends a part of an event's body, and then disconnects.
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
