package gcsstore

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	for s, want := range map[string]string{
		"order-1":      "order-1",
		"A.b_c@d+e,f":  "A.b_c@d+e,f",
		"":             "",
		".":            "=2E",
		"..":           "=2E.",
		"...":          "...",
		"a/b":          "a=2Fb",
		"a=2Fb":        "a=3D2Fb",
		"%2F":          "=252F",
		"a b\r\n\x00":  "a=20b=0D=0A=00",
		"#[]*?":        "=23=5B=5D=2A=3F",
		"é":            "=C3=A9",
		"\xff":         "=FF",
		"==ab":         "=3D=3Dab",
		"a:b;c\"d'e\\": "a=3Ab=3Bc=22d=27e=5C",
	} {
		if got := escape(s); got != want {
			t.Errorf("escape(%q) = %q, want %q", s, got, want)
		}
		if got, err := unescape(want); err != nil || got != s {
			t.Errorf("unescape(%q) = %q, %v, want %q", want, got, err, s)
		}
	}
}

func TestUnescapeRefuses(t *testing.T) {
	for _, name := range []string{"=", "=2", "a=", "=2f", "=GG", "==", "=41", ".", "..", "a/b", "é", "=2Ex"} {
		if got, err := unescape(name); err == nil {
			t.Errorf("unescape(%q) = %q, want an error", name, got)
		}
	}
}

// TestObjectNameIsHashed looks at both sides of the limit, and at a hash's own
// name, which must not stand for what was hashed.
func TestObjectNameIsHashed(t *testing.T) {
	long := strings.Repeat("x", maxName+1)
	hashed := objectName(long)
	if !isHashed(hashed) || isHashed(objectName(long[1:])) || isHashed(objectName(hashed)) {
		t.Errorf("names %q, %q, %q", hashed, objectName(long[1:]), objectName(hashed))
	}
	if objectName(strings.Repeat("/", maxName)) == objectName(strings.Repeat("/", maxName-1)) {
		t.Error("two long names are one")
	}
}

// FuzzEscape checks that escape has an inverse, and so is injective, and that
// what it returns is legal everywhere.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", ".", "..", "a/b", "=2F", "==", "\xff", "é", "a\x00b\r\n"} {
		f.Add(s, s+"x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if got, err := unescape(escape(a)); err != nil || got != a {
			t.Errorf("unescape(escape(%q)) = %q, %v", a, got, err)
		}
		if (escape(a) == escape(b)) != (a == b) || (objectName(a) == objectName(b)) != (a == b) {
			t.Errorf("%q and %q meet in %q, %q", a, b, objectName(a), objectName(b))
		}
		name := objectName(a)
		if len(name) > maxName || name == "." || name == ".." || !utf8.ValidString(name) || strings.ContainsAny(name, "/\r\n#[]*? %") {
			t.Errorf("%q has the name %q", a, name)
		}
		if s, err := unescape(b); err == nil && escape(s) != b {
			t.Errorf("%q was unescaped to %q, whose name is %q", b, s, escape(s))
		}
	})
}
