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

// MaxValues is how many values the payload of a Google event may have so that it is
// decoded: two bytes of protobuf may be a value, and decoded it takes a hundred times as
// much. JSON with more is taken as it is, without a look at its fields; protobuf with more
// is rejected with [driver.ReasonTooLarge].
const MaxValues = 100_000

// valueBytes is how much memory a decoded value takes at most, beside its text: see
// TestExpansionIsBounded.
const valueBytes = 300

// expansion is what data becomes when it is decoded. It is found out beforehand, by a look
// that allocates nothing.
type expansion struct {
	values int   // fields, elements and members, at any depth
	json   int64 // bytes of the JSON that is made of it, at most
}

var errWire = errors.New("malformed protobuf")

// protobufExpansion returns what the protobuf of a message becomes as JSON. It stops at
// what is beyond a limit.
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

// addField adds one value of a field, as it is in the wire format.
func (x *expansion) addField(value []byte, field protoreflect.FieldDescriptor, kind protowire.Type, limit int64, deepest int) error {
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

// jsonExpansion returns what valid JSON becomes when it is decoded.
func jsonExpansion(valid []byte) expansion {
	return expansion{values: rawjson.CountValues(valid), json: int64(len(valid))}
}

// grow counts in the account of the event's memory what decoding data takes, the text of
// its values included.
func (x expansion) grow(ctx context.Context, data []byte) error {
	return driver.Grow(ctx, len(data)+x.values*valueBytes+int(x.json))
}

// checkExpansion refuses an event whose protobuf becomes too much JSON.
func checkExpansion(x expansion, limit int64, eventType string) error {
	const remedy = "set the trigger's event data content type to application/json"
	switch {
	case x.values > MaxValues:
		return tooLarge("the body of an event of type %q has more than %d values in protobuf: %s", eventType, MaxValues, remedy)
	case x.json > limit:
		return tooLarge("the body of an event of type %q becomes more than %d bytes of JSON, which is the limit of a body: %s", eventType, limit, remedy)
	}
	return nil
}

func tooLarge(format string, args ...any) error {
	return driver.Reject(driver.ReasonTooLarge, fmt.Errorf(format, args...))
}
