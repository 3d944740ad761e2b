package decode

import (
	"context"
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

// googleData are the payloads that are checked, by the prefix of the event's type.
var googleData = []struct {
	prefix string
	data   func() proto.Message
}{
	{"google.cloud.storage.object.v1.", func() proto.Message { return &storagedata.StorageObjectData{} }},
	{"google.cloud.firestore.document.v1.", func() proto.Message { return &firestoredata.DocumentEventData{} }},
}

// auditLogs is the prefix of the types of audit log events. google-cloudevents-go has a type for
// their payload, too, but a program that links it together with the Cloud Storage client panics
// when it starts: both register the protobuf file google/api/monitored_resource.proto.
const auditLogs = "google.cloud.audit.log.v1."

// datastore is the prefix of the types of Datastore events. Their data is protobuf of a type that
// this program does not have.
const datastore = "google.cloud.datastore."

// isGooglePayload says whether the type of an event decides what its data is, however it arrived.
func isGooglePayload(eventType string) bool {
	for _, kind := range googleData {
		if strings.HasPrefix(eventType, kind.prefix) {
			return true
		}
	}
	return eventType == pubsubType || strings.HasPrefix(eventType, auditLogs) || strings.HasPrefix(eventType, datastore)
}

// payload returns the content of an event that is not a Pub/Sub message.
func (u *unwrapped) payload(ctx context.Context) (content, error) {
	e := u.event
	for _, kind := range googleData {
		if strings.HasPrefix(e.Type(), kind.prefix) {
			data, err := googlePayload(ctx, e, kind.data(), u.limit)
			return content{data: data, media: mediaJSON}, err
		}
	}
	switch {
	case strings.HasPrefix(e.Type(), auditLogs):
		data, err := auditPayload(ctx, e)
		return content{data: data, media: mediaJSON}, err
	case strings.HasPrefix(e.Type(), datastore):
		return content{}, undecodable("events of Datastore, such as this one of type %q, are not supported: "+
			"use a database in Firestore's native mode, or publish the event to Pub/Sub", e.Type())
	}
	return content{e.Data(), declared(e.DataContentType()), charsetOf(e.DataContentType())}, nil
}

// auditPayload returns the event's data, after checking that it is an entry of an audit log: a JSON
// object with a protoPayload.
func auditPayload(ctx context.Context, e *cloudevents.Event) ([]byte, error) {
	if media := mediaType(e.DataContentType()); media != "" && !isJSON(media) {
		return nil, badBody(e, "has content type %q: "+askForJSON, media)
	}
	if len(e.Data()) == 0 {
		return nil, badBody(e, "is empty: it must be a LogEntryData")
	}
	data := rawjson.WithoutMark(e.Data())
	if err := rawjson.Check(data); err != nil {
		return nil, badBody(e, "can't be read: %w", err)
	}
	protoPayload, err := rawjson.Find(ctx, data, "protoPayload")
	if err != nil {
		return nil, err
	}
	if rawjson.FirstByte(data) != '{' || rawjson.FirstByte(protoPayload) != '{' {
		return nil, badBody(e, "is no LogEntryData: it has no protoPayload that is an object")
	}
	return data, nil
}

// googlePayload returns the event's data as JSON, after checking that it is a target. Fields that
// target does not have are accepted: Google adds some. Protobuf that becomes more than limit bytes
// of JSON is rejected.
func googlePayload(ctx context.Context, e *cloudevents.Event, target proto.Message, limit int64) ([]byte, error) {
	name := target.ProtoReflect().Descriptor().Name()
	if len(e.Data()) == 0 {
		return nil, badBody(e, "is empty: it must be a %s", name)
	}
	switch media := declared(e.DataContentType()); {
	case isProtobuf(media) || isUndeclared(media) && !rawjson.Valid(rawjson.WithoutMark(e.Data())):
		return protobufPayload(ctx, e, target, limit)
	case isJSON(media) || isUndeclared(media):
		return jsonPayload(ctx, e, target)
	default:
		return nil, badBody(e, "has content type %q: it must be application/json or application/protobuf", media)
	}
}

// isUndeclared says whether a media type leaves open what the data is. Pub/Sub declares none when
// it pushes an event of Firestore without wrapper.
func isUndeclared(media string) bool { return media == "" || media == mediaBytes }

// jsonPayload checks that the event's data is a target in JSON. A member that is null counts as
// absent, also in a map of strings, where protojson refuses it. An object with more than
// [MaxValues] is accepted without a check of its fields.
func jsonPayload(ctx context.Context, e *cloudevents.Event, target proto.Message) ([]byte, error) {
	data := rawjson.WithoutMark(e.Data())
	if err := rawjson.Check(data); err != nil {
		return nil, badBody(e, "can't be read: %w", err)
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
		return nil, badBody(e, "is no %s%s", target.ProtoReflect().Descriptor().Name(), place(err))
	}
	return data, nil
}

// protobufPayload turns protobuf into JSON. The same protobuf always becomes the same JSON:
// protojson varies its white space from build to build, so the white space is removed. Lines
// would not help: indented by the depth of the document, a small one becomes gigabytes.
func protobufPayload(ctx context.Context, e *cloudevents.Event, target proto.Message, limit int64) ([]byte, error) {
	of := target.ProtoReflect().Descriptor()
	x, err := protobufExpansion(e.Data(), of, limit)
	if err != nil {
		return nil, badBody(e, "is no %s in protobuf", of.Name())
	}
	if err := x.check(limit, e.Type()); err != nil {
		return nil, err
	}
	if err := x.grow(ctx, e.Data()); err != nil {
		return nil, err
	}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(e.Data(), target); err != nil {
		return nil, badBody(e, "is no %s in protobuf", of.Name())
	}
	if !anyField(target) { // to protobuf, many texts are messages of unknown fields
		return nil, badBody(e, "has none of the fields of a %s", of.Name())
	}
	text, err := (protojson.MarshalOptions{}).MarshalAppend(make([]byte, 0, x.json), target)
	if err != nil {
		return nil, badBody(e, "can't be written as JSON: "+askForJSON)
	}
	return rawjson.Compact(text), nil
}

// anyField says whether m has a value in a field that its type has.
func anyField(m proto.Message) bool {
	found := false
	m.ProtoReflect().Range(func(protoreflect.FieldDescriptor, protoreflect.Value) bool {
		found = true
		return false
	})
	return found
}

// askForJSON is the remedy for events in protobuf that can't be read.
const askForJSON = "set the trigger's event data content type to application/json"

// badBody returns the rejection of an event for its data.
func badBody(e *cloudevents.Event, format string, args ...any) error {
	return undecodable("the body of an event of type %q "+format, append([]any{e.Type()}, args...)...)
}

var position = regexp.MustCompile(`\(line \d+:\d+\)`)

// place returns the position of an error of protojson, without the data that it quotes.
func place(err error) string {
	if at := position.FindString(err.Error()); at != "" {
		return " " + at
	}
	return ""
}
