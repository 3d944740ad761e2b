package decode

import (
	"errors"
	"strings"
	"unicode/utf8"
)

var errHeaderUTF8 = errors.New("not valid UTF-8: publish it as UTF-8, percent-encoded in a header")

// DecodeHeader returns the attribute for the value of its ce- header, as section 3.1.3.2 of the
// HTTP protocol binding of CloudEvents 1.0 says: a quoted string is unquoted, then each %XX
// becomes the byte with that code, once. A % without two hexadecimal digits behind it stays as it
// is, since many senders don't encode. It is an error if the result is not UTF-8.
//
// The source is not percent-decoded: it is a URI with a percent-encoding of its own, which most
// senders don't encode once more.
func DecodeHeader(attribute, value string) (string, error) {
	value = unquoted(value)
	if attribute != "source" {
		value = percentDecoded(value)
	}
	if !utf8.ValidString(value) {
		return "", errHeaderUTF8
	}
	return value, nil
}

// EncodeHeader returns the value of the ce- header for an attribute, the opposite of
// [DecodeHeader]: it percent-encodes space, ", % and all that is not printable ASCII. It returns
// the source as it is.
func EncodeHeader(attribute, text string) string {
	if attribute == "source" {
		return text
	}
	return percentEncoded(text)
}

func percentEncoded(text string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c == '"' || c == '%' || c > '~' {
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// unquoted returns the text of a quoted string (RFC 7230, section 3.2.6), and any other text as it
// is.
func unquoted(value string) string {
	inner, ok := strings.CutPrefix(value, `"`)
	if !ok {
		return value
	}
	var b strings.Builder
	for i := 0; i < len(inner); i++ {
		switch c := inner[i]; {
		case c == '"':
			if i != len(inner)-1 {
				return value // more text behind the quoted string
			}
			return b.String()
		case c == '\\' && i+1 < len(inner):
			i++
			b.WriteByte(inner[i])
		default:
			b.WriteByte(c)
		}
	}
	return value // the quoted string does not end
}

func percentDecoded(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			high, low := hexDigit(text[i+1]), hexDigit(text[i+2])
			if high >= 0 && low >= 0 {
				b = append(b, byte(high<<4|low))
				i += 2
				continue
			}
		}
		b = append(b, text[i])
	}
	return string(b)
}

// hexDigit returns the value of a hexadecimal digit, or -1.
func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
