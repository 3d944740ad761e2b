package convert_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/internal/eventtest"
	"example.com/eventdriver/stores/memstore"
)

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
		"converter in the request's goroutine": {convert.ToHTTPHandler(converter, never(t), convert.DeadLetters(store), quiet,
			convert.ConverterReturns()), 200, 1},
		"processor": {convert.ToHTTPHandler(convert.CloudEventToInput, processor, convert.DeadLetters(store), quiet), 500, 0},
		"store":     {convert.ToHTTPHandler(converter, never(t), convert.DeadLetters(full), quiet), 500, 0},
	} {
		before := len(store.DeadLetters())
		w := serve(c.handler, eventtest.Binary(`{}`))
		if n := len(store.DeadLetters()) - before; w.Code != c.status || n != c.letters {
			t.Errorf("%s: %d, %d dead letters; want %d, %d", name, w.Code, n, c.status, c.letters)
		}
	}
}

// The message of a converter of the user's is checked like that of CloudEventToInput.
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
		w := serve(convert.ToHTTPHandler(in, never(t), convert.DeadLetters(store), quiet), eventtest.Binary(`{}`))
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

func TestMaxAge(t *testing.T) {
	const push = `{"message":{"data":"MQ==","messageId":"1","publishTime":"2020-01-01T00:00:00Z","attributes":{"key":"k"}},"subscription":"projects/p/subscriptions/s"}`
	transient := errors.New("out of stock")
	old, young := time.Now().Add(-2*time.Hour).Format(time.RFC3339), time.Now().Add(-time.Minute).Format(time.RFC3339)
	for name, c := range map[string]struct {
		ceTime string // "": none
		body   string // "": a custom event
		err    error
		maxAge time.Duration
		status int
	}{
		"old, and fails":               {ceTime: old, err: transient, maxAge: time.Hour, status: http.StatusOK},
		"old by its time of publish":   {body: push, err: transient, maxAge: time.Hour, status: http.StatusOK},
		"young, and fails":             {ceTime: young, err: transient, maxAge: time.Hour, status: http.StatusInternalServerError},
		"old, and works":               {ceTime: old, maxAge: time.Hour, status: http.StatusNoContent},
		"old, but its key is held":     {ceTime: old, err: &driver.HeldError{Key: "k"}, maxAge: time.Hour, status: http.StatusServiceUnavailable},
		"old, but its key is paused":   {ceTime: old, err: &driver.LaterError{Key: "k"}, maxAge: time.Hour, status: http.StatusServiceUnavailable},
		"old, and the store is busy":   {ceTime: old, err: driver.ErrHeld, maxAge: time.Hour, status: http.StatusOK},
		"young, and the store is busy": {ceTime: young, err: driver.ErrHeld, maxAge: time.Hour, status: http.StatusServiceUnavailable},
		"of no known age":              {err: transient, maxAge: time.Hour, status: http.StatusInternalServerError},
		"old, where any age will do":   {ceTime: old, err: transient, status: http.StatusInternalServerError},
		"old, and fails for its sake":  {ceTime: old, err: driver.Permanent(transient), maxAge: time.Hour, status: http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			letters := memstore.New()
			pipeline := driver.New(driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { return c.err }))
			handler := convert.ToHTTPHandler(convert.CloudEventToInput, pipeline, convert.DeadLetters(letters), convert.MaxAge(c.maxAge))
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("1"))
			if c.body != "" {
				r = httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
			} else {
				for header, value := range map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Type": "t", "Ce-Source": "s", "Ce-Key": "k"} {
					r.Header.Set(header, value)
				}
			}
			r.Header.Set("Content-Type", "application/json")
			if c.ceTime != "" {
				r.Header.Set("Ce-Time", c.ceTime)
			}
			w := httptest.NewRecorder()
			handler(w, r)
			if w.Code != c.status {
				t.Errorf("%d %s, want %d", w.Code, w.Body, c.status)
			}
			kept := letters.DeadLetters()
			if (len(kept) == 1) != (c.status == http.StatusOK) {
				t.Fatalf("%d dead letters with status %d", len(kept), c.status)
			}
			if len(kept) == 1 && !driver.IsPermanent(c.err) && (kept[0].Reason != driver.ReasonTooOld || kept[0].Error == "") {
				t.Errorf("the reason is %s: %s, want too-old and what failed", kept[0].Reason, kept[0].Error)
			}
		})
	}
}

// An old event is not dead-lettered when its client disconnects: its run may go on.
func TestMaxAgeOfAnEventWhoseClientIsGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	letters := memstore.New()
	pipeline := driver.New(driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { return nil }))
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, pipeline, convert.DeadLetters(letters), convert.MaxAge(time.Hour))
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("1")).WithContext(ctx)
	for header, value := range map[string]string{"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Type": "t",
		"Ce-Source": "s", "Ce-Key": "k", "Ce-Time": time.Now().Add(-2 * time.Hour).Format(time.RFC3339)} {
		r.Header.Set(header, value)
	}
	w := httptest.NewRecorder()
	handler(w, r)
	if w.Code/100 == 2 || len(letters.DeadLetters()) > 0 {
		t.Errorf("%d %s, %d dead letters", w.Code, w.Body, len(letters.DeadLetters()))
	}
}
