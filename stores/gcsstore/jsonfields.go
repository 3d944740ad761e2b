package gcsstore

import (
	"time"

	"example.com/eventdriver/driver"
)

// fromTexts decodes each text in place and stops at the first that it can't.
func fromTexts(texts ...*string) error {
	for _, text := range texts {
		s, err := driver.FromText(*text)
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
