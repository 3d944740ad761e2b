package rawjson

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"unicode/utf8"
)

// FuzzLiterals compares what is taken out of JSON without a copy with what
// encoding/json makes of it.
func FuzzLiterals(f *testing.F) {
	for _, text := range []string{
		`""`, `"a"`, ` "a\"\\\/\b\f\n\r\té" `, `"\ud83d\ude00 \ud83d \ude00\ud83d\ude00 \ud83dA\ud83d"`, `null`, `1`, `[]`,
		`{}`, ` { "a" : 1 , "b":{"a":[2,"}"]},"a":"x\"y" } `, `{"A":1,"\ud83d":null}`, "{\"a\":\"\xff\"}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) || !utf8.Valid(text) {
			return
		}
		var s string
		if json.Unmarshal(text, &s) != nil {
			s = ""
		}
		if got := Text(text); string(got) != s {
			t.Errorf("%q is %q, want %q", text, got, s)
		}
		var want map[string]json.RawMessage
		_ = json.Unmarshal(text, &want)
		got := Members(text)
		if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
			t.Errorf("%q has the members %q, want %q", text, got, want)
		}
		for name, value := range want {
			if !bytes.Equal(got[name], value) {
				t.Errorf("%q: %q is %q, want %q", text, name, got[name], value)
			}
		}
	})
}
