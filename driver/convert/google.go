package convert

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/googleapis/google-cloudevents-go/cloud/auditdata"
	"github.com/googleapis/google-cloudevents-go/cloud/firestoredata"
	"github.com/googleapis/google-cloudevents-go/cloud/storagedata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// googleData are the payloads that are checked, by the start of the event's type.
var googleData = []struct {
	prefix string
	data   func() proto.Message
}{
	{"google.cloud.storage.object.v1.", func() proto.Message { return &storagedata.StorageObjectData{} }},
	{"google.cloud.firestore.document.v1.", func() proto.Message { return &firestoredata.DocumentEventData{} }},
	{"google.cloud.audit.log.v1.", func() proto.Message { return &auditdata.LogEntryData{} }},
}

// payload returns the content of an event that is not a Pub/Sub message.
func payload(e *cloudevents.Event) ([]byte, error) {
	for _, kind := range googleData {
		if strings.HasPrefix(e.Type(), kind.prefix) {
			return googlePayload(e, kind.data())
		}
	}
	if len(e.Data()) > 0 && isJSON(mediaType(e.DataContentType())) {
		if err := checkJSON(e.Data()); err != nil {
			return nil, undecodable("the data of an event with content type %q: %w", mediaType(e.DataContentType()), err)
		}
	}
	return e.Data(), nil
}

// googlePayload returns the event's data as JSON, after it was decoded into
// target. Fields that target doesn't have are no fault: Google adds some.
func googlePayload(e *cloudevents.Event, target proto.Message) ([]byte, error) {
	name := target.ProtoReflect().Descriptor().Name()
	if len(e.Data()) == 0 {
		return nil, undecodable("the body of an event of type %q is empty: it must be a %s", e.Type(), name)
	}
	switch media := mediaType(e.DataContentType()); {
	case media == "" || isJSON(media):
		if err := checkJSON(e.Data()); err != nil {
			return nil, undecodable("the body of an event of type %q: %w", e.Type(), err)
		}
		options := protojson.UnmarshalOptions{DiscardUnknown: true, Resolver: lenientTypes{}}
		if err := options.Unmarshal(e.Data(), target); err != nil {
			return nil, undecodable("the body of an event of type %q is no %s%s", e.Type(), name, place(err))
		}
		return e.Data(), nil
	case isProtobuf(media):
		return protobufPayload(e, target)
	default:
		return nil, undecodable("content type %q of an event of type %q: it must be application/json or application/protobuf", media, e.Type())
	}
}

func isProtobuf(media string) bool {
	return media == "application/protobuf" || media == "application/x-protobuf" || media == "application/vnd.google.protobuf"
}

// protobufPayload turns protobuf into JSON. The same protobuf always gives the
// same JSON: protojson varies its white space from build to build, so that is
// taken out.
func protobufPayload(e *cloudevents.Event, target proto.Message) ([]byte, error) {
	name := target.ProtoReflect().Descriptor().Name()
	if err := proto.Unmarshal(e.Data(), target); err != nil {
		return nil, undecodable("the body of an event of type %q is no %s in protobuf", e.Type(), name)
	}
	if !anyField(target) { // many a text is, to protobuf, a message of unknown fields
		return nil, undecodable("the body of an event of type %q has none of the fields of a %s", e.Type(), name)
	}
	text, err := protojson.MarshalOptions{Resolver: lenientTypes{}}.Marshal(target)
	if err != nil {
		return nil, undecodable("the body of an event of type %q can't be written as JSON: set the trigger's event data content type to application/json", e.Type())
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, undecodable("the body of an event of type %q as JSON: %w", e.Type(), jsonFault(err))
	}
	return compact.Bytes(), nil
}

var position = regexp.MustCompile(`\(line \d+:\d+\)`)

// place returns where protojson found a fault, and leaves out what it found.
func place(err error) string {
	if at := position.FindString(err.Error()); at != "" {
		return " " + at
	}
	return ""
}
