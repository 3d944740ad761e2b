package joiner

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"unicode/utf8"

	"example.com/eventdriver/driver"
)

// compose makes the joined message of the events of one key, ordered by source.
func compose(key string, events []driver.Message) driver.Message {
	joined := driver.Message{ID: ComposedSource + "/" + key, Key: key, Source: ComposedSource}
	var content bytes.Buffer
	for i, event := range events {
		if event.Time.After(joined.Time) {
			joined.Time = event.Time
		}
		if i == 0 {
			content.WriteByte('{')
		} else {
			content.WriteByte(',')
		}
		content.Write(quote(event.Source))
		content.WriteByte(':')
		content.Write(jsonValue(event.Content))
	}
	content.WriteByte('}')
	joined.Content = content.Bytes()
	return joined
}

// jsonValue returns content as a JSON value, with nothing lost.
func jsonValue(content []byte) []byte {
	switch {
	case json.Valid(content):
		return content
	case utf8.Valid(content):
		return quote(string(content))
	default:
		return quote(base64.StdEncoding.EncodeToString(content))
	}
}

func quote(s string) []byte {
	quoted, _ := json.Marshal(s) // a string always has a JSON form
	return quoted
}
