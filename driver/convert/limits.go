package convert

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// What an event may have at most, whatever its body's limit. An event with more is
// rejected with [driver.ReasonUndecodable].
const (
	// MaxName is how many bytes an event's id, type, source and key may have, each.
	// They are part of every log line and error about the event.
	MaxName = 4096
	// MaxAttributes is how many attributes a CloudEvent may have, and how many a
	// Pub/Sub message. Pub/Sub itself takes 100.
	MaxAttributes = 1000
	// MaxContext is how many bytes the attributes of a CloudEvent in structured mode may have
	// together, and those of a Pub/Sub message. In binary mode they are headers, which
	// servers limit, as net/http does to 1 MiB.
	MaxContext = 2 << 20
	// MaxNesting is how deep JSON may be nested: one less than encoding/json reads,
	// since it becomes a member of the joined object.
	MaxNesting = 9999
)

// checkLength returns an error for a name that is too long.
func checkLength(name, value string) error {
	if len(value) > MaxName {
		return undecodable("%s has %d bytes: it must not have more than %d", name, len(value), MaxName)
	}
	return nil
}

func checkSize(what string, length int) error {
	if length > MaxContext {
		return undecodable("%s has %d bytes of attributes: it must not have more than %d; send the rest in the data", what, length, MaxContext)
	}
	return nil
}

func checkCount(what string, n int) error {
	if n > MaxAttributes {
		return undecodable("%s has %d attributes: it must not have more than %d; send the rest in the data", what, n, MaxAttributes)
	}
	return nil
}

// members returns how many members the objects in JSON have that are at most so
// deep; the outermost value is at depth 1. The JSON must be valid. It is for a look
// before decoding, which takes many times the memory of what it decodes.
func members(valid []byte, deepest int) (n int) {
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
		case c == '}' || c == ']':
			depth--
		case c == ':' && depth <= deepest:
			n++
		}
	}
	return n
}

// longest is how many bytes of a text get into a log line, an answer, or the error
// of a dead letter. Cloud Logging takes lines of up to 256 KB.
const longest = 32 << 10

// brief returns the beginning of text, with its length, where it is very long.
func brief(text string) string {
	if len(text) <= longest {
		return text
	}
	start := text[:longest]
	for i := 1; i < utf8.UTFMax && !utf8.ValidString(start[len(start)-i:]); i++ {
		if utf8.RuneStart(start[len(start)-i]) { // a rune was cut in two
			start = start[:len(start)-i]
			break
		}
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.TrimSpace(start), len(text))
}
