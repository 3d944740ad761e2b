package publish_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/publish"
)

// TestParseLetter: what a message has of a letter is read from it again.
func TestParseLetter(t *testing.T) {
	want := driver.DeadLetter{Reason: driver.ReasonConflict, Error: "why", Handler: "joiner", ID: "1", Key: "order 1/é", Source: "event1",
		Path: "/events/event1", Attempt: 7, Time: time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC), Body: []byte("\x00\xff"),
		Header: map[string][]string{"ce-id": {"a%20b%25"}, "ce-source": {"/a%20b"}, "Content-Type": {"text/plain; x=\"é\""}}}
	m := publish.LetterMessage(want)
	got, leftOut := publish.ParseLetter(m.Data, m.Attributes)
	if leftOut != "" || !maps.EqualFunc(got.Header, want.Header, slices.Equal) || string(got.Body) != string(want.Body) || !got.Time.Equal(want.Time) {
		t.Errorf("%+v, %q left out; want %+v", got, leftOut, want)
	}
	if got.Reason != want.Reason || got.Error != want.Error || got.Handler != want.Handler || got.ID != want.ID || got.Key != want.Key ||
		got.Source != want.Source || got.Path != want.Path || got.Attempt != want.Attempt {
		t.Errorf("%+v; want %+v", got, want)
	}
	m = publish.LetterMessage(driver.DeadLetter{Header: map[string][]string{"Ce-Long": {strings.Repeat("x", 2000)}}})
	if got, leftOut := publish.ParseLetter(m.Data, m.Attributes); leftOut != "headers" || got.Header != nil || !got.Time.IsZero() {
		t.Errorf("%+v, %q left out", got, leftOut)
	}
}
