package convert_test

import (
	"errors"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
)

// keyAt returns what pointer finds in content.
func keyAt(t testing.TB, pointer, content string) string {
	t.Helper()
	e := cloudevents.NewEvent()
	e.SetID("1")
	e.SetSource("s")
	e.SetType("t")
	e.DataEncoded = []byte(content)
	m, err := input(t, convert.KeyPointer(pointer))(t.Context(), &e)
	if err != nil && !errors.Is(err, driver.ErrNoKey) {
		t.Fatal(err)
	}
	return m.Key
}

func TestKeyPointer(t *testing.T) {
	for _, c := range []struct{ pointer, content, want string }{
		{"/order/id", `{"order": {"id": "A1"}}`, "A1"},
		{"/order/id", ` { "order" : { "id" : 9007199254740993 } } `, "9007199254740993"},
		{"/n", `{"n": 1.50}`, "1.50"},
		{"/n", `{"n": -1e2}`, "-1e2"},
		{"/n", `{"n": "42"}`, "42"},
		{"/n", `{"n": true}`, ""},
		{"/n", `{"n": null}`, ""},
		{"/n", `{"n": {}}`, ""},
		{"/n", `{"n": ["x"]}`, ""},
		{"/n", `{"n": ""}`, ""},
		{"/N", `{"n": "x"}`, ""},
		{"/n", `{"n": "a", "n": "b"}`, "b"}, // the last, as for encoding/json
		{"/a/1", `{"a": ["x", "y"]}`, "y"},
		{"/a/2", `{"a": ["x", "y"]}`, ""},
		{"/a/-", `{"a": ["x"]}`, ""},
		{"/a/00", `{"a": ["x"]}`, ""},
		{"/a/+0", `{"a": ["x"]}`, ""},
		{"/a/-1", `{"a": ["x"]}`, ""},
		{"/a/b", `{"a": "x"}`, ""},
		{"", `"whole"`, "whole"},
		{"", ` 7 `, "7"},
		{"/", `{"": "empty name"}`, "empty name"},
		{"/a~1b", `{"a/b": "x"}`, "x"},
		{"/m~0n", `{"m~n": "x"}`, "x"},
		{"/~01", `{"~1": "x"}`, "x"}, // not "/"
		{"/k", `{"k": "caf\u00e9 \ud83d\ude00 \\ud800 \ufffd"}`, "café 😀 \\ud800 \ufffd"},
		{"/k", `{"k": "\ud800"}`, ""}, // decoded, it would meet "\ud801"
		{"/k", `{"k": "\ud800\u0041"}`, ""},
		{"/k", `{"k": "\udc00"}`, ""},
		{"/k", "{\"k\": \"\xff\"}", ""},
		{"/k", `{"k": "x"`, ""},
		{"/k", `{"k": "x"} y`, ""},
		{"/k", ``, ""},
		{"/k", "\x00", ""},
	} {
		if got := keyAt(t, c.pointer, c.content); got != c.want {
			t.Errorf("%q in %q: %q, want %q", c.pointer, c.content, got, c.want)
		}
	}
}

func TestKeyPointerIsValidated(t *testing.T) {
	for _, bad := range []string{"order", "order/id", "#/order", "/a~", "/a~2b", "/~~", "$.order"} {
		if _, err := convert.NewInput(convert.KeyPointer(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
