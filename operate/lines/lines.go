// Package lines writes the function's log for people: a line for each record, with the time, the
// key, the source and what happened, as in
//
//	12:03:04 order-1 event2 kept, waiting for event1, event3
//
// It prints the attributes of a record, in which the function has no payloads.
package lines

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Format returns the line for a record: a JSON line as [eventdriver.NewLogger] writes it, or an
// entry as Cloud Logging's API returns it. The stack of a panic follows in lines of its own. The
// time is the local one. With colour, warnings are yellow, errors red, and what is only for
// debugging is dim. ok is false for a text that is no JSON object.
func Format(record []byte, colour bool) (line string, ok bool) {
	fields, ok := parse(record)
	if !ok {
		return "", false
	}
	r := fields.record()
	if !colour {
		return r.text(), true
	}
	return r.coloured(), true
}

// record is what a log record says.
type record struct {
	at       time.Time // zero: unknown
	severity string
	instance string // "": unknown, or there is one
	key      string
	source   string
	what     string
	rest     []string // name=value, of the attributes that what does not have
	more     []string // lines that follow: a stack
}

// text returns the line of a record without colour.
func (r record) text() string {
	at := "--:--:--"
	if !r.at.IsZero() {
		at = r.at.Local().Format(time.TimeOnly)
	}
	words := []string{at}
	if r.instance != "" {
		words = append(words, "["+Plain(r.instance)+"]")
	}
	switch r.severity {
	case "", "DEFAULT", "DEBUG", "INFO", "NOTICE":
	default:
		words = append(words, Plain(r.severity))
	}
	for _, name := range []string{r.key, r.source} {
		if name != "" {
			words = append(words, Name(name))
		}
	}
	for _, word := range append([]string{r.what}, r.rest...) {
		if word != "" {
			words = append(words, Plain(word))
		}
	}
	line := strings.Join(words, " ")
	for _, text := range r.more {
		line += "\n         " + Plain(strings.ReplaceAll(text, "\t", "    "))
	}
	return line
}

// coloured returns the line of a record in the colour of its severity.
func (r record) coloured() string {
	const yellow, red, dim, reset = "\x1b[33m", "\x1b[31m", "\x1b[2m", "\x1b[0m"
	text := r.text()
	switch r.severity {
	case "WARNING":
		return yellow + text + reset
	case "ERROR", "CRITICAL", "ALERT", "EMERGENCY":
		return red + text + reset
	case "DEBUG":
		return dim + text + reset
	}
	return text
}

// field is an attribute of a record.
type field struct {
	name  string
	value json.RawMessage
}

// fields are the attributes of a record, in their order.
type fields []field

// parse returns the attributes of a record, those of an entry of Cloud Logging as the function
// wrote them.
func parse(text []byte) (fields, bool) {
	all, ok := object(text)
	if !ok {
		return nil, false
	}
	payload, isEntry := all.get("jsonPayload")
	if !isEntry {
		if _, isEntry = all.get("logName"); !isEntry {
			return all, true
		}
	}
	f, _ := object(payload)
	for from, to := range map[string]string{"timestamp": "time", "severity": "severity", "textPayload": "message"} {
		if value, has := all.get(from); has {
			f = append(f.without(to), field{to, value})
		}
	}
	return f, true
}

// object reads a JSON object.
func object(text []byte) (all fields, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, false
		}
		all = append(all, field{name.(string), value}) // an object's names are strings
	}
	_, err := d.Token()
	return all, err == nil
}

func (f fields) get(name string) (json.RawMessage, bool) {
	for _, one := range f {
		if one.name == name {
			return one.value, true
		}
	}
	return nil, false
}

func (f fields) without(name string) fields {
	return slices.DeleteFunc(f, func(one field) bool { return one.name == name })
}

// text returns a field's text; "": it has none.
func (f fields) text(name string) string {
	value, has := f.get(name)
	if !has {
		return ""
	}
	return textOf(value)
}

// textOf returns a string as it is, and the members of an object one after another.
func textOf(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	if members, is := object(value); is {
		var parts []string
		for _, m := range members {
			parts = append(parts, m.name+"="+quoted(textOf(m.value)))
		}
		return "{" + strings.Join(parts, " ") + "}"
	}
	return string(value)
}

// quoted returns the value of an attribute, so that it is seen where it ends.
func quoted(text string) string {
	if text == "" || strings.ContainsAny(text, " =\"") && !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return fmt.Sprintf("%q", text)
	}
	return text
}

// Plain returns a text as it can be printed to a terminal: one is quoted that has control characters, or others that
// are not seen, or that change what is seen of the rest.
func Plain(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// Name is Plain for a name, such as a key: no two look alike because of blanks at an end, or of quotes.
func Name(text string) string {
	_, notQuoted := strconv.Unquote(text)
	if text != strings.TrimSpace(text) || notQuoted == nil {
		return strconv.Quote(text)
	}
	return Plain(text)
}
