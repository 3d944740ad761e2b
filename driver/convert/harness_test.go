package convert_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/stores/memstore"
)

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var quiet = convert.Logger(slog.New(slog.DiscardHandler))

// convertRequest sends r to a handler and returns the message that the pipeline gets.
func convertRequest(t testing.TB, in convert.InputConverter, r *http.Request) driver.Message {
	t.Helper()
	var got []driver.Message
	pipeline := driver.New(driver.HandlerFunc(func(ctx context.Context, m driver.Message, next driver.Next) error {
		got = append(got, m)
		return next.Call(ctx, m)
	}))
	w := serve(convert.ToHTTPHandler(in, pipeline, quiet), r)
	if w.Code != http.StatusNoContent || len(got) != 1 {
		t.Fatalf("status %d %s, %d messages; want 204 and one", w.Code, w.Body, len(got))
	}
	return got[0]
}

// deadLetter sends r to a handler and returns its dead letter.
func deadLetter(t testing.TB, r *http.Request) driver.DeadLetter {
	t.Helper()
	store := memstore.New()
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, never(t), convert.DeadLetters(store), quiet)
	w := serve(handler, r)
	letters := store.DeadLetters()
	if w.Code != http.StatusOK || len(letters) != 1 {
		t.Fatalf("status %d %s, %d dead letters; want 200 and one", w.Code, w.Body, len(letters))
	}
	return letters[0]
}

// never is a pipeline that must not be called.
func never(t testing.TB) *driver.Pipeline {
	return failing(func(m driver.Message) error {
		t.Errorf("the pipeline was called with %+v", m)
		return nil
	})
}

// failing is a pipeline whose one handler returns what f returns.
func failing(f func(driver.Message) error) *driver.Pipeline {
	return driver.New(driver.HandlerFunc(func(_ context.Context, m driver.Message, _ driver.Next) error {
		return f(m)
	}))
}

func accept(driver.Message) error { return nil }

type processorFunc func(context.Context, driver.Message) error

func (f processorFunc) Process(ctx context.Context, m driver.Message) error { return f(ctx, m) }

type storeFunc func(context.Context, driver.DeadLetter) error

func (f storeFunc) AddDeadLetter(ctx context.Context, d driver.DeadLetter) error { return f(ctx, d) }

// brokenStore fails to store dead letters.
type brokenStore struct{ err error }

func (s brokenStore) AddDeadLetter(context.Context, driver.DeadLetter) error { return s.err }

func mustURL(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func readAll(t testing.TB, r io.Reader) string {
	t.Helper()
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

func readCloser(body string) io.ReadCloser { return io.NopCloser(strings.NewReader(body)) }

// to returns the request with another target.
func to(t testing.TB, target string, r *http.Request) *http.Request {
	t.Helper()
	u, err := url.ParseRequestURI(target) // as the server does
	if err != nil {
		t.Fatal(err)
	}
	r.URL, r.RequestURI = u, target
	return r
}
