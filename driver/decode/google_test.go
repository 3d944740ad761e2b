package decode_test

import (
	"strings"
	"testing"

	"github.com/googleapis/google-cloudevents-go/cloud/firestoredata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/eventtest"
)

func TestProtobuf(t *testing.T) {
	document := &firestoredata.DocumentEventData{}
	body := eventtest.Protobuf(t, eventtest.Sample(t, "firestore/DocumentEventData-complex.json"), document)
	r := eventtest.Binary(string(body), "Ce-Type", eventtest.FirestoreType, "Content-Type", "application/protobuf")
	m := message(t, decoder(t, decode.KeyPointer("/value/fields/intValue/integerValue")), r)
	if m.Key != "50" {
		t.Errorf("key %q, want 50", m.Key)
	}
	back := &firestoredata.DocumentEventData{}
	if err := protojson.Unmarshal(m.Content, back); err != nil || !proto.Equal(back, document) {
		t.Errorf("content %s, %v", m.Content, err)
	}
	if strings.Contains(string(m.Content), `": `) || strings.Contains(string(m.Content), ", ") {
		t.Errorf("content has white space, which protojson varies: %s", m.Content)
	}
}

// An audit log may have types of services that this program does not have.
func TestUnknownAny(t *testing.T) {
	body := `{"protoPayload": {"status": {"code": 7, "details": [{"@type": "type.googleapis.com/no.such.Type", "a": {"b": [1]}}]}}}`
	m := message(t, zero, eventtest.Binary(body, "Ce-Type", eventtest.AuditType))
	if string(m.Content) != body {
		t.Errorf("content %s", m.Content)
	}
}

// A small document takes no gigabytes, however deep and wide it is.
func TestDeepAndWideDocument(t *testing.T) {
	body := eventtest.DeepDocument(1000, 20_000)
	before := eventtest.Allocated()
	m := message(t, zero, eventtest.Binary(string(body), "Ce-Type", eventtest.FirestoreType, "Content-Type", "application/protobuf"))
	if n := (eventtest.Allocated() - before) / uint64(len(body)); n > 500 {
		t.Errorf("converting %d bytes allocated %d times as much", len(body), n)
	}
	if got := strings.Count(string(m.Content), "nullValue"); got != 20_000 {
		t.Errorf("the content has %d of 20000 values", got)
	}
}
