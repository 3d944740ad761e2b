package joiner

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/internal/rawjson"
)

// plan is how the events of one key, ordered by source, are to be joined.
type plan struct {
	events []driver.Message
	parts  []part // of the joined content, one for each
	size   int    // of that
}

func planOf(events []driver.Message) plan {
	p := plan{events: events, parts: make([]part, len(events)), size: len("{}") + max(len(events)-1, 0)}
	for i := range events {
		event := &events[i]
		f := formOf(event)
		p.parts[i].form = f
		p.size += textSize([]byte(driver.ToText(event.Source))) + len(":") + valueSize(event.Content, f)
	}
	return p
}

// compose makes the message that the joiner called name goes on with, and notes where in its content
// the parts are.
func (p plan) compose(name, key string) driver.Message {
	joined := driver.Message{ID: name + "/" + key, Key: key, Source: name, MediaType: "application/json"}
	content := make([]byte, 0, p.size)
	events := p.events
	for i := range events {
		event, part := &events[i], &p.parts[i]
		if event.Time.After(joined.Time) {
			joined.Time = event.Time
		}
		if i == 0 {
			content = append(content, '{')
		} else {
			content = append(content, ',')
		}
		content = appendText(content, []byte(driver.ToText(event.Source)))
		content = append(content, ':')
		part.start = len(content)
		content = appendValue(content, event.Content, part.form)
		part.end = len(content)
	}
	joined.Content = append(content, '}')
	return joined
}

// part is where an event's content is in the joined content.
type part struct {
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

// dropContents takes the contents of the events away: they can be restored from the joined content, so
// that they need no memory of their own.
func (p plan) dropContents() {
	for i := range p.events {
		p.events[i].Content = nil
	}
}

// restore returns the events as they were, from the joined content.
func (p plan) restore(content []byte) []driver.Message {
	events := slices.Clone(p.events)
	for i, part := range p.parts {
		events[i].Content = nil
		value := content[part.start:part.end]
		switch part.form {
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

// formOf returns how an event's content becomes a JSON value, with nothing lost: see
// [Joiner].
func formOf(event *driver.Message) form {
	content, media := event.Content, event.MediaType
	switch {
	case len(content) == 0:
		return asNull
	case !utf8.Valid(content):
		return asBase64
	case (media == "" || isJSON(media)) && rawjson.Valid(content) && !tooDeep(content):
		return asItIs
	case media == "" || isJSON(media) || strings.HasPrefix(media, "text/"):
		return asText
	}
	return asBase64
}

func appendValue(b, content []byte, f form) []byte {
	switch f {
	case asItIs:
		return append(b, content...)
	case asText:
		return appendText(b, content)
	case asBase64:
		return append(base64.StdEncoding.AppendEncode(append(b, '"'), content), '"')
	}
	return append(b, "null"...)
}

// valueSize is how many bytes appendValue appends.
func valueSize(content []byte, f form) int {
	switch f {
	case asItIs:
		return len(content)
	case asText:
		return textSize(content)
	case asBase64:
		return base64.StdEncoding.EncodedLen(len(content)) + len(`""`)
	}
	return len("null")
}

// isJSON says whether a media type is one of JSON.
func isJSON(media string) bool {
	return media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")
}

// deepest is how deep JSON is nested at most that encoding/json reads; what is joined is
// one deeper.
const deepest = 10000

// appendText appends UTF-8 as a JSON string, as encoding/json writes it.
func appendText(b, text []byte) []byte {
	b = append(b, '"')
	written := 0
	for i, c := range text {
		if !special[c] {
			continue
		}
		n, escaped := escape(text[i:])
		if n == 0 {
			continue
		}
		b = append(append(b, text[written:i]...), escaped...)
		written = i + n
	}
	return append(append(b, text[written:]...), '"')
}

// textSize is how many bytes appendText appends.
func textSize(text []byte) int {
	size := len(text) + len(`""`)
	for i, c := range text {
		if !special[c] {
			continue
		}
		n, escaped := escape(text[i:])
		size += len(escaped) - n
	}
	return size
}

// escape returns what is written for the first n bytes of text; 0: they stay what they are.
func escape(text []byte) (n int, escaped string) {
	switch c := text[0]; {
	case c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&':
		return 1, escapes[c]
	case c == 0xe2 && len(text) > 2 && text[1] == 0x80 && (text[2] == 0xa8 || text[2] == 0xa9):
		return 3, separators[text[2]-0xa8]
	}
	return 0, ""
}

// special are the bytes that escape has to look at.
var special = func() (all [256]bool) {
	for c := range all {
		n, _ := escape([]byte{byte(c)})
		all[c] = n > 0 || c == 0xe2
	}
	return all
}()

// separators end lines in JavaScript, and not in JSON.
var separators = [2]string{`\u2028`, `\u2029`}

var escapes = func() (all ['\\' + 1]string) {
	for c := range all {
		quoted, _ := json.Marshal(string(rune(c))) // a string always has a JSON form
		all[c] = string(quoted[1 : len(quoted)-1])
	}
	return all
}()

// tooDeep says whether valid JSON is nested so deep that nobody could read what is joined. A level
// takes two bytes.
func tooDeep(valid []byte) bool { return len(valid) >= 2*deepest && nesting(valid) >= deepest }

// nesting returns how deep valid JSON is nested.
func nesting(valid []byte) (deepest int) {
	depth, quoted := 0, false
	for i := 0; i < len(valid); i++ {
		switch c := valid[i]; {
		case quoted && c == '\\':
			i++ // whatever is escaped does not end the string
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}
