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
)

// JSON returns a handler that decodes a message's content into a T, calls fn with
// it and the message's key, and then goes on with the message as it came.
//
// Content that is no JSON, or not that of a T, is a permanent error: it would not
// decode the next time either. The error names the field and the types, as in "event2: got
// string, want object", and quotes nothing of the content, since errors are logged.
//
// Numbers that land in an any become a [json.Number], so that those beyond 2^53 keep their
// digits. Of members whose names differ in case alone, a field of a struct T is given the
// one that has its name.
func JSON[T any](fn func(ctx context.Context, key string, in T) error) Handler {
	return HandlerFunc(func(ctx context.Context, in Message, next Next) error {
		var value T
		if err := decode(exact[T](in.Content), &value); err != nil {
			return Permanent(err)
		}
		if err := fn(ctx, in.Key, value); err != nil {
			return err
		}
		return next.Call(ctx, in)
	})
}

func decode(content []byte, into any) error {
	// A Decoder holds the content once more, and more than that; it is needed for its numbers,
	// and says more about what is wrong.
	if !holdsAny(reflect.TypeOf(into), nil) && json.Unmarshal(content, into) == nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(content))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return withoutContent(err, d.InputOffset())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("malformed JSON: more follows after the value")
	}
	return nil
}

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
func withoutContent(err error, offset int64) error {
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
	return fmt.Errorf("the value before byte %d is refused by its Go type", offset)
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
