package rawjson

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Text returns the value of a JSON string, nil for any other value. It is a part of literal
// unless the string has escapes. Bytes that are not UTF-8 stay as they are.
func Text(literal []byte) []byte {
	if FirstByte(literal) != '"' {
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

// appendEscaped appends the character of the escape with which literal begins, behind its
// backslash, and returns the rest of literal. Half a surrogate becomes U+FFFD, as in
// encoding/json.
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

// ScalarText returns a JSON string's value, or a number as it is written; "" for any other
// value, and for a string that is not Unicode: decoded, different ones would be the same.
func ScalarText(value []byte) string {
	switch c := FirstByte(value); {
	case c == '"' && ValidUnicode(value):
		return string(Text(value))
	case c == '-' || c >= '0' && c <= '9':
		return string(bytes.TrimSpace(value))
	}
	return ""
}

// ValidUnicode says that a JSON literal has neither invalid UTF-8 nor an escaped surrogate
// without its other half.
func ValidUnicode(literal []byte) bool {
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

// hexRune returns the rune of the four hexadecimal digits with which b begins.
func hexRune(b []byte) rune {
	n, err := strconv.ParseUint(string(b[:min(4, len(b))]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}
