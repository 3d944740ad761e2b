package bqstore_test

import (
	"bytes"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
)

// TestLetterThatIsCut: a letter that is too large for BigQuery is kept with the beginning of its event, and says so.
func TestLetterThatIsCut(t *testing.T) {
	_, store := on(t)
	for key, size := range map[string]int{"whole": 6_900_000, "cut": 7_000_001} {
		body := bytes.Repeat([]byte("x"), size)
		if err := store.AddDeadLetter(t.Context(), driver.DeadLetter{Key: key, Reason: driver.ReasonTooLarge, Body: body}); err != nil {
			t.Fatal(err)
		}
		k, err := store.Inspect(t.Context(), key)
		if err != nil || len(k.Letters) != 1 {
			t.Fatalf("%s: %+v, %v", key, k, err)
		}
		d, err := store.ReadLetter(t.Context(), k.Letters[0].Ref)
		isCut := key == "cut"
		if err != nil || d.Cut != isCut || !bytes.HasPrefix(body, d.Body) || (len(d.Body) < size) != isCut ||
			strings.Contains(d.Error, "7000001 bytes") != isCut {
			t.Errorf("%s: a body of %d bytes, cut: %v, %q, %v", key, len(d.Body), d.Cut, d.Error, err)
		}
	}
}

// TestLetterWithLargeHeaders: what a header takes in a request to BigQuery counts, also where it is escaped twice.
func TestLetterWithLargeHeaders(t *testing.T) {
	_, store := on(t)
	d := driver.DeadLetter{Key: "k", Reason: driver.ReasonUndecodable, Path: "/events/" + strings.Repeat("a", 500_000),
		Header: map[string][]string{"Ce-Extra": {strings.Repeat(`"`, 500_000)}}, Body: bytes.Repeat([]byte("x"), 14_000_000)}
	if err := store.AddDeadLetter(t.Context(), d); err != nil {
		t.Fatalf("%.200s", err)
	}
	letters, err := store.DeadLetters(t.Context())
	if err != nil || len(letters) != 1 || !letters[0].Cut || letters[0].Header["Ce-Extra"][0] != d.Header["Ce-Extra"][0] {
		t.Errorf("%d letters, %v", len(letters), err)
	}
}
