package rawjson

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// Find returns the part of JSON to which the tokens of a JSON pointer lead (RFC 6901), nil if
// they lead nowhere. Of members with the same name the last counts, as for encoding/json, also
// where it has no such part. Find reads the JSON once, however many tokens there are. It
// returns the context's error if the context ends first.
func Find(ctx context.Context, valid []byte, tokens ...string) ([]byte, error) {
	s := scan{json: valid, ctx: ctx}
	found := s.find(tokens)
	return found, s.err
}

// Members returns the members of a JSON object as parts of it, nil for any other value. Of
// members with the same name the last counts.
func Members(object []byte) map[string]json.RawMessage {
	s := scan{json: object, ctx: context.Background()}
	if s.space(); s.byte() != '{' {
		return nil
	}
	all := make(map[string]json.RawMessage)
	for s.step(); s.space() < len(s.json) && s.byte() != '}'; s.separator(',') {
		name := s.literalText()
		s.separator(':')
		start := s.at
		s.skip()
		all[string(Text(name))] = s.json[start:s.at:s.at]
	}
	return all
}

// scan reads valid JSON once, from front to back. It decodes only the names that it has to
// compare, and checks no grammar.
type scan struct {
	json []byte
	at   int
	ctx  context.Context
	next int   // where to look at the context again
	err  error // the context's error, once it has ended; the scan is at the end then
}

// lookEvery is the number of bytes between two looks at the context.
const lookEvery = 1 << 20

// find scans one value and returns the part of it that tokens point to, or nil.
func (s *scan) find(tokens []string) []byte {
	start := s.space()
	if len(tokens) == 0 {
		s.skip()
		return s.json[start:s.at]
	}
	var found []byte
	switch s.byte() {
	case '{':
		for s.step(); s.space() < len(s.json) && s.byte() != '}'; s.separator(',') {
			same := isName(s.literalText(), tokens[0])
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
func (s *scan) skip() {
	s.space()
	for depth := 0; s.at < len(s.json); {
		switch s.byte() {
		case '"':
			s.literalText()
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

// literalText scans a string and returns it as it is written, with its quotes.
func (s *scan) literalText() []byte {
	start := s.at
	for s.at++; s.at < len(s.json); s.at++ {
		switch s.json[s.at] {
		case '\\':
			s.at++ // an escaped quote does not end the string
		case '"':
			s.at++
			return s.json[start:s.at]
		}
	}
	s.at = len(s.json)
	return s.json[start:]
}

// literal scans a number, true, false or null.
func (s *scan) literal() {
	length := bytes.IndexAny(s.json[s.at:], ",:]} \t\r\n")
	if length < 0 {
		length = len(s.json) - s.at
	}
	s.at += length
}

// space scans white space and returns where it ends.
func (s *scan) space() int {
	for s.at < len(s.json) && isSpace(s.json[s.at]) {
		s.at++
	}
	s.look()
	return s.at
}

// separator scans the separator c, if it is next, and the white space around it.
func (s *scan) separator(c byte) {
	if s.space() < len(s.json) && s.byte() == c {
		s.step()
		s.space()
	}
}

// step skips one byte, if there is one.
func (s *scan) step() { s.at = min(s.at+1, len(s.json)) }

// byte returns the next byte, or 0 at the end.
func (s *scan) byte() byte {
	if s.at >= len(s.json) {
		return 0
	}
	return s.json[s.at]
}

// look moves the scan to the end once the context has ended.
func (s *scan) look() {
	if s.at < s.next {
		return
	}
	s.next = s.at + lookEvery
	if s.err = s.ctx.Err(); s.err != nil {
		s.json = s.json[:min(s.at, len(s.json))]
	}
}

// isName says whether a JSON string stands for name.
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

// arrayIndex returns the index that a token stands for, or -1. An index has neither a sign
// nor leading zeros (RFC 6901).
func arrayIndex(token string) int {
	n, err := strconv.Atoi(token)
	if err != nil || n < 0 || strconv.Itoa(n) != token {
		return -1
	}
	return n
}
