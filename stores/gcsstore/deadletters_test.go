package gcsstore_test

import (
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
)

func letter() driver.DeadLetter {
	return driver.DeadLetter{
		Reason: driver.ReasonNoKey, Error: "the event has no key", Handler: "joiner",
		ID: "id-1", Source: "event1", Attempt: 1, Time: time.Date(2026, 1, 2, 23, 59, 59, 0, time.UTC),
		Header: map[string][]string{"Ce-Id": {"id-1"}}, Body: []byte(`{"a": "<é>"}`),
	}
}

// TestDeadLetterIsReadable pins what a person finds in the bucket.
func TestDeadLetterIsReadable(t *testing.T) {
	server := gcs.New(t, bucket)
	if err := open(t, server).AddDeadLetter(t.Context(), letter()); err != nil {
		t.Fatal(err)
	}
	name := find(t, server, ".json")
	if !strings.HasPrefix(name, "deadletters/2026-01-02/no-key-") {
		t.Errorf("its name is %q", name)
	}
	want := `{
  "v": 1,
  "reason": "no-key",
  "error": "the event has no key",
  "handler": "joiner",
  "id": "id-1",
  "source": "event1",
  "attempt": 1,
  "time": "2026-01-02T23:59:59Z",
  "header": {
    "Ce-Id": [
      "id-1"
    ]
  },
  "bodyEncoding": "utf-8",
  "body": "{\"a\": \"<é>\"}"
}
`
	if got, err := server.Get(bucket, name); err != nil || string(got) != want {
		t.Errorf("got\n%s\nwant\n%s\n%v", got, want, err)
	}
}

// TestDeadLettersAreKeptOnce adds letters of one event, which are kept once, and others that
// differ in one field each.
func TestDeadLettersAreKeptOnce(t *testing.T) {
	store := open(t, gcs.New(t, bucket))
	for want, change := range []func(*driver.DeadLetter){
		1: func(*driver.DeadLetter) {},
		2: func(d *driver.DeadLetter) { d.Reason = driver.ReasonConflict },
		3: func(d *driver.DeadLetter) { d.ID = "id-2" },
		4: func(d *driver.DeadLetter) { d.Key = "key" },
		5: func(d *driver.DeadLetter) { d.Source = "event2" },
		6: func(d *driver.DeadLetter) { d.Body = []byte{0xff} },
		7: func(d *driver.DeadLetter) { d.Time = d.Time.AddDate(0, 0, 1) },
		8: func(d *driver.DeadLetter) { d.ID, d.Source = d.ID+d.Source, "" },
	} {
		if change == nil {
			continue
		}
		for attempt := range 2 { // redelivered: only these fields differ
			d := letter()
			change(&d)
			d.Attempt, d.Error = attempt, strings.Repeat("x", attempt)
			if err := store.AddDeadLetter(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := store.DeadLetters(t.Context()); err != nil || len(got) != want {
			t.Errorf("%d letters are kept, want %d: %v", len(got), want, err)
		}
	}
}
