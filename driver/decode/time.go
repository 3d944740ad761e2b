package decode

import (
	"errors"
	"strings"
	"time"
)

var (
	errTime = errors.New(`not a time as in RFC 3339, such as "2006-01-02T15:04:05Z"`)
	// errComma rejects the event: its writer knew the time. Without the time, keep-last could keep
	// another event.
	errComma = errors.New("a comma before the fraction of a second, where RFC 3339 has a point: " +
		`write it as "2006-01-02T15:04:05.5Z"`)
)

// parseTime reads a date-time of RFC 3339, section 5.6: letters in either case, a fraction of any
// length, of which nanoseconds count, and an offset up to 23:59. It is written by hand because
// [time.Parse] refuses some of these, and accepts commas and other forms.
//
// A leap second must be at the end of a month, UTC. It becomes the last nanosecond before it: Go
// has no time for it, and this keeps the order of times.
func parseTime(text string) (time.Time, error) {
	t, ok := dateTime(text)
	switch {
	case ok:
		return t, nil
	case strings.Count(text, ",") == 1:
		if _, ok := dateTime(strings.Replace(text, ",", ".", 1)); ok {
			return time.Time{}, errComma
		}
	}
	return time.Time{}, errTime
}

func dateTime(text string) (time.Time, bool) {
	s := &scanner{rest: text, ok: true}
	year := s.number(4, 0, 9999)
	s.oneOf("-")
	month := s.number(2, 1, 12)
	s.oneOf("-")
	day := s.number(2, 1, 31)
	s.oneOf("Tt")
	hour := s.number(2, 0, 23)
	s.oneOf(":")
	minute := s.number(2, 0, 59)
	s.oneOf(":")
	second := s.number(2, 0, 60)
	nanos := s.fraction()
	offset := s.offset()
	if !s.ok || s.rest != "" || day > 28 && day > daysIn(year, month) {
		return time.Time{}, false
	}
	leap := second == 60
	if leap {
		second, nanos = 59, 999_999_999
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC).Add(-offset)
	if leap && !endsMonth(t) || t.Year() < 0 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t, true
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// endsMonth says whether t is the last nanosecond of a month.
func endsMonth(t time.Time) bool { return t.Add(time.Nanosecond).Month() != t.Month() }

// scanner reads a text from its start. ok is false once a part did not fit.
type scanner struct {
	rest string
	ok   bool
}

// oneOf takes one byte, which must be in set.
func (s *scanner) oneOf(set string) byte {
	if s.rest == "" || strings.IndexByte(set, s.rest[0]) < 0 {
		s.ok = false
		return 0
	}
	c := s.rest[0]
	s.rest = s.rest[1:]
	return c
}

// number takes a number of digits, whose value must be in the range.
func (s *scanner) number(digits, least, most int) (n int) {
	if len(s.rest) < digits {
		s.ok = false
		return 0
	}
	for i := range digits {
		c := s.rest[i]
		if c < '0' || c > '9' {
			s.ok = false
			return 0
		}
		n = 10*n + int(c-'0')
	}
	s.rest = s.rest[digits:]
	s.ok = s.ok && n >= least && n <= most
	return n
}

// fraction takes a point and its digits, if they are next, and returns them in nanoseconds.
func (s *scanner) fraction() (nanos int) {
	if !strings.HasPrefix(s.rest, ".") {
		return 0
	}
	s.rest = s.rest[1:]
	digits := len(s.rest) - len(strings.TrimLeft(s.rest, "0123456789"))
	if digits == 0 {
		s.ok = false
		return 0
	}
	for i := range 9 {
		nanos *= 10
		if i < digits {
			nanos += int(s.rest[i] - '0')
		}
	}
	s.rest = s.rest[digits:]
	return nanos
}

// offset takes the distance from UTC.
func (s *scanner) offset() time.Duration {
	sign := s.oneOf("Zz+-")
	if sign != '+' && sign != '-' {
		return 0
	}
	hours := s.number(2, 0, 23)
	s.oneOf(":")
	minutes := s.number(2, 0, 59)
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if sign == '-' {
		return -offset
	}
	return offset
}
