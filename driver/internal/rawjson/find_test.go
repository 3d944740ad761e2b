package rawjson

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	for _, c := range []struct{ pointer, json, want string }{
		{"", ` {"a": 1} `, ` {"a": 1}`},
		{"/a", `{"a":1.50,"b":2}`, `1.50`},
		{"/a/1/b", `{"a":[0,{"b":{"c":[ ]}}]}`, `{"c":[ ]}`},
		{"/a", `{"a":1,"a":[2]}`, `[2]`}, // the last
		{"/a/b", `{"a":{"b":1},"a":{}}`, ``},
		{"/\u00e9", `{"\u00e9":"x"}`, `"x"`},
		{"/a", `[{"a":1}]`, ``},
		{"/01", `[0,1]`, ``},
		{"/2", `[0,1]`, ``},
		{"/a", `"a"`, ``},
	} {
		tokens, err := ParsePointer(c.pointer)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Find(t.Context(), []byte(c.json), tokens...)
		if err != nil || strings.TrimSpace(string(got)) != strings.TrimSpace(c.want) {
			t.Errorf("%q in %s: %q, %v; want %q", c.pointer, c.json, got, err, c.want)
		}
	}
}

// The search looks at the context while it scans.
func TestFindEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if found, err := Find(ctx, []byte(`{"a":1}`), "a"); !errors.Is(err, context.Canceled) || found != nil {
		t.Errorf("%q, %v", found, err)
	}
}

func TestParsePointer(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, "/": {""}, "/a/b": {"a", "b"}, "/a~1b/m~0n/~01": {"a/b", "m~n", "~1"}, "/0/-": {"0", "-"},
	} {
		if got, err := ParsePointer(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"a", "#/a", "/a~", "/~2", "$.a"} {
		if got, err := ParsePointer(text); err == nil {
			t.Errorf("%q is accepted as %q", text, got)
		}
	}
}
