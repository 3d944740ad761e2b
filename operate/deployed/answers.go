package deployed

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// errForeign: an answer without a failure that no API of Google's gives. A proxy has answered, or whatever else
// is at --endpoint.
var errForeign = errors.New("it is not the API's own")

// Check says what an answer of one of Google's APIs lacks that each has: content, and a value in each place of its
// lists. So whoever uses the answer meets no nil there.
func Check[T any](answer *T) error {
	if answer == nil {
		return fmt.Errorf("the answer is empty: %w", errForeign)
	}
	if place := hole(reflect.ValueOf(answer).Elem()); place != "" {
		return fmt.Errorf("the answer has null at %s: %w", place[1:], errForeign)
	}
	return nil
}

// hole returns where a list or map has nil for an entry; "": each has a value.
func hole(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return hole(v.Elem())
		}
	case reflect.Struct:
		for field, value := range v.Fields() {
			if place := hole(value); place != "" {
				name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				return "." + name + place
			}
		}
	case reflect.Slice, reflect.Map:
		for at, value := range v.Seq2() {
			place := hole(value)
			if place != "" || value.Kind() == reflect.Pointer && value.IsNil() {
				return fmt.Sprintf("[%v]%s", at, place)
			}
		}
	}
	return ""
}
