package bqstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/bigquery"

	"example.com/eventdriver/driver"
)

// Any string has a text, which a STRING column can hold, and comes back from it;
// two strings have two texts.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "order-1", "base64:", "base64:eA==", "x\x00", "\xff", "\xed\xa0\x80", "😀"} {
		f.Add(s, s+"x")
	}
	f.Add("\xff", "base64:/w==")
	f.Fuzz(func(t *testing.T, a, b string) {
		text := driver.ToText(a)
		if fromText(text) != a || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			t.Errorf("%q is kept as %q, and comes back as %q", a, text, fromText(text))
		}
		if (text == driver.ToText(b)) != (a == b) {
			t.Errorf("%q and %q meet in %q", a, b, text)
		}
		attributes := map[string]string{a: b, b: a}
		if back, err := attributesFromText(attributesToText(attributes)); err != nil || !maps.Equal(back, attributes) {
			t.Errorf("attributes %q came back as %q, %v", attributes, back, err)
		}
		_ = fromText(b) // of what others wrote
	})
}

// Whatever a row holds, it is a message of that key or an error.
func FuzzEventRow(f *testing.F) {
	f.Add("key", "event1", "id", []byte("{}"), `{"a":"b"}`, int64(1))
	f.Add("key", "base64:/w==", "base64:?", []byte(nil), `null`, int64(0))
	f.Add("", "", "", []byte{0xff}, `{"a":1}`, int64(-1))
	f.Fuzz(func(t *testing.T, key, source, id string, content []byte, attributes string, seconds int64) {
		row := eventRow{Source: source, EventID: id, Content: content, Attributes: attributes,
			EventTime: bigquery.NullTimestamp{Timestamp: time.Unix(seconds, 0), Valid: seconds != 0}}
		m, err := row.message(key)
		if (err == nil) != (json.Unmarshal([]byte(attributes), new(map[string]string)) == nil) {
			t.Fatalf("attributes %q: %v", attributes, err)
		}
		if err == nil && (m.Key != key || !bytes.Equal(m.Content, content) || m.Source != fromText(source) || m.Time.IsZero() != (seconds == 0) && seconds != time.Time{}.Unix()) {
			t.Errorf("%+v became %+v", row, m)
		}
		letter := letterRow{Reason: source, Error: id, Key: key, Header: attributes, Body: content}
		d, err := letter.letter()
		if (err == nil) != (json.Unmarshal([]byte(attributes), new(map[string][]string)) == nil) || err == nil && !bytes.Equal(d.Body, content) {
			t.Errorf("%+v became %+v, %v", letter, d, err)
		}
	})
}

// Whatever the last row of a key's log is, the key is done, held, or its next token
// is the number of the next slot.
func FuzzClaimRow(f *testing.F) {
	f.Add("acquired", int64(1), int64(1), "o", int64(1000), int64(2000), "o2")
	f.Add("released", int64(2), int64(1), "o", int64(2000), int64(1000), "o")
	f.Add("completed", int64(2), int64(1), "", int64(0), int64(0), "")
	f.Add("", int64(-1), int64(-1), "base64:?", int64(-1<<63), int64(1<<62), "x")
	f.Fuzz(func(t *testing.T, of string, seq, token int64, owner string, lease, age int64, by string) {
		r := claimRow{Seq: seq, Kind: kind(of), Token: token, Owner: owner, LeaseMS: lease, PauseMS: lease, AgeMS: age}
		next, err := r.successor(driver.Claim{Key: "key", Owner: by}, 7, time.Second)
		switch {
		case errors.Is(err, driver.ErrDone):
			if r.Kind != completed {
				t.Errorf("%+v is done", r)
			}
		case errors.Is(err, driver.ErrHeld):
			if r.left() <= 0 || fromText(owner) == by && r.Kind != released {
				t.Errorf("%+v holds the key", r)
			}
		case err != nil:
			t.Errorf("%+v: %v", r, err)
		case next.Seq != 7 || fromText(next.Owner) != by || next.Kind == acquired && next.Token != 7:
			t.Errorf("after %+v comes %+v", r, next)
		}
	})
}
