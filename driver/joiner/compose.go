package joiner

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"example.com/eventdriver/driver"
)

// compose makes the message that the joiner called name goes on with, of the events of
// one key, ordered by source. It also returns the events as they can be restored from
// that message's content, so that they need no memory of their own.
func compose(name, key string, events []driver.Message) (driver.Message, []part) {
	joined := driver.Message{ID: name + "/" + key, Key: key, Source: name, MediaType: "application/json"}
	content := make([]byte, 0, roomFor(events))
	parts := make([]part, len(events))
	for i, event := range events {
		if event.Time.After(joined.Time) {
			joined.Time = event.Time
		}
		if i == 0 {
			content = append(content, '{')
		} else {
			content = append(content, ',')
		}
		content = appendMember(content, event.Source)
		content = append(content, ':')
		parts[i] = part{event: event, start: len(content)}
		content, parts[i].form = appendValue(content, event)
		parts[i].end = len(content)
		parts[i].event.Content = nil
	}
	joined.Content = append(content, '}')
	return joined, parts
}

// roomFor is about how many bytes the events take, joined.
func roomFor(events []driver.Message) int {
	size := len("{}")
	for _, event := range events {
		size += len(event.Source) + (len(event.Content)+2)/3*4 + len(`"base64:":"",`)
	}
	return size
}

// part is where an event's content is in the joined content.
type part struct {
	event      driver.Message // without its content
	start, end int
	form       form
}

// form is how a content became a JSON value.
type form int

const (
	asNull form = iota
	asItIs
	asText
	asBase64
)

// restore returns the events of a joined content, as they were.
func restore(content []byte, parts []part) []driver.Message {
	events := make([]driver.Message, len(parts))
	for i, p := range parts {
		events[i] = p.event
		value := content[p.start:p.end]
		switch p.form {
		case asItIs:
			events[i].Content = value
		case asText:
			var text string
			_ = json.Unmarshal(value, &text) // it was marshalled above
			events[i].Content = []byte(text)
		case asBase64:
			events[i].Content, _ = base64.StdEncoding.AppendDecode(nil, value[1:len(value)-1]) // likewise
		}
	}
	return events
}

// base64Mark begins a member's name that is not the source itself.
const base64Mark = "base64:"

// appendMember appends a source as a member's name: different ones have different names,
// also where a JSON string can't hold them.
func appendMember(b []byte, source string) []byte {
	if utf8.ValidString(source) && !strings.HasPrefix(source, base64Mark) {
		return appendText(b, source)
	}
	return appendText(b, base64Mark+base64.StdEncoding.EncodeToString([]byte(source)))
}

// appendValue appends an event's content as a JSON value, with nothing lost: see
// [Joiner].
func appendValue(b []byte, event driver.Message) ([]byte, form) {
	content, media := event.Content, event.MediaType
	switch {
	case len(content) == 0:
		return append(b, "null"...), asNull
	case !utf8.Valid(content):
		return appendBase64(b, content), asBase64
	case (media == "" || isJSON(media)) && json.Valid(content) && !tooDeep(content):
		return append(b, content...), asItIs
	case media == "" || isJSON(media) || strings.HasPrefix(media, "text/"):
		return appendText(b, string(content)), asText
	}
	return appendBase64(b, content), asBase64
}

// isJSON says whether a media type is one of JSON.
func isJSON(media string) bool {
	return media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")
}

// deepest is how deep JSON is nested at most that encoding/json reads.
const deepest = 10000

// tooDeep says that JSON which can be read alone can't be read any more inside of
// an object.
func tooDeep(content []byte) bool {
	if bytes.Count(content, []byte{'['})+bytes.Count(content, []byte{'{'}) < deepest {
		return false
	}
	return !json.Valid(slices.Concat([]byte{'['}, content, []byte{']'}))
}

func appendText(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string always has a JSON form
	return append(b, quoted...)
}

func appendBase64(b, content []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(b, '"'), content), '"')
}
