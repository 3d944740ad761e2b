package convert_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/stores/memstore"
)

// brokenStore keeps no dead letters.
type brokenStore struct{ err error }

func (s brokenStore) AddDeadLetter(context.Context, driver.DeadLetter) error { return s.err }

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
		"not kept":              {permanent, brokenStore{errors.New("full")}, 500, "failed"},
		"not kept, permanently": {permanent, brokenStore{permanent}, 500, "failed"},
		"not kept, held":        {permanent, brokenStore{driver.ErrHeld}, 500, "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			pipeline := failing(func(driver.Message) error { return c.err })
			server := httptest.NewServer(convert.ToHTTPHandler(convert.CloudEventToInput, pipeline, convert.DeadLetters(c.store), quiet))
			defer server.Close()
			r := binary(`{}`)
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
			if got := serve(handler, binary(`{}`)).Header().Get("Retry-After"); got != want {
				t.Errorf("a lease for %v: Retry-After %s, want %s", wait, got, want)
			}
		})
	}
}

func TestOtherMethods(t *testing.T) {
	store := memstore.New()
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, never(t), convert.DeadLetters(store), quiet)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodOptions} {
		r := binary(`{}`)
		r.Method = method
		if w := serve(handler, r); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodPost {
			t.Errorf("%s: %d, Allow %q; want 405 and POST", method, w.Code, w.Header().Get("Allow"))
		}
	}
	if len(store.DeadLetters()) != 0 {
		t.Error("there are dead letters")
	}
}

func TestDeadLetterIsWhole(t *testing.T) {
	store := memstore.New()
	pipeline := failing(func(driver.Message) error { return driver.Permanent(errors.New("no")) })
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, pipeline, convert.DeadLetters(store), quiet)
	r := request([]byte(pushBody), "Content-Type", "application/json", "User-Agent", "1",
		"Authorization", "Bearer x", "Cookie", "x", "Proxy-Authorization", "x", "X-Serverless-Authorization", "x",
		"X-Goog-Iap-Jwt-Assertion", "x", "X-Api-Key", "x", "X-Forwarded-Authorization", "x", "X-Access-Token", "x")
	if w := serve(handler, r); w.Code != http.StatusOK {
		t.Fatal(w.Code)
	}
	d := store.DeadLetters()[0]
	if d.Reason != driver.ReasonPermanent || !strings.Contains(d.Error, "no") || !strings.HasPrefix(d.Handler, "1 (") {
		t.Errorf("%+v", d)
	}
	if d.ID != "m1" || d.Key != "o1" || d.Source != "s1" || d.Attempt != 5 || d.Time.IsZero() {
		t.Errorf("%+v", d)
	}
	// The push's own headers, and those with which Eventarc would have sent it.
	for name, want := range map[string]string{"Content-Type": "application/json", "User-Agent": "1", "Ce-Id": "m1", "Ce-Specversion": "1.0",
		"Ce-Type": "google.cloud.pubsub.topic.v1.messagePublished", "Ce-Source": "//pubsub.googleapis.com/projects/p/subscriptions/s1", "Ce-Time": "2021-02-05T04:06:14Z"} {
		if !slices.Equal(d.Header[name], []string{want}) {
			t.Errorf("header %s: %q, want %q", name, d.Header[name], want)
		}
	}
	if string(d.Body) != pushBody || len(d.Header) != 7 {
		t.Errorf("header %v, body %s", d.Header, d.Body)
	}
	if r.Header.Get("Authorization") == "" {
		t.Error("the request's own header was changed")
	}
}

func TestDeadLetterOfNoEvent(t *testing.T) {
	d := deadLetter(t, binary(`{`))
	if d.ID != "id-1" || d.Source != "event1" || d.Handler != "" || string(d.Body) != "{" {
		t.Errorf("%+v", d)
	}
	r := binary(`x`, "Ce-Specversion", "9")
	if d := deadLetter(t, r); d.ID != "id-1" || d.Source != "event1" || string(d.Body) != "x" {
		t.Errorf("%+v", d)
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
		r := binary(`"` + strings.Repeat("x", size-2) + `"`)
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
		if len(d.Body) != 1000 || d.Reason != driver.ReasonUndecodable || !strings.Contains(d.Error, "1000 bytes") || d.ID != "id-1" {
			t.Errorf("%d bytes kept, %s: %s", len(d.Body), d.Reason, d.Error)
		}
	}
	if processed != 1 {
		t.Errorf("%d processed, want 1", processed)
	}
}

func TestOuterBodyLimit(t *testing.T) {
	store := memstore.New()
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, never(t), convert.DeadLetters(store), quiet)
	w := serve(http.MaxBytesHandler(handler, 10), binary(`"0123456789"`))
	if w.Code != http.StatusOK || string(store.DeadLetters()[0].Body) != `"012345678` {
		t.Errorf("%d, %+v", w.Code, store.DeadLetters())
	}
}

func TestAbortedBody(t *testing.T) {
	for _, size := range []int{10, 100} { // below and above the limit
		store := memstore.New()
		handler := convert.ToHTTPHandler(convert.CloudEventToInput, never(t), convert.DeadLetters(store), convert.BodyLimit(50), quiet)
		r := binary("")
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat(" ", size)), brokenReader{}))
		if w := serve(handler, r); w.Code != http.StatusBadRequest || len(store.DeadLetters()) != 0 {
			t.Errorf("%d, %d dead letters; want 400 and none", w.Code, len(store.DeadLetters()))
		}
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A client that disconnects while its event is set aside loses nothing.
func TestDeadLetterOutlivesTheRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	store := storeFunc(func(ctx context.Context, _ driver.DeadLetter) error {
		cancel()
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("the writing of a dead letter is not bounded")
		}
		return ctx.Err()
	})
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, never(t), convert.DeadLetters(store), quiet)
	if w := serve(handler, binary(`{`).WithContext(ctx)); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

type storeFunc func(context.Context, driver.DeadLetter) error

func (f storeFunc) AddDeadLetter(ctx context.Context, d driver.DeadLetter) error { return f(ctx, d) }

type processorFunc func(context.Context, driver.Message) error

func (f processorFunc) Process(ctx context.Context, m driver.Message) error { return f(ctx, m) }

func TestPanics(t *testing.T) {
	store := memstore.New()
	converter := func(context.Context, *cloudevents.Event) (driver.Message, error) { panic("converter") }
	processor := processorFunc(func(context.Context, driver.Message) error { panic("processor") })
	full := storeFunc(func(context.Context, driver.DeadLetter) error { panic("store") })
	for name, c := range map[string]struct {
		handler http.Handler
		status  int
		letters int
	}{
		"converter": {convert.ToHTTPHandler(converter, never(t), convert.DeadLetters(store), quiet), 200, 1},
		"processor": {convert.ToHTTPHandler(convert.CloudEventToInput, processor, convert.DeadLetters(store), quiet), 500, 0},
		"store":     {convert.ToHTTPHandler(converter, never(t), convert.DeadLetters(full), quiet), 500, 0},
	} {
		before := len(store.DeadLetters())
		w := serve(c.handler, binary(`{}`))
		if n := len(store.DeadLetters()) - before; w.Code != c.status || n != c.letters {
			t.Errorf("%s: %d, %d dead letters; want %d, %d", name, w.Code, n, c.status, c.letters)
		}
	}
}

// What a converter of the user's returns is checked like our own.
func TestConverterOfOnesOwn(t *testing.T) {
	for name, c := range map[string]struct {
		message driver.Message
		err     error
		status  int
		reason  driver.Reason
	}{
		"no key":    {driver.Message{Source: "s"}, nil, 200, driver.ReasonNoKey},
		"no source": {driver.Message{Key: "k"}, nil, 200, driver.ReasonUnknownSource},
		"rejected":  {driver.Message{}, driver.Permanent(errors.New("x")), 200, driver.ReasonPermanent},
		"transient": {driver.Message{}, errors.New("x"), 500, ""},
	} {
		store := memstore.New()
		in := func(context.Context, *cloudevents.Event) (driver.Message, error) { return c.message, c.err }
		w := serve(convert.ToHTTPHandler(in, never(t), convert.DeadLetters(store), quiet), binary(`{}`))
		if w.Code != c.status || (c.reason == "") != (len(store.DeadLetters()) == 0) {
			t.Errorf("%s: %d, %+v", name, w.Code, store.DeadLetters())
		} else if c.reason != "" && store.DeadLetters()[0].Reason != c.reason {
			t.Errorf("%s: %s, want %s", name, store.DeadLetters()[0].Reason, c.reason)
		}
	}
}

func TestNilArguments(t *testing.T) {
	for name, f := range map[string]func(){
		"converter": func() { convert.ToHTTPHandler(nil, driver.New()) },
		"processor": func() { convert.ToCloudFunction(convert.CloudEventToInput, nil) },
		"output":    func() { convert.ToKNativeEventHandler(convert.CloudEventToInput, driver.New(), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

// A long error gets into a header as far as it fits, also where it is cut within a
// character; and into the letter as a whole.
func TestErrorHeaderIsShort(t *testing.T) {
	for n := range 4 {
		text := strings.Repeat("x", n) + strings.Repeat("\u20ac\x00", 2000)
		store := memstore.New()
		p := processorFunc(func(context.Context, driver.Message) error { return driver.Permanent(errors.New(text)) })
		w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, p, convert.DeadLetters(store), quiet), binary(`{}`))
		header := w.Header().Get(convert.ErrorHeader)
		start, ok := strings.CutSuffix(header, "...")
		decoded, err := convert.DecodeHeader("key", start)
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
