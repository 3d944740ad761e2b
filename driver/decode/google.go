package decode

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/googleapis/google-cloudevents-go/cloud/firestoredata"
	"github.com/googleapis/google-cloudevents-go/cloud/storagedata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"example.com/eventdriver/driver/internal/rawjson"
)

// googleData are the payloads that are checked, by the start of the event's type.
var googleData = []struct {
	prefix string
	data   func() proto.Message
}{
	{"google.cloud.storage.object.v1.", func() proto.Message { return &storagedata.StorageObjectData{} }},
	{"google.cloud.firestore.document.v1.", func() proto.Message { return &firestoredata.DocumentEventData{} }},
}

// auditLogs is how the types of audit log events start. google-cloudevents-go has
// their payload's type, too, but a program that links it together with the Cloud
// Storage client panics when it starts: both register the protobuf file
// google/api/monitored_resource.proto.
const auditLogs = "google.cloud.audit.log.v1."

// datastore is how the types of Datastore events start. Their data is protobuf, of a
// type that this program does not know.
const datastore = "google.cloud.datastore."

// isGooglePayload says whether the data of events of a type is what the type says,
// however it came.
func isGooglePayload(eventType string) bool {
	for _, kind := range googleData {
		if strings.HasPrefix(eventType, kind.prefix) {
			return true
		}
	}
	return eventType == pubsubType || strings.HasPrefix(eventType, auditLogs) || strings.HasPrefix(eventType, datastore)
}

// payload returns the content of the event, which is not a Pub/Sub message.
func (u *unwrapped) payload(ctx context.Context) (content, error) {
	e := u.event
	for _, kind := range googleData {
		if strings.HasPrefix(e.Type(), kind.prefix) {
			data, err := googlePayload(ctx, e, kind.data(), u.limit)
			return content{data, mediaJSON}, err
		}
	}
	switch {
	case strings.HasPrefix(e.Type(), auditLogs):
		data, err := auditPayload(ctx, e)
		return content{data, mediaJSON}, err
	case strings.HasPrefix(e.Type(), datastore):
		return content{}, undecodable("events of Datastore, such as this one of type %q, are not supported: "+
			"use a database in Firestore's native mode, or publish the event to Pub/Sub", e.Type())
	}
	return content{e.Data(), declared(e.DataContentType())}, nil
}

// auditPayload returns the event's data, after a look at whether it is an entry of
// an audit log: a JSON object with a protoPayload.
func auditPayload(ctx context.Context, e *cloudevents.Event) ([]byte, error) {
	if media := mediaType(e.DataContentType()); media != "" && !isJSON(media) {
		return nil, undecodable("content type %q of an event of type %q: set the trigger's event data content type to application/json", media, e.Type())
	}
	if len(e.Data()) == 0 {
		return nil, undecodable("the body of an event of type %q is empty: it must be a LogEntryData", e.Type())
	}
	data := rawjson.WithoutMark(e.Data())
	if err := rawjson.Check(data); err != nil {
		return nil, undecodable("the body of an event of type %q: %w", e.Type(), err)
	}
	protoPayload, err := rawjson.Find(ctx, data, "protoPayload")
	if err != nil {
		return nil, err
	}
	if rawjson.FirstByte(data) != '{' || rawjson.FirstByte(protoPayload) != '{' {
		return nil, undecodable("the body of an event of type %q is no LogEntryData: it has no protoPayload that is an object", e.Type())
	}
	return data, nil
}

// googlePayload returns the event's data as JSON, after it was decoded into
// target. Fields that target doesn't have are no fault: Google adds some. Protobuf
// that becomes more than limit bytes of JSON is rejected.
func googlePayload(ctx context.Context, e *cloudevents.Event, target proto.Message, limit int64) ([]byte, error) {
	name := target.ProtoReflect().Descriptor().Name()
	if len(e.Data()) == 0 {
		return nil, undecodable("the body of an event of type %q is empty: it must be a %s", e.Type(), name)
	}
	switch media := declared(e.DataContentType()); {
	case isProtobuf(media) || isUndeclared(media) && !json.Valid(rawjson.WithoutMark(e.Data())):
		return protobufPayload(ctx, e, target, limit)
	case isJSON(media) || isUndeclared(media):
		return jsonPayload(ctx, e, target)
	default:
		return nil, undecodable("content type %q of an event of type %q: it must be application/json or application/protobuf", media, e.Type())
	}
}

// isUndeclared says whether a media type leaves open what data is. Pub/Sub names none
// when it pushes an event of Firestore as a message without wrapper.
func isUndeclared(media string) bool { return media == "" || media == mediaBytes }

// jsonPayload checks that the event's data is a target in JSON. A member that is null
// is as if absent, also in a map of strings, where protojson refuses it. An object with
// more than [MaxValues] is taken as it is.
func jsonPayload(ctx context.Context, e *cloudevents.Event, target proto.Message) ([]byte, error) {
	data := rawjson.WithoutMark(e.Data())
	if err := rawjson.Check(data); err != nil {
		return nil, undecodable("the body of an event of type %q: %w", e.Type(), err)
	}
	if rawjson.FirstByte(data) == '{' {
		x := jsonExpansion(data)
		if x.values > MaxValues {
			return data, nil
		}
		if err := x.grow(ctx, data); err != nil {
			return nil, err
		}
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(rawjson.WithoutNulls(data), target); err != nil {
		return nil, undecodable("the body of an event of type %q is no %s%s", e.Type(), target.ProtoReflect().Descriptor().Name(), place(err))
	}
	return data, nil
}

// protobufPayload turns protobuf into JSON. The same protobuf always gives the
// same JSON: protojson varies its white space from build to build, so that is
// taken out. Asked for several lines it would indent, by as many spaces as the
// document is deep, and make gigabytes of a small one.
func protobufPayload(ctx context.Context, e *cloudevents.Event, target proto.Message, limit int64) ([]byte, error) {
	of := target.ProtoReflect().Descriptor()
	x, err := protobufExpansion(e.Data(), of, limit)
	if err != nil {
		return nil, undecodable("the body of an event of type %q is no %s in protobuf", e.Type(), of.Name())
	}
	if err := checkExpansion(x, limit, e.Type()); err != nil {
		return nil, err
	}
	if err := x.grow(ctx, e.Data()); err != nil {
		return nil, err
	}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(e.Data(), target); err != nil {
		return nil, undecodable("the body of an event of type %q is no %s in protobuf", e.Type(), of.Name())
	}
	if !anyField(target) { // many a text is, to protobuf, a message of unknown fields
		return nil, undecodable("the body of an event of type %q has none of the fields of a %s", e.Type(), of.Name())
	}
	text, err := (protojson.MarshalOptions{}).MarshalAppend(make([]byte, 0, x.json), target)
	if err != nil {
		return nil, undecodable("the body of an event of type %q can't be written as JSON: set the trigger's event data content type to application/json", e.Type())
	}
	return rawjson.Compact(text), nil
}

// anyField says whether m has a value in any of the fields that its type knows.
func anyField(m proto.Message) bool {
	found := false
	m.ProtoReflect().Range(func(protoreflect.FieldDescriptor, protoreflect.Value) bool {
		found = true
		return false
	})
	return found
}

var position = regexp.MustCompile(`\(line \d+:\d+\)`)

// place returns where protojson found a fault, and leaves out what it found.
func place(err error) string {
	if at := position.FindString(err.Error()); at != "" {
		return " " + at
	}
	return ""
}
