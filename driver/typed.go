package driver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"example.com/eventdriver/driver/internal/rawjson"
)

// JSON returns a handler that decodes a message's content into a T, calls fn with
// it and the message's key, and then goes on with the message as it came.
//
// Content that does not decode into a T is a permanent error: it would not decode the next
// time either. The error names the field and the types, as in "event2: got
// string, want object", and quotes nothing of the content, since errors are logged.
//
// The memory that decoding takes, beside a copy of the content, is counted before: see [Grow]. A few
// bytes of JSON can become hundreds, in a slice of structs or in an any. What an UnmarshalJSON of your
// own makes of its JSON is not counted.
//
// Numbers that land in an any become a [json.Number], so that those beyond 2^53 keep their
// digits. Of members whose names differ in case alone, a field of a struct T, or of one that T points to, is
// given the one that has its name.
func JSON[T any](fn func(ctx context.Context, key string, in T) error) Handler {
	t := decodedTypeOf(reflect.TypeFor[T]())
	return HandlerFunc(func(ctx context.Context, in Message, next Next) error {
		var value T
		content := in.Content
		if rawjson.Valid(content) { // anything else is not decoded: see decode
			if err := t.grow(ctx, content); err != nil {
				return err
			}
			var err error
			if content, err = exact[T](ctx, content); err != nil {
				return err
			}
		}
		if err := decode(content, &value, t.holdsAny); err != nil {
			if err == errRefused {
				err = t.refused(ctx, content)
			}
			return Permanent(err)
		}
		if err := fn(ctx, in.Key, value); err != nil {
			return err
		}
		return next.Call(ctx, in)
	})
}

// decodedType is what there is to know of a type that JSON is decoded into.
type decodedType struct {
	reflect.Type
	holdsAny bool // a number may land in an any
	grows    bool // decoding may take more than a copy of the JSON
}

func decodedTypeOf(t reflect.Type) decodedType {
	holdsAny := holdsAny(t, nil)
	return decodedType{t, holdsAny, holdsAny || rawjson.Takes(t)}
}

// grow counts what decoding valid JSON takes, beside a copy of it.
func (t decodedType) grow(ctx context.Context, content []byte) error {
	if _, counted := ctx.Value(memoryKey{}).(Memory); !counted || !t.grows {
		return nil
	}
	size := rawjson.DecodedSize(content, t.Type)
	if t.holdsAny {
		size += 2 * len(content) // in the Decoder
	}
	return Grow(ctx, size)
}

func decode(content []byte, into any, holdsAny bool) error {
	// A Decoder holds the content once more, and more than that; it is needed for its numbers,
	// and says more about what is wrong.
	if !holdsAny && json.Unmarshal(content, into) == nil {
		return nil
	}
	if !rawjson.Valid(content) { // it begins with a value, perhaps, that nobody has counted
		into = new(undecoded)
	}
	d := json.NewDecoder(bytes.NewReader(content))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return withoutContent(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("malformed JSON: more follows after the value")
	}
	return nil
}

// undecoded is for JSON that is scanned to find out what is wrong with it.
type undecoded struct{}

// UnmarshalJSON implements [json.Unmarshaler].
func (undecoded) UnmarshalJSON([]byte) error { return nil }

// holdsAny says whether a number may land in an any when a t is decoded.
func holdsAny(t reflect.Type, within []reflect.Type) bool {
	if slices.Contains(within, t) {
		return false
	}
	within = append(within, t)
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return holdsAny(t.Elem(), within)
	case reflect.Struct:
		for i := range t.NumField() {
			if holdsAny(t.Field(i).Type, within) {
				return true
			}
		}
	}
	return false
}

// withoutContent says what is wrong with a JSON text, and where, without quoting it.
func withoutContent(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("malformed JSON at byte %d", syntax.Offset)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("malformed JSON: it ends too early")
	case errors.As(err, &kind):
		got, _, _ := strings.Cut(kind.Value, " ") // the type, and of numbers the value
		text := fmt.Sprintf("got %s, want %s", got, jsonType(got, kind.Type))
		if kind.Field != "" {
			text = kind.Field + ": " + text
		}
		return errors.New(text)
	}
	return errRefused
}

// jsonType says in words of JSON what a Go type takes. A number that a type does not take,
// such as 300 in an int8, is told by the Go type.
func jsonType(got string, t reflect.Type) string {
	switch kind := t.Kind(); {
	case kind == reflect.Struct || kind == reflect.Map:
		return "object"
	case kind == reflect.String || kind == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return "string"
	case kind == reflect.Slice || kind == reflect.Array:
		return "array"
	case kind == reflect.Bool:
		return "bool"
	case kind >= reflect.Int && kind <= reflect.Float64 && got != "number":
		return "number"
	}
	return t.String()
}

// exact returns a JSON object, which is valid, for a T without the members that encoding/json would take
// for a field of the struct T though their names differ from it in case, where another
// member has the field's name: sources may differ in case alone. Anything else is
// returned as it is.
func exact[T any](ctx context.Context, content []byte) ([]byte, error) {
	t := reflect.TypeFor[T]()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var few [16][]byte // most joins have no more
	if t.Kind() != reflect.Struct || !folds(memberNames(few[:0], content)) {
		return content, nil
	}
	var members map[string]json.RawMessage
	if err := Grow(ctx, rawjson.DecodedSize(content, reflect.TypeOf(members))+3*len(content)); err != nil {
		return nil, err
	}
	if json.Unmarshal(content, &members) != nil {
		return content, nil // whoever decodes it says why
	}
	fields := fieldNames(t)
	for name := range members {
		isField := func(field string) bool {
			return field != name && strings.EqualFold(field, name) && members[field] != nil
		}
		if !slices.Contains(fields, name) && slices.ContainsFunc(fields, isField) {
			delete(members, name)
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(members) != nil {
		return content, nil
	}
	return b.Bytes(), nil
}

// folds says whether two different names are the same but for their case.
func folds(names [][]byte) bool {
	for i, name := range names {
		for _, other := range names[:i] {
			if bytes.EqualFold(name, other) && !bytes.Equal(name, other) {
				return true
			}
		}
	}
	return false
}

// mostMembers is how many members of an object are looked at: more than a join has.
const mostMembers = 256

// memberNames appends the names of the members of a valid JSON object to names; nothing for anything else. It
// copies none of their values, which may be large, and no name without escapes.
func memberNames(names [][]byte, content []byte) [][]byte {
	depth := 0
	for i := 0; i < len(content) && len(names) < mostMembers; i++ {
		switch content[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			start := i
			for i++; content[i] != '"'; i++ {
				if content[i] == '\\' {
					i++ // whatever is escaped does not end the string
				}
			}
			if depth == 1 && isName(content[i+1:]) {
				names = append(names, rawjson.Text(content[start:i+1]))
			}
		}
	}
	return names
}

// isName says whether what follows a string makes it the name of a member.
func isName(rest []byte) bool {
	for _, c := range rest {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c == ':'
		}
	}
	return false
}

// fieldNames returns the names by which encoding/json knows a struct's fields.
func fieldNames(t reflect.Type) (names []string) {
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		names = append(names, name)
	}
	return names
}
