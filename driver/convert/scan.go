package convert

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// jsonScan walks over valid JSON once, from front to back, and decodes nothing but
// the names that it has to compare. Its JSON must be valid: it checks no grammar.
type jsonScan struct {
	json []byte
	at   int
	ctx  context.Context
	next int   // where to look at the context again
	err  error // the context's, once it has ended; the scan is at the end then
}

// lookEvery is how many bytes are scanned between two looks at the context.
const lookEvery = 1 << 20

// find scans one value and returns the part of it that tokens point to, or nil. Of
// members with the same name the last counts, also where it has no such part.
func (s *jsonScan) find(tokens []string) json.RawMessage {
	start := s.space()
	if len(tokens) == 0 {
		s.skip()
		return s.json[start:s.at]
	}
	var found json.RawMessage
	switch s.byte() {
	case '{':
		for s.step(); s.space() < len(s.json) && s.byte() != '}'; s.separator(',') {
			same := isName(s.text(), tokens[0])
			s.separator(':')
			if same {
				found = s.find(tokens[1:])
			} else {
				s.skip()
			}
		}
		s.step()
	case '[':
		index := arrayIndex(tokens[0])
		for s.step(); s.space() < len(s.json) && s.byte() != ']'; s.separator(',') {
			if index == 0 {
				found = s.find(tokens[1:])
			} else {
				s.skip()
			}
			index--
		}
		s.step()
	default:
		s.skip()
	}
	return found
}

// skip scans one value.
func (s *jsonScan) skip() {
	s.space()
	for depth := 0; s.at < len(s.json); {
		switch s.byte() {
		case '"':
			s.text()
		case '{', '[':
			depth++
			s.step()
		case '}', ']':
			depth--
			s.step()
		case ',', ':', ' ', '\t', '\r', '\n':
			s.step()
			continue
		default:
			s.literal()
		}
		if depth == 0 {
			return
		}
		s.look()
	}
}

// text scans a string and returns it as it is written, with its quotes.
func (s *jsonScan) text() []byte {
	start := s.at
	for s.at++; s.at < len(s.json); s.at++ {
		switch s.json[s.at] {
		case '\\':
			s.at++ // whatever is escaped does not end the string
		case '"':
			s.at++
			return s.json[start:s.at]
		}
	}
	s.at = len(s.json)
	return s.json[start:]
}

// literal scans a number, true, false or null.
func (s *jsonScan) literal() {
	length := bytes.IndexAny(s.json[s.at:], ",:]} \t\r\n")
	if length < 0 {
		length = len(s.json) - s.at
	}
	s.at += length
}

// space scans white space and returns where it ends.
func (s *jsonScan) space() int {
	for s.at < len(s.json) && (s.json[s.at] == ' ' || s.json[s.at] == '\t' || s.json[s.at] == '\r' || s.json[s.at] == '\n') {
		s.at++
	}
	s.look()
	return s.at
}

// separator scans what separates two values, where it is there, and the white space
// around it.
func (s *jsonScan) separator(c byte) {
	if s.space() < len(s.json) && s.byte() == c {
		s.step()
		s.space()
	}
}

// step goes on by one byte, where there is one.
func (s *jsonScan) step() { s.at = min(s.at+1, len(s.json)) }

// byte returns the byte that is next, or 0.
func (s *jsonScan) byte() byte {
	if s.at >= len(s.json) {
		return 0
	}
	return s.json[s.at]
}

// look moves the scan to the end when the context has ended.
func (s *jsonScan) look() {
	if s.at < s.next {
		return
	}
	s.next = s.at + lookEvery
	if s.err = s.ctx.Err(); s.err != nil {
		s.json = s.json[:min(s.at, len(s.json))]
	}
}

// isName says whether a JSON string, as it is written, is name.
func isName(literal []byte, name string) bool {
	const longestEscape = 6 // \u0000
	if len(literal)-2 > longestEscape*len(name) {
		return false
	}
	if bytes.IndexByte(literal, '\\') < 0 && utf8.Valid(literal) {
		return string(literal[1:len(literal)-1]) == name
	}
	var s string
	return json.Unmarshal(literal, &s) == nil && s == name
}

// arrayIndex returns the index that a pointer's token is, or -1. It has neither sign
// nor leading zeros (RFC 6901).
func arrayIndex(token string) int {
	n, err := strconv.Atoi(token)
	if err != nil || n < 0 || strconv.Itoa(n) != token {
		return -1
	}
	return n
}
