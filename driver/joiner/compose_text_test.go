package joiner

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// FuzzText compares with encoding/json.
func FuzzText(f *testing.F) {
	for _, text := range []string{"", "a", "\"\\/<>&\x00\b\f\n\r\t\x1f\x7f", "\u2028 \u2029 \u2027 \u202a é \U0001f600", "\ue280 \u00e2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		want, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendText(nil, []byte(text)); string(got) != string(want) || textSize([]byte(text)) != len(want) {
			t.Errorf("%q became %s of %d, want %s", text, got, textSize([]byte(text)), want)
		}
	})
}
