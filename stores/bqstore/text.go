package bqstore

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// base64Mark begins a text that stands for a string that a STRING can't hold.
const base64Mark = "base64:"

// toText returns s as a column for people holds it: as it is, if it is UTF-8
// without NUL; otherwise, or if it begins with the mark, in base64 behind the
// mark. Two different strings never have the same text.
func toText(s string) string {
	if utf8.ValidString(s) && !strings.HasPrefix(s, base64Mark) && !strings.ContainsRune(s, 0) {
		return s
	}
	return base64Mark + base64.StdEncoding.EncodeToString([]byte(s))
}

// fromText is the inverse of toText.
func fromText(text string) string {
	if coded, ok := strings.CutPrefix(text, base64Mark); ok {
		if b, err := base64.StdEncoding.Strict().DecodeString(coded); err == nil {
			return string(b)
		}
	}
	return text
}

// toJSON returns v, of strings from toText, as JSON.
func toJSON(v any) string {
	b, _ := json.Marshal(v) // maps of strings can't fail
	return string(b)
}

func attributesToText(attributes map[string]string) string {
	texts := make(map[string]string, len(attributes))
	for name, value := range attributes {
		texts[toText(name)] = toText(value)
	}
	return toJSON(texts)
}

func attributesFromText(text string) (map[string]string, error) {
	var texts map[string]string
	if err := json.Unmarshal([]byte(text), &texts); err != nil {
		return nil, err
	}
	attributes := make(map[string]string, len(texts))
	for name, value := range texts {
		attributes[fromText(name)] = fromText(value)
	}
	return attributes, nil
}
