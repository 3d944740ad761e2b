package decode

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// The examples are those of the HTTP protocol binding, and others that follow from its text.
func TestDecodeHeader(t *testing.T) {
	for value, want := range map[string]string{
		"":                        "",
		"plain":                   "plain",
		"Euro%20%E2%82%AC":        "Euro €",
		"Euro%20%e2%82%ac":        "Euro €",
		"%F0%9F%98%80":            "😀",
		"%48%65%6Cl%6F":           "Hello", // more than is needed
		"100%25":                  "100%",
		"%2541":                   "%41", // once
		"a+b":                     "a+b",
		"a b":                     "a b",
		"Euro €":                  "Euro €",
		`"Euro € 😀"`:              "Euro € 😀",
		`"a\"b\\c"`:               `a"b\c`,
		`"a%20b"`:                 "a b",
		`a"b"`:                    `a"b"`,
		`"a"b`:                    `"a"b`,
		`"a`:                      `"a`,
		`"a\"`:                    `"a\"`,
		`""`:                      "",
		"100%":                    "100%", // not encoded
		"100% of":                 "100% of",
		"%zz":                     "%zz",
		"%2":                      "%2",
		"%%41":                    "%A",
		"%C3%A9t%C3%A9":           "été",
		"%00":                     "\x00",
		"%EF%BF%BD%EF%BB%BFx%0A":  "\ufffd\ufeffx\n",
		"projects%2Fp%2Ftopics/t": "projects/p/topics/t",
	} {
		if got, err := DecodeHeader("key", value); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", value, got, err, want)
		}
	}
	if got, err := DecodeHeader("source", `"/a%20b"`); err != nil || got != "/a%20b" || EncodeHeader("source", got) != got {
		t.Errorf("the source: %q, %v", got, err)
	}
	for _, value := range []string{"%C0%A0", "%FF", "%ED%A0%80", "%E2%82", "\xff", `"\xe9"` + "\xe9", "%F4%90%80%80"} {
		if got, err := DecodeHeader("key", value); err == nil {
			t.Errorf("%q is accepted as %q", value, got)
		}
	}
}

func FuzzHeader(f *testing.F) {
	for _, text := range []string{"Euro €", `a"b`, "100%", "%41", "\x00\x7f", " ", "😀"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		encoded := EncodeHeader("key", text)
		if strings.ContainsFunc(encoded, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }) {
			t.Errorf("%q is encoded as %q", text, encoded)
		}
		got, err := DecodeHeader("key", encoded)
		if valid := utf8.ValidString(text); valid && got != text || valid != (err == nil) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	})
}
