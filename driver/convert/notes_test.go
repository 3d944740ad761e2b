package convert_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/stores/memstore"
)

// What is left out of an event is logged as one warning, with what is known of the
// event, and without the values.
func TestWhatIsLeftOutIsLoggedOnce(t *testing.T) {
	for name, r := range requestsFrom(t, "event1") {
		if strings.Contains(name, "structured") {
			continue
		}
		r.Header.Set("Ce-Time", secret)
		r.Header.Set("Ce-Subject", " ")
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		if strings.HasPrefix(name, "wrapped") {
			r = request(wrapped(`{"ce-specversion":"1.0","ce-id":"id-1","ce-type":"t","ce-source":"event1","ce-key":"k","ce-time":"`+secret+`","ce-subject":""}`, "1"),
				"Content-Type", "application/json")
		}
		serve(convert.ToHTTPHandler(convert.CloudEventToInput, failing(accept), convert.DeadLetters(memstore.New()), convert.Logger(logger)), r)
		lines := strings.Count(log.String(), "\n")
		for _, part := range []string{"level=WARN", "malformed attributes left out of an event", "event=id-1", "key=k", "source=event1", "ce-time: not a time", "ce-subject: empty"} {
			if lines != 1 || !strings.Contains(log.String(), part) || strings.Contains(log.String(), secret) {
				t.Errorf("%s: logged %q; want one line that says %q", name, log.String(), part)
			}
		}
	}
}

// The log line has an end, however many attributes are malformed.
func TestManyMalformedAttributes(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	r := binary(`1`)
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
	r := request([]byte(`{"message":{"messageId":"1","attributes":{"key":"k","content-type":"json"},"data":"NDI="},"subscription":"projects/p/subscriptions/event1"}`),
		"Content-Type", "application/json")
	w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, failing(accept), convert.Logger(slog.New(slog.NewTextHandler(&log, nil)))), r)
	if w.Code != http.StatusNoContent || !strings.Contains(log.String(), "content-type: not a media type") {
		t.Errorf("answered %d, logged %q", w.Code, log.String())
	}
}
