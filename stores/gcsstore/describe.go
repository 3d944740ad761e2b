package gcsstore

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.com/eventdriver/driver"
)

// An event's object says in its metadata what a list is to show, since a list does not
// read what is in the objects. Objects that an earlier version has written have none of it.
const (
	fieldSize      = "size" // of the content
	fieldID        = "id"
	fieldMediaType = "mediaType"
	fieldTime      = "time"
	fieldKept      = "kept" // since when; left out where it is the object's own time
	fieldSource    = "source"
	fieldReason    = "reason"
	fieldKey       = "key"
)

// longestField is how long a field is at most. Cloud Storage takes 8 KiB of metadata.
const longestField = 1024

// describe returns the metadata of an event's object.
func describe(m driver.Message) map[string]string {
	metadata := map[string]string{fieldSize: strconv.Itoa(len(m.Content))}
	setField(metadata, fieldID, m.ID)
	setField(metadata, fieldMediaType, m.MediaType)
	if !m.Time.IsZero() {
		metadata[fieldTime] = timeText(m.Time)
	}
	return metadata
}

// setField sets a field to a text, unless it is empty or too long. What is not printable
// ASCII is in base64, since metadata also travels in the headers of HTTP.
func setField(metadata map[string]string, name, text string) {
	if text == "" || len(text) > longestField {
		return
	}
	if metadata[name] = driver.ToText(text); !printable(text) {
		metadata[name] = "base64:" + base64.StdEncoding.EncodeToString([]byte(text))
	}
}

// printable says whether a text is of ASCII's printable characters, with no space at its ends.
func printable(text string) bool {
	return strings.TrimSpace(text) == text && strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// described is metadata that is read, and what is wrong with it.
type described struct {
	metadata map[string]string
	err      error
}

func (d *described) note(name string, err error) {
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("%w: metadata: %s: %w", ErrCorrupt, name, err)
	}
}

func (d *described) text(name string) string {
	text, err := driver.FromText(d.metadata[name])
	d.note(name, err)
	return text
}

func (d *described) time(name string) time.Time {
	t, err := parseTime(d.metadata[name])
	d.note(name, err)
	return t
}

// size returns -1 where nothing is said of it.
func (d *described) size() int64 {
	text, said := d.metadata[fieldSize]
	if !said {
		return -1
	}
	n, err := strconv.ParseInt(text, 10, 64)
	d.note(fieldSize, err)
	return n
}

// eventState returns what a listed object says of the event of source.
func eventState(o listed, source string) (driver.EventState, error) {
	d := described{metadata: o.metadata}
	e := driver.EventState{Source: source, ID: d.text(fieldID), Kept: d.time(fieldKept), Time: d.time(fieldTime),
		Size: d.size(), MediaType: d.text(fieldMediaType)}
	if e.Kept.IsZero() {
		e.Kept = o.created
	}
	return e, d.err
}

// timeText is a moment on one line: RFC 3339, or seconds and nanoseconds since 1970 behind
// an "@". The zero time is empty.
func timeText(t time.Time) string {
	m := toMoment(t)
	if m.Since != [2]int64{} {
		return fmt.Sprintf("@%d.%d", m.Since[0], m.Since[1])
	}
	return m.Time
}

func parseTime(text string) (time.Time, error) {
	m := moment{Time: text}
	if strings.HasPrefix(text, "@") {
		m.Time = ""
		if _, err := fmt.Sscanf(text, "@%d.%d", &m.Since[0], &m.Since[1]); err != nil {
			return time.Time{}, fmt.Errorf("time %.40q: %w", text, err)
		}
	}
	return m.time()
}
