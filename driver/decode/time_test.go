package decode

import (
	"errors"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2026-03-01T08:15:00Z":                 time.Date(2026, 3, 1, 8, 15, 0, 0, time.UTC),
		"2026-03-01t08:15:00z":                 time.Date(2026, 3, 1, 8, 15, 0, 0, time.UTC),
		"2026-03-01T08:15:00z":                 time.Date(2026, 3, 1, 8, 15, 0, 0, time.UTC),
		"1985-04-12T23:20:50.52Z":              time.Date(1985, 4, 12, 23, 20, 50, 520e6, time.UTC),
		"1996-12-19T16:39:57-08:00":            time.Date(1996, 12, 20, 0, 39, 57, 0, time.UTC),
		"1937-01-01T12:00:27.87+00:20":         time.Date(1937, 1, 1, 11, 40, 27, 870e6, time.UTC),
		"2026-03-01T08:15:00-00:00":            time.Date(2026, 3, 1, 8, 15, 0, 0, time.UTC),
		"2026-03-01T08:15:00+23:59":            time.Date(2026, 2, 28, 8, 16, 0, 0, time.UTC),
		"2026-03-01T00:00:00.1234567890123Z":   time.Date(2026, 3, 1, 0, 0, 0, 123456789, time.UTC),
		"2026-03-01T00:00:00.000000000000001Z": time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		"2024-02-29T00:00:00Z":                 time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
		"0000-02-29T00:00:00Z":                 time.Date(0, 2, 29, 0, 0, 0, 0, time.UTC),
		"9999-12-31T23:59:59.999999999Z":       time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		"1990-12-31T23:59:60Z":                 time.Date(1990, 12, 31, 23, 59, 59, 999999999, time.UTC),
		"1990-12-31T15:59:60-08:00":            time.Date(1990, 12, 31, 23, 59, 59, 999999999, time.UTC),
		"2017-01-01T05:29:60.5+05:30":          time.Date(2016, 12, 31, 23, 59, 59, 999999999, time.UTC),
		"2012-06-30t23:59:60.999z":             time.Date(2012, 6, 30, 23, 59, 59, 999999999, time.UTC),
	} {
		if got, err := parseTime(text); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
}

// Times that the grammar does not have, though some parsers do.
func TestParseTimeRefuses(t *testing.T) {
	for _, text := range []string{
		"", "now", "2026-03-01", "2026-03-01T08:15Z", "2026-03-01T08:15:00", "2026-03-01 08:15:00Z", "20260301T081500Z", "2026-3-1T8:15:0Z",
		"2026-03-01T8:15:00Z", "2026-03-01T08:15:00.Z", "2026-03-01T08:15:00.5", "2026-03-01T08:15:00+0100", "2026-03-01T08:15:00+01", "2026-03-01T08:15:00Z ",
		" 2026-03-01T08:15:00Z", "2026-03-01T08:15:00ZZ", "2026-03-01T08:15:00+24:00", "2026-03-01T08:15:00+01:60", "2026-03-01T08:15:00\u221201:00",
		"2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
		"2026-04-31T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "12026-01-01T00:00:00Z", "-026-01-01T00:00:00Z",
		"+2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5.5Z", "2026-01-01T00:00:00.-5Z", "2026-W01-1T00:00:00Z", "2026-001T00:00:00Z",
		"\uff12\uff10\uff12\uff16-01-01T00:00:00Z", "2026-01-01T00:00:00Z\x00", "Thu, 01 Jan 2026 00:00:00 GMT", "1767225600",
		"2026-03-01T08:15:60Z", "2016-12-31T23:59:60+01:00", // no leap second is there
		"0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", // no year is there, UTC
	} {
		if got, err := parseTime(text); !errors.Is(err, errTime) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, errTime)
		}
	}
	for _, text := range []string{"2026-03-01T08:15:00,5Z", "2026-03-01t08:15:00,123456+01:00", "2016-12-31T23:59:60,5Z"} {
		if got, err := parseTime(text); !errors.Is(err, errComma) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, errComma)
		}
	}
	for _, text := range []string{"2026-03-01T08:15:00,Z", "2026-03-01T08:15:00,5", "2026-03-01T08:15,5Z", "2026-03-01T08:15:00,5,5Z"} {
		if got, err := parseTime(text); !errors.Is(err, errTime) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, errTime)
		}
	}
}

// A leap second is after the second before it and not after the next one, whatever its fraction.
func TestLeapSecondKeepsTheOrder(t *testing.T) {
	var last time.Time
	for _, text := range []string{"2016-12-31T23:59:59.999999999Z", "2016-12-31T23:59:60Z", "2016-12-31T23:59:60.9Z", "2017-01-01T00:00:00Z"} {
		at, err := parseTime(text)
		if err != nil || at.Before(last) {
			t.Errorf("%s: %v, %v; before it %v", text, at, err, last)
		}
		last = at
	}
}

// A time that Go writes is read as the same time.
func FuzzParseTime(f *testing.F) {
	f.Add("2026-03-01T08:15:00.123Z", int64(0))
	f.Add("2016-12-31t23:59:60,5z", int64(1e18))
	f.Fuzz(func(t *testing.T, text string, nanos int64) {
		at, err := parseTime(text)
		if err == nil {
			again, err := parseTime(at.Format(time.RFC3339Nano))
			if err != nil || !again.Equal(at) {
				t.Errorf("%q is %v, which is read as %v, %v", text, at, again, err)
			}
		}
		written := time.Unix(nanos/1e9, nanos%1e9)
		if got, err := parseTime(written.Format(time.RFC3339Nano)); err != nil || !got.Equal(written) {
			t.Errorf("%v: %v, %v", written, got, err)
		}
	})
}
