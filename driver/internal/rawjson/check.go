// Package rawjson looks into JSON text without decoding it: it checks, counts, finds and
// cuts out values.
//
// It is written by hand because every library reached for decodes. Decoded, a document
// takes up to a hundred times its memory, numbers lose digits, and strings that are not
// Unicode become the same U+FFFD. Here nothing is copied but the few strings that are asked
// for, and a part of a document stays what its writer wrote, byte for byte.
//
// The functions that find, count or change values need valid JSON: see [Check].
package rawjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// MaxNesting is the depth of JSON that can still be joined: one less than encoding/json
// reads, since the JSON becomes a member of the joined object.
const MaxNesting = 9999

// Check returns nil for one valid JSON value in UTF-8. encoding/json accepts strings that
// are not UTF-8; other readers of the joined content don't (RFC 8259).
func Check(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("JSON that is not UTF-8: publish it as UTF-8")
	}
	if Valid(data) {
		return nil
	}
	var raw json.RawMessage
	return Fault(json.Unmarshal(data, &raw))
}

// Fault describes an error of encoding/json without quoting the data: payloads must not
// get into logs.
func Fault(err error) error {
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax) && strings.Contains(syntax.Error(), "max depth"):
		return fmt.Errorf("JSON nested more than %d deep, at byte %d", MaxNesting, syntax.Offset)
	case errors.As(err, &syntax):
		return fmt.Errorf("malformed JSON at byte %d", syntax.Offset)
	case errors.As(err, &mismatch):
		return fmt.Errorf("field %q, at byte %d, must be %s", mismatch.Field, mismatch.Offset, kind(mismatch.Type))
	}
	return errors.New("malformed JSON")
}

// kind says what JSON a Go type is read from.
func kind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	case reflect.Pointer:
		return kind(t.Elem())
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return "a whole number that is not too large"
}

// byteOrderMark is what some programs write before a text in UTF-8.
var byteOrderMark = []byte("\ufeff")

// WithoutMark returns JSON without a byte order mark before it. RFC 8259 lets readers
// ignore the mark, and most do.
func WithoutMark(data []byte) []byte { return bytes.TrimPrefix(data, byteOrderMark) }

// FirstByte returns the first byte of data that is not white space, or 0. It tells the kind
// of a JSON value.
func FirstByte(data []byte) byte {
	for _, c := range data {
		if !isSpace(c) {
			return c
		}
	}
	return 0
}

// isSpace says whether c is white space between the values of JSON.
func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
