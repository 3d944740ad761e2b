package convert

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// pointer is a JSON pointer (RFC 6901): its reference tokens, unescaped.
type pointer []string

func parsePointer(text string) (pointer, error) {
	if text == "" {
		return pointer{}, nil
	}
	rest, ok := strings.CutPrefix(text, "/")
	if !ok {
		return nil, fmt.Errorf(`key pointer %q: must be empty or start with "/", as in "/order/id" (RFC 6901)`, text)
	}
	tokens := strings.Split(rest, "/")
	for i, token := range tokens {
		if bad := strings.NewReplacer("~0", "", "~1", "").Replace(token); strings.Contains(bad, "~") {
			return nil, fmt.Errorf(`key pointer %q: "~" must be written "~0", and "/" inside of a name "~1" (RFC 6901)`, text)
		}
		tokens[i] = strings.NewReplacer("~0", "~", "~1", "/").Replace(token)
	}
	return tokens, nil
}

// find returns the key that p points to in content, or "" where there is none:
// see [KeyPointer]. It reads content once, however many tokens p has, and returns
// the context's error where that ends first.
func (p pointer) find(ctx context.Context, content []byte) (string, error) {
	if !json.Valid(content) {
		return "", nil
	}
	s := jsonScan{json: content, ctx: ctx}
	found := s.find(p)
	return keyText(found), s.err
}

// keyText returns a JSON string's value, or a number's literal; "" for any other
// value.
func keyText(value json.RawMessage) string {
	switch c := firstByte(value); {
	case c == '"' && validUnicode(value): // decoded, other strings could meet at U+FFFD
		return string(textOf(value))
	case c == '-' || c >= '0' && c <= '9':
		return string(bytes.TrimSpace(value))
	}
	return ""
}

// firstByte returns the first byte of value that is not white space, or 0.
func firstByte(value json.RawMessage) byte {
	for _, c := range value {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c
		}
	}
	return 0
}

// validUnicode says whether a JSON string literal has neither invalid UTF-8 nor
// an escaped surrogate without its other half.
func validUnicode(literal []byte) bool {
	if !utf8.Valid(literal) {
		return false
	}
	for {
		_, rest, found := bytes.Cut(literal, []byte{'\\'})
		if !found || len(rest) == 0 {
			return true
		}
		literal = rest[1:]
		if rest[0] != 'u' {
			continue
		}
		r := hexRune(rest[1:])
		if !utf16.IsSurrogate(r) {
			continue
		}
		low, ok := bytes.CutPrefix(rest[min(5, len(rest)):], []byte(`\u`))
		if !ok || utf16.DecodeRune(r, hexRune(low)) == utf8.RuneError {
			return false
		}
		literal = low
	}
}

// hexRune returns what the four hex digits at the start of b stand for.
func hexRune(b []byte) rune {
	n, err := strconv.ParseUint(string(b[:min(4, len(b))]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}
