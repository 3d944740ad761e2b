package gcsstore

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// base64Mark begins a string in JSON that is not the text itself.
const base64Mark = "base64:"

// toText returns s as JSON can hold it. encoding/json replaces bytes that are no
// UTF-8, so strings that have any are written in base64, behind a mark; so are
// those that begin with the mark themselves.
func toText(s string) string {
	if utf8.ValidString(s) && !strings.HasPrefix(s, base64Mark) {
		return s
	}
	return base64Mark + base64.StdEncoding.EncodeToString([]byte(s))
}

// fromText is the inverse of toText.
func fromText(text string) (string, error) {
	coded, ok := strings.CutPrefix(text, base64Mark)
	if !ok {
		return text, nil
	}
	b, err := base64.StdEncoding.Strict().DecodeString(coded)
	if err != nil {
		return "", fmt.Errorf("%.80q: %w", text, err)
	}
	return string(b), nil
}

// fromTexts decodes each text in place and stops at the first that it can't.
func fromTexts(texts ...*string) error {
	for _, text := range texts {
		s, err := fromText(*text)
		if err != nil {
			return err
		}
		*text = s
	}
	return nil
}

// moment is a time as JSON holds it: RFC 3339 with nanoseconds in UTC, or, in
// the years that has no words for, seconds and nanoseconds since 1970. The zero
// time is left out.
type moment struct {
	Time  string   `json:"time,omitempty"`
	Since [2]int64 `json:"since1970,omitzero"`
}

func toMoment(t time.Time) moment {
	switch year := t.UTC().Year(); {
	case t.IsZero():
		return moment{}
	case year < 0 || year > 9999:
		return moment{Since: [2]int64{t.Unix(), int64(t.Nanosecond())}}
	}
	return moment{Time: t.UTC().Format(time.RFC3339Nano)}
}

func (m moment) time() (time.Time, error) {
	switch {
	case m.Time != "":
		return time.Parse(time.RFC3339Nano, m.Time)
	case m.Since != [2]int64{}:
		return time.Unix(m.Since[0], m.Since[1]).UTC(), nil
	}
	return time.Time{}, nil
}
