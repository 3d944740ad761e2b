package driver

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"
)

// base64Mark begins a text that stands for a string in base64.
const base64Mark = "base64:"

// ToText returns s in a form that JSON, and the columns of any database, can hold: as it
// is, if it is UTF-8 without NUL; otherwise, or if it begins with "base64:", in base64 behind
// "base64:". Different strings have different texts. The joiner names the members of a
// joined content like that, and the stores keep their strings like that.
func ToText(s string) string {
	if utf8.ValidString(s) && !strings.HasPrefix(s, base64Mark) && !strings.ContainsRune(s, 0) {
		return s
	}
	return base64Mark + base64.StdEncoding.EncodeToString([]byte(s))
}

// FromText is the inverse of [ToText].
func FromText(text string) (string, error) {
	coded, ok := strings.CutPrefix(text, base64Mark)
	if !ok {
		return text, nil
	}
	b, err := base64.StdEncoding.Strict().DecodeString(coded)
	if err != nil {
		return "", fmt.Errorf("%.80q: %w", text, err)
	}
	return string(b), nil
}
