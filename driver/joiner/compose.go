package joiner

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
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
	case !utf8.Valid(content):
		return quote(base64.StdEncoding.EncodeToString(content))
	case json.Valid(content) && !tooDeep(content):
		return content
	default:
		return quote(string(content))
	}
}

// deepest is how deep JSON is nested at most that encoding/json reads.
const deepest = 10000

// tooDeep says that JSON which can be read alone can't be read any more inside of
// an object.
func tooDeep(content []byte) bool {
	if bytes.Count(content, []byte{'['})+bytes.Count(content, []byte{'{'}) < deepest {
		return false
	}
	return !json.Valid(slices.Concat([]byte{'['}, content, []byte{']'}))
}

func quote(s string) []byte {
	quoted, _ := json.Marshal(s) // a string always has a JSON form
	return quoted
}
