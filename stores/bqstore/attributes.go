package bqstore

import (
	"encoding/json"

	"example.com/eventdriver/driver"
)

// fromText is the inverse of driver.ToText, and returns as it is what that never makes.
func fromText(text string) string {
	if s, err := driver.FromText(text); err == nil {
		return s
	}
	return text
}

// toJSON returns v, of texts, as JSON.
func toJSON(v any) string {
	b, _ := json.Marshal(v) // maps of strings can't fail
	return string(b)
}

func attributesToText(attributes map[string]string) string {
	texts := make(map[string]string, len(attributes))
	for name, value := range attributes {
		texts[driver.ToText(name)] = driver.ToText(value)
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
