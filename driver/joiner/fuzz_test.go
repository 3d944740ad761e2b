package joiner

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"example.com/eventdriver/driver"
)

// What is joined is always JSON in UTF-8, with each content under its source: JSON
// byte for byte, text as a string, anything else as a string in base64.
func FuzzCompose(f *testing.F) {
	f.Add("event1", []byte(`{"n":9007199254740993}`), "event2", []byte("text\x00\u2028<"))
	f.Add("", []byte(nil), "\"", []byte("\xff\xfe"))
	f.Add("a", []byte("\"\xff\""), "b", []byte(` {"a":1,"a":2} `))
	f.Add("a", []byte(strings.Repeat("[", deepest)+strings.Repeat("]", deepest)), "b", []byte(`"\ud800"`))
	f.Add("a", []byte(strings.Repeat("[", deepest-1)+strings.Repeat("]", deepest-1)), "b", []byte("\ufeff1"))
	f.Fuzz(func(t *testing.T, a string, first []byte, b string, second []byte) {
		if a == b || !utf8.ValidString(a+"|"+b) {
			return // a key has one event of a source, and sources are text
		}
		joined := compose("k", []driver.Message{{Source: a, Content: first}, {Source: b, Content: second}})
		if !json.Valid(joined.Content) || !utf8.Valid(joined.Content) {
			t.Fatalf("%q is no JSON", joined.Content)
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal(joined.Content, &got); err != nil || len(got) != 2 {
			t.Fatalf("%d members, %v", len(got), err)
		}
		for source, content := range map[string][]byte{a: first, b: second} {
			if plain := bytes.TrimSpace(content); json.Valid(plain) && utf8.Valid(plain) && bytes.Equal(got[source], plain) {
				continue
			}
			var text string
			if err := json.Unmarshal(got[source], &text); err != nil {
				t.Fatalf("%q became %q: %v", content, got[source], err)
			}
			if decoded, err := base64.StdEncoding.DecodeString(text); !utf8.Valid(content) && (err != nil || !bytes.Equal(decoded, content)) {
				t.Errorf("bytes %q became %q", content, text)
			}
			if utf8.Valid(content) && text != string(content) {
				t.Errorf("text %q became %q", content, text)
			}
		}
	})
}

// JSON of any depth that is JSON alone can be joined.
func TestDeepContentIsJoined(t *testing.T) {
	for _, depth := range []int{deepest - 1, deepest, deepest + 1} {
		content := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		joined := compose("k", []driver.Message{{Source: "deep", Content: []byte(content)}, {Source: "n", Content: []byte("1")}})
		var got struct {
			Deep json.RawMessage
			N    int
		}
		if err := json.Unmarshal(joined.Content, &got); err != nil || got.N != 1 {
			t.Errorf("%d deep: %v", depth, err)
		}
		if isText := got.Deep[0] == '"'; isText != (depth >= deepest) {
			t.Errorf("%d deep became %.20s", depth, got.Deep)
		}
	}
}
