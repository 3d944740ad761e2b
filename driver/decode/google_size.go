package decode

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/internal/rawjson"
)

// MaxValues is the most values of a Google payload that is decoded: two bytes of protobuf can be a
// value, which takes a hundred times as much when it is decoded. JSON with more is accepted
// without a check of its fields; protobuf with more is rejected with [driver.ReasonTooLarge].
const MaxValues = 100_000

// valueBytes is the most memory of a decoded value beside its text. TestExpansionIsBounded measures
// it.
const valueBytes = 300

// expansion is the size that data has when it is decoded. It is computed before decoding, without
// allocating memory.
type expansion struct {
	values int   // fields, elements and members, at any depth
	json   int64 // the most bytes of the JSON that it becomes
}

var errWire = errors.New("malformed protobuf")

// protobufExpansion returns the size of a message in protobuf as JSON. It stops at the first value
// beyond a limit.
func protobufExpansion(data []byte, of protoreflect.MessageDescriptor, limit int64) (x expansion, err error) {
	err = x.addMessage(data, of, limit, MaxNesting)
	return x, err
}

func (x *expansion) addMessage(data []byte, of protoreflect.MessageDescriptor, limit int64, deepest int) error {
	if deepest == 0 {
		return errWire
	}
	x.json += int64(len("{}"))
	last := protowire.Number(0)
	for len(data) > 0 && x.values <= MaxValues && x.json <= limit {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return errWire
		}
		data = data[n:]
		if n = protowire.ConsumeFieldValue(number, kind, data); n < 0 {
			return errWire
		}
		field := of.Fields().ByNumber(number)
		if field != nil {
			if number != last || !field.IsList() && !field.IsMap() {
				x.json += int64(len(field.JSONName()) + len(`"":[],`))
			}
			x.values++
			x.json++
			if err := x.addField(data[:n], field, kind, limit, deepest); err != nil {
				return err
			}
		}
		data, last = data[n:], number
	}
	return nil
}

// addField adds one value of a field, in the wire format.
func (x *expansion) addField(
	value []byte, field protoreflect.FieldDescriptor, kind protowire.Type, limit int64, deepest int,
) error {
	const longestNumber, longestTime = 26, 64
	if kind != protowire.BytesType {
		x.json += longestNumber
		return nil
	}
	content, n := protowire.ConsumeBytes(value)
	if n < 0 {
		return errWire
	}
	switch field.Kind() {
	case protoreflect.MessageKind:
		if field.IsMap() {
			x.json += int64(len(`"":""`))
		}
		if field.Message().FullName() == "google.protobuf.Timestamp" {
			x.json += longestTime
		}
		return x.addMessage(content, field.Message(), limit, deepest-1)
	case protoreflect.BytesKind:
		x.json += int64(base64.StdEncoding.EncodedLen(len(content)) + len(`""`))
	case protoreflect.StringKind:
		x.json += int64(len(`""`)) + rawjson.EscapedLength(content)
	default: // numbers, packed
		x.values += len(content)
		x.json += int64(len(content)) * longestNumber
	}
	return nil
}

// jsonExpansion returns the size of valid JSON when it is decoded.
func jsonExpansion(valid []byte) expansion {
	return expansion{values: rawjson.CountValues(valid), json: int64(len(valid))}
}

// grow adds the memory of decoding data to the account of the event, its text included.
func (x expansion) grow(ctx context.Context, data []byte) error {
	return driver.Grow(ctx, len(data)+x.values*valueBytes+int(x.json))
}

// check rejects an event whose protobuf becomes too much JSON.
func (x expansion) check(limit int64, eventType string) error {
	switch {
	case x.values > MaxValues:
		return tooLarge("the body of an event of type %q has more than %d values in protobuf: %s",
			eventType, MaxValues, askForJSON)
	case x.json > limit:
		return tooLarge("the body of an event of type %q becomes more than %d bytes of JSON, the limit of a body: %s",
			eventType, limit, askForJSON)
	}
	return nil
}

func tooLarge(format string, args ...any) error {
	return driver.Reject(driver.ReasonTooLarge, fmt.Errorf(format, args...))
}
