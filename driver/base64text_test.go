package driver_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"example.com/eventdriver/driver"
)

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a", "é", "\xff", "base64:", "base64:YQ==", "a\x00b", "base64:\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := driver.ToText(s)
		if back, err := driver.FromText(text); err != nil || back != s {
			t.Errorf("%q becomes %q, and that %q (%v)", s, text, back, err)
		}
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			t.Errorf("%q becomes %q", s, text)
		}
		coded, _ := json.Marshal(text)
		var decoded string
		if err := json.Unmarshal(coded, &decoded); err != nil || decoded != text {
			t.Errorf("JSON makes %q of %q", decoded, text)
		}
	})
}

func TestTextThatIsNone(t *testing.T) {
	for _, text := range []string{"base64:?", "base64:YQ", "base64:YR=="} {
		if s, err := driver.FromText(text); err == nil {
			t.Errorf("%q is read as %q", text, s)
		}
	}
}
