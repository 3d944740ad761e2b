package driver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
)

func TestPermanent(t *testing.T) {
	cause := errors.New("no such product")
	for _, c := range []struct {
		name string
		err  error
		want driver.Reason
	}{
		{"nil", nil, ""},
		{"Permanent of nil", driver.Permanent(nil), ""},
		{"plain", cause, ""},
		{"Permanent", driver.Permanent(cause), driver.ReasonPermanent},
		{"wrapped", fmt.Errorf("order: %w", driver.Permanent(cause)), driver.ReasonPermanent},
		{"rejected", driver.Reject(driver.ReasonNoKey, cause), driver.ReasonNoKey},
		{"the outer reason counts", driver.Permanent(driver.Reject(driver.ReasonNoKey, cause)), driver.ReasonPermanent},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := driver.ReasonOf(c.err); got != c.want || driver.IsPermanent(c.err) != (c.want != "") {
				t.Errorf("reason %q, permanent %v; want %q", got, driver.IsPermanent(c.err), c.want)
			}
		})
	}
	if driver.Permanent(nil) != nil {
		t.Error("Permanent(nil) is not nil")
	}
	if !errors.Is(driver.Permanent(cause), cause) {
		t.Error("Permanent hides its cause")
	}
}

func TestMessageValid(t *testing.T) {
	if err := (driver.Message{Key: "k", Source: "s"}).Valid(); err != nil {
		t.Error(err)
	}
	if err := (driver.Message{Source: "s"}).Valid(); !errors.Is(err, driver.ErrNoKey) || driver.ReasonOf(err) != driver.ReasonNoKey {
		t.Errorf("no key: %v", err)
	}
	if err := (driver.Message{Key: "k"}).Valid(); !errors.Is(err, driver.ErrNoSource) || !driver.IsPermanent(err) {
		t.Errorf("no source: %v", err)
	}
}

func TestErrorsLeaveContentOut(t *testing.T) {
	conflict := &driver.ConflictError{Stored: driver.Message{ID: "1", Content: []byte("secret")}}
	if text := conflict.Error(); strings.Contains(text, "secret") || !strings.Contains(text, `event "1"`) {
		t.Errorf("message %q; want the event's ID, and no content", text)
	}
	if !errors.Is(conflict, driver.ErrConflict) || !errors.Is(&driver.HeldError{}, driver.ErrHeld) {
		t.Error("a detail type does not match its sentinel")
	}
}

func TestJSON(t *testing.T) {
	type item struct {
		N   int64 `json:"n"`
		Any any   `json:"any"`
	}
	var got item
	var key string
	h := driver.JSON(func(_ context.Context, k string, in item) error {
		key, got = k, in
		return nil
	})
	wentOn := false
	last := driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
		wentOn = in.Source == "event1"
		return nil
	})
	run := func(content string) error {
		wentOn = false
		return driver.New(h, last).Process(t.Context(), driver.Message{Key: "k", Source: "event1", Content: []byte(content)})
	}
	if err := run(`{"n":9007199254740993,"any":9007199254740993}`); err != nil {
		t.Fatal(err)
	}
	if got.N != 9007199254740993 || got.Any != json.Number("9007199254740993") || key != "k" || !wentOn {
		t.Errorf("got %+v for key %q, went on %v", got, key, wentOn)
	}
	for _, bad := range []string{``, `{`, `[]`, `{"n":"x"}`, `{"n":1}{"n":2}`, `{"n":1} x`} {
		if err := run(bad); !driver.IsPermanent(err) || wentOn {
			t.Errorf("content %s: error %v; want a permanent one, and no going on", bad, err)
		}
	}
}

// Errors are logged and answered, so they have nothing of the content.
func TestJSONErrorsLeaveContentOut(t *testing.T) {
	type item struct {
		At    time.Time `json:"at"`
		Small int8      `json:"small"`
		Names []string  `json:"names"`
	}
	h := driver.JSON(func(context.Context, string, item) error { return nil })
	for content, says := range map[string]string{
		`{"at":"secret 4711"}`:            "at: the value is refused by its Go type",
		`{"at":"2020-01-01T00:00:4711Z"}`: "at: the value is refused by its Go type",
		`{"small":4711}`:                  "small: got number, want int8",
		`{"small":"secret"}`:              "small: got string, want number",
		`{"names":{"secret":4711}}`:       "names: got object, want array",
		`{"names":secret}`:                "malformed JSON at byte 10",
		`{"names":["secret`:               "ends too early",
		`{} secret`:                       "more follows",
	} {
		err := driver.New(h).Process(t.Context(), driver.Message{Key: "k", Source: "s", Content: []byte(content)})
		if !driver.IsPermanent(err) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "4711") {
			t.Errorf("%s: %v; want it to say %q", content, err, says)
		}
	}
}

func TestJSONFailureOfTheFunctionIsItsOwn(t *testing.T) {
	busy := errors.New("busy")
	h := driver.JSON(func(context.Context, string, any) error { return busy })
	err := driver.New(h).Process(t.Context(), driver.Message{Key: "k", Source: "s", Content: []byte(`1`)})
	if !errors.Is(err, busy) || driver.IsPermanent(err) {
		t.Errorf("error %v; want busy, to be tried again", err)
	}
}
