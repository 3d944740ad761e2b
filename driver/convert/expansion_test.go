package convert_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"google.golang.org/protobuf/encoding/protowire"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
)

// field returns a field of protobuf with that content.
func field(number protowire.Number, content ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), bytes.Join(content, nil))
}

// document returns a Firestore event whose document has one field, f, of that value.
func document(value []byte) []byte {
	return field(1, field(2, field(1, []byte("f")), field(2, value)))
}

// protobufShapes are Firestore events that become large, of about n values or bytes.
func protobufShapes(n int) map[string][]byte {
	times := func(part []byte) []byte { return bytes.Repeat(part, n) }
	var members, distinct bytes.Buffer
	for i := range n {
		distinct.Write(field(2, field(1, fmt.Append(nil, i)), field(2)))
		members.Write(field(1, field(1, fmt.Append(nil, i)), field(2, field(1, []byte("\xc8\x01")))))
	}
	var deep []byte
	for range n / 100 {
		deep = append(deep, field(1, field(9, field(1, field(9, field(1, field(6, field(1, nil)))))))...)
	}
	return map[string][]byte{
		"empty values":            document(field(9, times(field(1)))),
		"nulls":                   document(field(9, times(field(1, []byte("\x58\x00"))))),
		"empty arrays":            document(field(9, times(field(1, field(9))))),
		"empty maps":              document(field(9, times(field(1, field(6))))),
		"empty strings":           document(field(9, times(field(1, []byte("\x8a\x01\x00"))))),
		"empty times":             document(field(9, times(field(1, field(10))))),
		"places":                  document(field(9, times(field(1, field(8))))),
		"numbers":                 document(field(9, times(field(1, []byte("\x19\xff\xff\xff\xff\xff\xff\xef\x7f"))))),
		"members of a map":        document(field(6, members.Bytes())),
		"fields":                  field(1, distinct.Bytes()),
		"one field again":         field(1, times(field(2))),
		"one document again":      append(times(field(1)), document([]byte("\x58\x00"))...),
		"paths of a mask":         append(field(3, times(field(1))), document(nil)...),
		"values of one value":     document(append(times(field(9)), 0x58, 0)),
		"deep arrays and maps":    document(field(9, deep)),
		"a string of NULs":        document(append([]byte{0x8a, 0x01}, protowire.AppendBytes(nil, make([]byte, n))...)),
		"a string of quotes":      document(append([]byte{0x8a, 0x01}, protowire.AppendBytes(nil, bytes.Repeat([]byte{'"'}, n))...)),
		"a name of NULs":          field(1, field(1, make([]byte, n))),
		"bytes":                   document(append([]byte{0x92, 0x01}, protowire.AppendBytes(nil, make([]byte, n))...)),
		"unknown fields":          append(times([]byte("\xf8\x3f\x01")), document([]byte("\x58\x00"))...),
		"unknown fields of value": document(field(9, times(field(1, []byte("\xf8\x3f\x01"))))),
	}
}

// jsonShapes are Firestore and Storage events in JSON that become large.
func jsonShapes(n int) map[string][]byte {
	list := func(part string) string { return strings.Repeat(part+",", n-1) + part }
	var members strings.Builder
	for i := range n {
		fmt.Fprintf(&members, `"%d":{},`, i)
	}
	value := func(value string) []byte {
		return fmt.Appendf(nil, `{"value":{"fields":{"f":%s}}}`, value)
	}
	return map[string][]byte{
		"empty values":      value(`{"arrayValue":{"values":[` + list(`{}`) + `]}}`),
		"nulls":             value(`{"arrayValue":{"values":[` + list(`{"nullValue":null}`) + `]}}`),
		"empty arrays":      value(`{"arrayValue":{"values":[` + list(`{"arrayValue":{}}`) + `]}}`),
		"empty strings":     value(`{"arrayValue":{"values":[` + list(`{"stringValue":""}`) + `]}}`),
		"members":           value(`{"mapValue":{"fields":{` + members.String() + `"x":{}}}}`),
		"paths of a mask":   []byte(`{"updateMask":{"fieldPaths":[` + list(`""`) + `]}}`),
		"unknown":           []byte(`{"new":[` + list(`0`) + `],"value":{}}`),
		"an escaped string": value(`{"stringValue":"` + strings.Repeat(`\u0000`, n) + `"}`),
	}
}

// account is what an event has counted of the memory that it takes.
type account struct {
	grown int64
	most  int64 // 0: any
}

func (a *account) Grow(n int64) error {
	if a.most > 0 && a.grown+n > a.most {
		return driver.ErrNoMemory
	}
	a.grown += n
	return nil
}

func (a *account) Shrink(n int64) { a.grown -= n }

func (a *account) Hold() func() { return func() {} }

func googleEvent(eventType, contentType string, data []byte) *cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetID("1")
	e.SetSource("s")
	e.SetType(eventType)
	e.SetDataContentType(contentType)
	e.SetExtension("key", "k")
	e.DataEncoded = data
	return &e
}

// What an event takes when it is decoded is counted before, and bounded: beside the
// account nothing is allocated but a few times the body, and what the race detector
// adds where it is on: it has pools forget what they keep.
func TestExpansionIsBounded(t *testing.T) {
	const copies, fixed, most = 2, 1 << 20, 50 << 20
	for _, n := range []int{25_000, 95_000, 700_000} {
		for format, shapes := range map[string]map[string][]byte{"protobuf": protobufShapes(n), "json": jsonShapes(n)} {
			for name, data := range shapes {
				a := &account{}
				before := allocated()
				m, err := convert.CloudEventToInput(driver.WithMemory(t.Context(), a), googleEvent(firestoreType, "application/"+format, data))
				took := int64(allocated() - before)
				if took > a.grown*9/8+copies*int64(len(data))+fixed || a.grown > most {
					t.Errorf("%s, %d times %s, %d bytes: allocated %d bytes, of which %d were counted", format, n, name, len(data), took, a.grown)
				}
				if err != nil && driver.ReasonOf(err) != driver.ReasonTooLarge {
					t.Errorf("%s, %d times %s: %v", format, n, name, err)
				}
				if format == "protobuf" && err == nil && (a.grown < int64(len(m.Content)) || len(m.Content) > int(convert.DefaultBodyLimit)) {
					t.Errorf("%s, %d times %s: a content of %d bytes, and %d were counted", format, n, name, len(m.Content), a.grown)
				}
				if format == "json" && err != nil {
					t.Errorf("%s, %d times %s: %v; want it taken as it is", format, n, name, err)
				}
			}
		}
	}
}

// A Storage event has fewer shapes.
func TestStorageExpansionIsBounded(t *testing.T) {
	var members strings.Builder
	for i := range 300_000 {
		fmt.Fprintf(&members, `"%d":"",`, i)
	}
	for format, data := range map[string][]byte{
		"json":     []byte(`{"metadata":{` + members.String() + `"x":""}}`),
		"protobuf": bytes.Repeat(field(21, field(1, []byte("x"))), 300_000),
	} {
		before := allocated()
		_, err := convert.CloudEventToInput(t.Context(), googleEvent(storageType, "application/"+format, data))
		if took := int(allocated() - before); took > len(data) || (err == nil) != (format == "json") {
			t.Errorf("%s of %d bytes: allocated %d, %v", format, len(data), took, err)
		}
	}
}

// An event for which there is no memory now comes again.
func TestExpansionWaitsForMemory(t *testing.T) {
	for format, data := range map[string][]byte{"protobuf": protobufShapes(1000)["nulls"], "json": jsonShapes(1000)["nulls"]} {
		for most, want := range map[int64]bool{1000: false, 10 << 20: true} {
			ctx := driver.WithMemory(t.Context(), &account{most: most})
			_, err := convert.CloudEventToInput(ctx, googleEvent(firestoreType, "application/"+format, data))
			if (err == nil) != want || err != nil && (!errors.Is(err, driver.ErrNoMemory) || driver.IsPermanent(err)) {
				t.Errorf("%s with %d bytes: %v", format, most, err)
			}
		}
	}
}

// The limit is that of the configuration.
func TestContentLimit(t *testing.T) {
	event := googleEvent(firestoreType, "application/protobuf", protobufShapes(10_000)["a string of NULs"])
	for limit, want := range map[int64]driver.Reason{0: "", 1 << 20: "", 50_000: driver.ReasonTooLarge} {
		m, err := input(t, convert.ContentLimit(limit))(t.Context(), event)
		if driver.ReasonOf(err) != want || (err == nil) != (want == "") || err == nil && len(m.Content) < 60_000 {
			t.Errorf("limit %d: %d bytes, %v; want %q", limit, len(m.Content), err, want)
		}
	}
}
