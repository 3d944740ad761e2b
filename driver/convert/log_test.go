package convert_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/internal/eventtest"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

func TestLog(t *testing.T) {
	panicked := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { panic("boom") })
	for name, c := range map[string]struct {
		p     convert.Processor
		store driver.DeadLetterStore
		body  string
		want  []string
	}{
		"processed": {failing(accept), nil, `{}`, []string{"level=INFO", "event=id-1", "type=com.example", "key=k", "source=event1"}},
		"waiting": {driver.New(joiner.New(joiner.MatchAll("event1", "event2", "event3"), memstore.New())), nil, `{}`,
			[]string{"level=INFO", "key=k", "source=event1", `waitsFor="event2, event3"`}},
		"held": {failing(func(driver.Message) error { return driver.ErrHeld }), nil, `{}`,
			[]string{"level=INFO", "handler=", "error="}},
		"panic": {driver.New(panicked), nil, `{}`, []string{"level=WARN", "stack=", "boom", "event=id-1"}},
		"dead-lettered": {failing(accept), memstore.New(), `{"` + eventtest.Secret,
			[]string{"level=ERROR", "reason=undecodable", "event=id-1", "type=com.example", "source=event1"}},
		"not kept": {failing(accept), brokenStore{errors.New("full")}, `{"` + eventtest.Secret, []string{"level=ERROR", "reason=undecodable", "full"}},
		"off":      {failing(accept), nil, `{"` + eventtest.Secret, []string{"level=ERROR", "reason=undecodable"}},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			serve(convert.ToHTTPHandler(convert.CloudEventToInput, c.p, convert.DeadLetters(c.store), convert.Logger(logger)), eventtest.Binary(c.body))
			if strings.Count(log.String(), "\n") != 1 || strings.Contains(log.String(), eventtest.Secret) {
				t.Errorf("not one record, or the payload in it:\n%s", log.String())
			}
			for _, part := range c.want {
				if !strings.Contains(log.String(), part) {
					t.Errorf("no %s in %s", part, log.String())
				}
			}
		})
	}
}

// The attributes that were left out of an event are one warning, which identifies the event and does
// not show the values.
func TestWhatIsLeftOutIsLoggedOnce(t *testing.T) {
	for name, r := range eventtest.RequestsFrom("event1") {
		if strings.Contains(name, "structured") {
			continue
		}
		r.Header.Set("Ce-Time", eventtest.Secret)
		r.Header.Set("Ce-Subject", " ")
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		if strings.HasPrefix(name, "wrapped") {
			r = eventtest.Request(eventtest.Push(`{"ce-specversion":"1.0","ce-id":"id-1","ce-type":"t","ce-source":"event1","ce-key":"k","ce-time":"`+eventtest.Secret+`","ce-subject":""}`, "1"),
				"Content-Type", "application/json")
		}
		serve(convert.ToHTTPHandler(convert.CloudEventToInput, failing(accept), convert.DeadLetters(memstore.New()), convert.Logger(logger)), r)
		lines := strings.Count(log.String(), "\n")
		for _, part := range []string{"level=WARN", "malformed attributes left out of an event", "event=id-1", "key=k", "source=event1", "ce-time: not a time", "ce-subject: empty"} {
			if lines != 1 || !strings.Contains(log.String(), part) || strings.Contains(log.String(), eventtest.Secret) {
				t.Errorf("%s: logged %q; want one line that says %q", name, log.String(), part)
			}
		}
	}
}

// The log line is short, however many attributes are malformed.
func TestManyMalformedAttributes(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	r := eventtest.Binary(`1`)
	for i := range 500 {
		r.Header.Set("Ce-X"+strings.Repeat("x", i), "\xff")
	}
	serve(convert.ToHTTPHandler(convert.CloudEventToInput, failing(accept), convert.Logger(logger)), r)
	if n := log.Len(); n == 0 || n > 10_000 {
		t.Errorf("logged %d bytes", n)
	}
}

// A Pub/Sub message's content-type that is no media type leaves its data undeclared.
func TestMalformedContentTypeOfAMessageIsLogged(t *testing.T) {
	var log bytes.Buffer
	r := eventtest.Request([]byte(`{"message":{"messageId":"1","attributes":{"key":"k","content-type":"json"},"data":"NDI="},"subscription":"projects/p/subscriptions/event1"}`),
		"Content-Type", "application/json")
	w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, failing(accept), convert.Logger(slog.New(slog.NewTextHandler(&log, nil)))), r)
	if w.Code != http.StatusNoContent || !strings.Contains(log.String(), "content-type: not a media type") {
		t.Errorf("answered %d, logged %q", w.Code, log.String())
	}
}
