package convert

import (
	"bytes"
	"context"
	"encoding/json"
	"unicode/utf16"
	"unicode/utf8"
)

// membersOf returns the members of a JSON object, which are parts of object; nil for any
// other value. The JSON must be valid. Of members with the same name the last counts.
func membersOf(object []byte) map[string]json.RawMessage {
	s := jsonScan{json: object, ctx: context.Background()}
	if s.space(); s.byte() != '{' {
		return nil
	}
	all := make(map[string]json.RawMessage)
	for s.step(); s.space() < len(s.json) && s.byte() != '}'; s.separator(',') {
		name := s.text()
		s.separator(':')
		start := s.at
		s.skip()
		all[string(textOf(name))] = s.json[start:s.at:s.at]
	}
	return all
}

// textOf returns the value of a JSON string, nil for anything else. It is a part of literal
// unless that has escapes. The JSON must be valid; bytes that are not UTF-8 stay what they are.
func textOf(literal []byte) []byte {
	if firstByte(literal) != '"' {
		return nil
	}
	literal = bytes.TrimSpace(literal)
	literal = literal[1 : len(literal)-1 : len(literal)-1]
	escape := bytes.IndexByte(literal, '\\')
	if escape < 0 {
		return literal
	}
	text := make([]byte, 0, len(literal))
	for ; escape >= 0; escape = bytes.IndexByte(literal, '\\') {
		text = append(text, literal[:escape]...)
		text, literal = appendEscaped(text, literal[escape+1:])
	}
	return append(text, literal...)
}

// appendEscaped appends what the escape stands for that literal begins with, behind the
// backslash, and returns what follows. Half a surrogate becomes U+FFFD, as for encoding/json.
func appendEscaped(text, literal []byte) (longer, rest []byte) {
	switch c := literal[0]; c {
	case 'b':
		return append(text, '\b'), literal[1:]
	case 'f':
		return append(text, '\f'), literal[1:]
	case 'n':
		return append(text, '\n'), literal[1:]
	case 'r':
		return append(text, '\r'), literal[1:]
	case 't':
		return append(text, '\t'), literal[1:]
	case 'u':
	default: // a quote, a slash or a backslash
		return append(text, c), literal[1:]
	}
	r, rest := hexRune(literal[1:5]), literal[5:]
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(text, r), rest
	}
	if len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
		if whole := utf16.DecodeRune(r, hexRune(rest[2:6])); whole != utf8.RuneError {
			return utf8.AppendRune(text, whole), rest[6:]
		}
	}
	return utf8.AppendRune(text, utf8.RuneError), rest
}
