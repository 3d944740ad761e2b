package eventtest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/googleapis/google-cloudevents-go/cloud/firestoredata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Field returns a field of protobuf with that content.
func Field(number protowire.Number, content ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), bytes.Join(content, nil))
}

// Protobuf returns a sample in JSON as protobuf.
func Protobuf(t testing.TB, sample []byte, message proto.Message) []byte {
	t.Helper()
	if err := protojson.Unmarshal(sample, message); err != nil {
		t.Fatal(err)
	}
	body, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// Document returns a Firestore event in protobuf.
func Document(t testing.TB) []byte {
	t.Helper()
	return Protobuf(t, Sample(t, "firestore/DocumentEventData-complex.json"), &firestoredata.DocumentEventData{})
}

// DeepDocument returns a Firestore event in protobuf whose value is an array in an array, down to
// a depth, with a number of values in the innermost.
func DeepDocument(depth, wide int) []byte {
	prefix := func(numbers []protowire.Number, length int) (tags []byte) {
		for _, number := range numbers { // from the inside out
			tag := protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.BytesType), uint64(length))
			length += len(tag)
			slices.Reverse(tag)
			tags = append(tags, tag...)
		}
		slices.Reverse(tags)
		return tags
	}
	inner := bytes.Repeat(Field(1, []byte("\x58\x00")), wide) // values that are null
	numbers := make([]protowire.Number, 0, 2*depth)
	for range depth {
		numbers = append(numbers, 9, 1) // Value.array_value, ArrayValue.values
	}
	numbers = numbers[:len(numbers)-1]
	return document(append(prefix(numbers, len(inner)), inner...))
}

// document returns a Firestore event whose document has one field, f, of that value.
func document(value []byte) []byte {
	return Field(1, Field(2, Field(1, []byte("f")), Field(2, value)))
}

// repeated returns a shape of an array in which part is there n times.
func repeated(part []byte) func(n int) []byte {
	return func(n int) []byte { return document(Field(9, bytes.Repeat(part, n))) }
}

// filled returns a shape of a value of the type with that tag, n bytes long.
func filled(tag string, c byte) func(n int) []byte {
	return func(n int) []byte {
		return document(append([]byte(tag), protowire.AppendBytes(nil, bytes.Repeat([]byte{c}, n))...))
	}
}

// ProtobufShapes are Firestore events in protobuf that become large when they are decoded. Each
// has about n values or bytes.
var ProtobufShapes = map[string]func(n int) []byte{
	"empty values":            repeated(Field(1)),
	"nulls":                   repeated(Field(1, []byte("\x58\x00"))),
	"empty arrays":            repeated(Field(1, Field(9))),
	"empty maps":              repeated(Field(1, Field(6))),
	"empty strings":           repeated(Field(1, []byte("\x8a\x01\x00"))),
	"empty times":             repeated(Field(1, Field(10))),
	"places":                  repeated(Field(1, Field(8))),
	"numbers":                 repeated(Field(1, []byte("\x19\xff\xff\xff\xff\xff\xff\xef\x7f"))),
	"unknown fields of value": repeated(Field(1, []byte("\xf8\x3f\x01"))),
	"members of a map": func(n int) []byte {
		return document(Field(6, numbered(n, func(name []byte) []byte { return Field(1, name, Field(2, Field(1, []byte("\xc8\x01")))) })))
	},
	"fields": func(n int) []byte {
		return Field(1, numbered(n, func(name []byte) []byte { return Field(2, name, Field(2)) }))
	},
	"one field again":     func(n int) []byte { return Field(1, bytes.Repeat(Field(2), n)) },
	"one document again":  func(n int) []byte { return append(bytes.Repeat(Field(1), n), document([]byte("\x58\x00"))...) },
	"paths of a mask":     func(n int) []byte { return append(Field(3, bytes.Repeat(Field(1), n)), document(nil)...) },
	"values of one value": func(n int) []byte { return document(append(bytes.Repeat(Field(9), n), 0x58, 0)) },
	"deep arrays and maps": func(n int) []byte {
		const levels = 7
		return repeated(Field(1, Field(9, Field(1, Field(9, Field(1, Field(6, Field(1))))))))(n / levels)
	},
	"a string of NULs":   filled("\x8a\x01", 0),
	"a string of quotes": filled("\x8a\x01", '"'),
	"bytes":              filled("\x92\x01", 0),
	"a name of NULs":     func(n int) []byte { return Field(1, Field(1, make([]byte, n))) },
	"unknown fields": func(n int) []byte {
		return append(bytes.Repeat([]byte("\xf8\x3f\x01"), n), document([]byte("\x58\x00"))...)
	},
}

// numbered returns n entries of a map, whose names are numbers.
func numbered(n int, entry func(name []byte) []byte) []byte {
	var all bytes.Buffer
	for i := range n {
		all.Write(entry(Field(1, fmt.Append(nil, i))))
	}
	return all.Bytes()
}

// JSONShapes are Firestore events in JSON that become large when they are decoded. Each has
// about n values or bytes.
var JSONShapes = map[string]func(n int) []byte{
	"empty values":  listed(`{"value":{"fields":{"f":{"arrayValue":{"values":[%s]}}}}}`, `{}`),
	"nulls":         listed(`{"value":{"fields":{"f":{"arrayValue":{"values":[%s]}}}}}`, `{"nullValue":null}`),
	"empty arrays":  listed(`{"value":{"fields":{"f":{"arrayValue":{"values":[%s]}}}}}`, `{"arrayValue":{}}`),
	"empty strings": listed(`{"value":{"fields":{"f":{"arrayValue":{"values":[%s]}}}}}`, `{"stringValue":""}`),
	"members": func(n int) []byte {
		return fmt.Appendf(nil, `{"value":{"fields":{"f":{"mapValue":{"fields":%s}}}}}`, JSONMembers(n, `{}`))
	},
	"paths of a mask": listed(`{"updateMask":{"fieldPaths":[%s]}}`, `""`),
	"unknown":         listed(`{"new":[%s],"value":{}}`, `0`),
	"an escaped string": func(n int) []byte {
		return fmt.Appendf(nil, `{"value":{"fields":{"f":{"stringValue":"%s"}}}}`, strings.Repeat(`\u0000`, n))
	},
}

func listed(format, part string) func(n int) []byte {
	return func(n int) []byte { return fmt.Appendf(nil, format, strings.Repeat(part+",", n-1)+part) }
}

// JSONMembers returns a JSON object with n members of that value.
func JSONMembers(n int, value string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"%d":%s,`, i, value)
	}
	return "{" + b.String() + `"x":` + value + "}"
}
