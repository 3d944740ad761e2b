package rawjson

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"unicode/utf8"
)

// FuzzEdits compares what is removed from JSON, and what is counted in it, with the decoded JSON.
func FuzzEdits(f *testing.F) {
	for _, text := range []string{
		`null`, `{}`, `[]`, `{"a":null}`, ` { "a" : null , "b" : 1 } `, `{"a":1,"b":null}`, `{"a":1 , "b" : null , "c":{"d":null}}`,
		`[null,{"a":[null],"b":null}]`, `{"a":"null","b":":null"}`, `{"a\":null":"\\","b":null}`, `{"a":null,"b":null,"c":[1,{}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) || !utf8.Valid(text) {
			return
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, text); err != nil {
			t.Fatal(err)
		}
		if got := Compact(bytes.Clone(text)); !bytes.Equal(got, compact.Bytes()) {
			t.Errorf("%q without white space is %q, want %q", text, got, compact.Bytes())
		}
		value := decoded(t, text)
		members, values := counted(value)
		if CountMembers(text, math.MaxInt) != members {
			return // a name is there twice, which decoding does not show
		}
		if got := CountValues(text); got < values {
			t.Errorf("%q has %d values, want %d at least", text, got, values)
		}
		if got, want := decoded(t, WithoutNulls(text)), withoutNil(value); !reflect.DeepEqual(got, want) {
			t.Errorf("%q without nulls is %v, want %v", text, got, want)
		}
	})
}

func decoded(t *testing.T, text []byte) (value any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return value
}

// counted returns how many members the objects in value have, and how many values the arrays and
// objects have.
func counted(value any) (members, values int) {
	add := func(element any) {
		m, v := counted(element)
		members, values = members+m, values+v+1
	}
	switch value := value.(type) {
	case map[string]any:
		members = len(value)
		for _, element := range value {
			add(element)
		}
	case []any:
		for _, element := range value {
			add(element)
		}
	}
	return members, values
}

// withoutNil returns value without the members that are nil.
func withoutNil(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, element := range value {
			if element == nil {
				delete(value, name)
			} else {
				value[name] = withoutNil(element)
			}
		}
	case []any:
		for i, element := range value {
			value[i] = withoutNil(element)
		}
	}
	return value
}

// Nesting is counted in arrays and objects, and not in strings.
func TestTooDeep(t *testing.T) {
	arrays := func(n int) []byte { return append(bytes.Repeat([]byte("["), n), bytes.Repeat([]byte("]"), n)...) }
	wide := append(append([]byte("["), bytes.Repeat([]byte("[{}],"), MaxNesting)...), "[]]"...)
	quoted := append(append([]byte(`"\"`), bytes.Repeat([]byte("["), 2*MaxNesting)...), '"')
	for name, c := range map[string]struct {
		text []byte
		want bool
	}{
		"as deep as allowed": {arrays(MaxNesting), false}, "deeper": {arrays(MaxNesting + 1), true}, "wide": {wide, false}, "quoted": {quoted, false},
	} {
		if got := TooDeep(c.text); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
