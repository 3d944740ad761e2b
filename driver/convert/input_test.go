package convert_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
)

const (
	pubsubType    = "google.cloud.pubsub.topic.v1.messagePublished"
	storageType   = "google.cloud.storage.object.v1.finalized"
	firestoreType = "google.cloud.firestore.document.v1.written"
	auditType     = "google.cloud.audit.log.v1.written"

	pubsubSource    = "//pubsub.googleapis.com/projects/p/topics/event1"
	storageSource   = "//storage.googleapis.com/projects/_/buckets/some-bucket"
	firestoreSource = "//firestore.googleapis.com/projects/p/databases/(default)"
	auditSource     = "//cloudaudit.googleapis.com/projects/p/logs/activity"
)

// sample reads one of Google's published events.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "samples", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// newEvent returns an event with JSON data and an extension key "k".
func newEvent(t testing.TB, eventType, source string, data []byte) *cloudevents.Event {
	t.Helper()
	e := cloudevents.NewEvent()
	e.SetID("id-1")
	e.SetType(eventType)
	e.SetSource(source)
	e.SetDataContentType("application/json")
	e.SetExtension("key", "k")
	e.DataEncoded = data
	return &e
}

func input(t testing.TB, opts ...convert.InputOption) convert.InputConverter {
	t.Helper()
	in, err := convert.NewInput(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestSamplesInBinaryMode(t *testing.T) {
	for _, c := range []struct {
		name, eventType, ceSource, source string
		content                           string // empty: the body as it came
	}{
		{"pubsub/MessagePublishedData-text.json", pubsubType, pubsubSource, "event1", "test message 3"},
		{"pubsub/MessagePublishedData-binary.json", pubsubType, pubsubSource, "event1", "\x01\x02\x03\x04"},
		{"pubsub/MessagePublishedData-duplicatedFields.json", pubsubType, pubsubSource, "event1", "\x01\x02\x03\x04"},
		{"storage/StorageObjectData-simple.json", storageType, storageSource, "some-bucket", ""},
		{"storage/StorageObjectData-complex.json", storageType, storageSource, "some-bucket", ""},
		{"firestore/DocumentEventData-simple.json", firestoreType, firestoreSource, firestoreSource, ""},
		{"firestore/DocumentEventData-complex.json", firestoreType, firestoreSource, firestoreSource, ""},
		{"audit/LogEntryData-bigqueryjobcompleted.json", auditType, auditSource, auditSource, ""},
		{"audit/LogEntryData-monitoringCreateTimeSeries.json", auditType, auditSource, auditSource, ""},
		{"audit/LogEntryData-pubsubCreateTopic.json", auditType, auditSource, auditSource, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := sample(t, c.name)
			e := newEvent(t, c.eventType, c.ceSource, body)
			m, err := convert.CloudEventToInput(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			if c.content == "" {
				c.content = string(body)
			}
			if string(m.Content) != c.content {
				t.Errorf("content %q, want %q", m.Content, c.content)
			}
			if m.ID != "id-1" || m.Key != "k" || m.Source != c.source {
				t.Errorf("id %q, key %q, source %q; want id-1, k, %q", m.ID, m.Key, m.Source, c.source)
			}
			again, err := convert.CloudEventToInput(t.Context(), e)
			if err != nil || !reflect.DeepEqual(m, again) {
				t.Errorf("delivered again it converts to %+v, %v; want %+v", again, err, m)
			}
		})
	}
}

func TestSamplesInStructuredMode(t *testing.T) {
	const audited = "//cloudaudit.googleapis.com/projects/test-project/logs/data_access"
	in := input(t, convert.KeyPointers(map[string]string{"sample-bucket": "/name", audited: "/insertId"}))
	for name, want := range map[string]struct{ id, key, source string }{
		"structured/pubsub/MessagePublishedData.json":        {"3103425958877813", "ordering-key", "my-topic"},
		"structured/storage/StorageObjectDataWorkflows.json": {"1234567", "MyFile", "sample-bucket"},
		"structured/audit/LogEntryData-bigqueryjobcompleted.json": {
			"projects/test-project/logs/cloudaudit.googleapis.com%2Fdata_access1234567123456789", "1234567", audited},
	} {
		t.Run(name, func(t *testing.T) {
			body := sample(t, name)
			m := convertRequest(t, in, request(body, "Content-Type", "application/cloudevents+json"))
			if m.ID != want.id || m.Key != want.key || m.Source != want.source {
				t.Errorf("id %q, key %q, source %q; want %+v", m.ID, m.Key, m.Source, want)
			}
			if strings.Contains(name, "pubsub") {
				return
			}
			var members map[string]json.RawMessage
			if err := json.Unmarshal(body, &members); err != nil {
				t.Fatal(err)
			}
			if string(m.Content) != string(members["data"]) {
				t.Errorf("content is not the data as it is written:\n%s", m.Content)
			}
		})
	}
}

func TestAttributes(t *testing.T) {
	e := newEvent(t, pubsubType, pubsubSource, []byte(`{
		"subscription": "projects/p/subscriptions/s", "deliveryAttempt": 3, "unknown": {},
		"message": {"data": "eA==", "attributes": {"region": "eu", "ce-type": "liar"}, "message_id": "m1",
			"ordering_key": "o1", "publish_time": "2021-02-05T04:06:14.109Z", "@type": "x"}}`))
	e.SetSubject("subject")
	e.SetExtension("traceparent", "tp")
	m, err := convert.CloudEventToInput(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"region": "eu", "ce-type": pubsubType, "ce-source": pubsubSource, "ce-subject": "subject",
		"ce-key": "k", "ce-traceparent": "tp", "pubsub-message-id": "m1", "pubsub-ordering-key": "o1",
		"pubsub-subscription": "projects/p/subscriptions/s", "pubsub-delivery-attempt": "3",
	}
	if !maps.Equal(m.Attributes, want) {
		t.Errorf("attributes %v, want %v", m.Attributes, want)
	}
	if published := time.Date(2021, 2, 5, 4, 6, 14, 109e6, time.UTC); !m.Time.Equal(published) {
		t.Errorf("without ce-time the time is %v, want that of publication", m.Time)
	}
	e.SetTime(time.Date(2020, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)))
	m, err = convert.CloudEventToInput(t.Context(), e)
	if at := time.Date(2019, 12, 31, 23, 0, 0, 0, time.UTC); err != nil || m.Time != at {
		t.Errorf("time %v, %v; want ce-time, in UTC", m.Time, err)
	}
}

func TestKeyOrder(t *testing.T) {
	e := newEvent(t, pubsubType, pubsubSource, []byte(`{"message": {"messageId": "1", "orderingKey": "ordering",
		"data": "eyJvcmRlciI6IHsiaWQiOiA0Mn19", "attributes": {"key": "attribute"}}}`)) // {"order": {"id": 42}}
	e.SetExtension("partitionkey", "partition")
	in := input(t, convert.KeyPointer("/order/id"))
	expect := func(want string) {
		t.Helper()
		m, err := in(t.Context(), e)
		if m.Key != want || (want == "") != errors.Is(err, driver.ErrNoKey) {
			t.Errorf("key %q, %v; want %q", m.Key, err, want)
		}
	}
	expect("42")
	in = input(t, convert.KeyPointer("/order/number"))
	expect("") // where the pointer is, and nowhere else
	in = convert.CloudEventToInput
	expect("k")
	e.SetExtension("key", "")
	expect("partition")
	e.SetExtension("partitionkey", nil)
	expect("attribute")
	e.DataEncoded = []byte(`{"message": {"orderingKey": "ordering", "attributes": {"key": ""}}}`)
	expect("ordering")
	e.DataEncoded = []byte(`{"message": {}}`)
	e.SetSubject("subject")
	expect("")
	e.SetType("com.example.order")
	expect("subject")
	e.SetSubject("")
	expect("")
}

func TestNoKeyNamesTheRemedy(t *testing.T) {
	e := newEvent(t, storageType, storageSource, sample(t, "storage/StorageObjectData-simple.json"))
	e.SetExtension("key", nil)
	m, err := convert.CloudEventToInput(t.Context(), e)
	if driver.ReasonOf(err) != driver.ReasonNoKey || !errors.Is(err, driver.ErrNoKey) {
		t.Fatalf("%v, want a rejection for want of a key", err)
	}
	for _, part := range []string{"id-1", storageType, "some-bucket", `Pub/Sub attribute "key"`, `extension "key"`, "KEY_POINTER"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not mention %s", err, part)
		}
	}
	if m.ID != "id-1" || m.Source != "some-bucket" {
		t.Errorf("beside the error there is %+v; want what is known", m)
	}
}

func TestSources(t *testing.T) {
	for _, c := range []struct{ eventType, source, want string }{
		{pubsubType, "//pubsub.googleapis.com/projects/p/topics/event1", "event1"},
		{"com.example", "//storage.googleapis.com/projects/_/buckets/b", "b"},
		{"dev.knative.kafka.event", "/apis/v1/namespaces/default/kafkasources/s#orders", "orders"},
		{"dev.knative.kafka.event", "/apis/v1/namespaces/default/kafkasources/s", "/apis/v1/namespaces/default/kafkasources/s"},
		{"com.example", "/shop#orders", "/shop#orders"},
		{"com.example", "event1", "event1"},
	} {
		data := []byte(`{"message": {}}`)
		m, err := convert.CloudEventToInput(t.Context(), newEvent(t, c.eventType, c.source, data))
		if err != nil || m.Source != c.want {
			t.Errorf("%s from %s: source %q, %v; want %q", c.eventType, c.source, m.Source, err, c.want)
		}
	}
}

func TestSourceAliases(t *testing.T) {
	in := input(t, convert.SourceAliases(map[string][]string{
		"event1": {"orders-created", "//shop.example.com/a b"},
		"event2": {"//shop.example.com/projects/p/payments"},
	}))
	for source, want := range map[string]string{
		"//pubsub.googleapis.com/projects/p/topics/orders-created": "event1",
		"//pubsub.googleapis.com/projects/p/topics/event1":         "event1",
		"//pubsub.googleapis.com/projects/p/topics/other":          "other",
		"//shop.example.com/projects/p/payments":                   "event2",
		"//shop.example.com/a%20b":                                 "event1",
	} {
		m, err := in(t.Context(), newEvent(t, "com.example", source, nil))
		if err != nil || m.Source != want {
			t.Errorf("%s is %q, %v; want %q", source, m.Source, err, want)
		}
	}
	for _, bad := range []map[string][]string{
		{"a": {"x"}, "b": {"x"}}, {"a": {"b"}, "b": nil}, {"": {"x"}}, {"a": {""}},
	} {
		if _, err := convert.NewInput(convert.SourceAliases(bad)); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
	if _, err := convert.NewInput(convert.SourceAliases(map[string][]string{"a": {"a", "x", "x"}})); err != nil {
		t.Errorf("one name twice: %v", err)
	}
}

func TestContentSurvives(t *testing.T) {
	for _, content := range []string{
		"{ \"n\": 9007199254740993,\r\n\t\"b\": 1.10, \"a\": 1e400 , \"<\": \"\\u003c\" }",
		`{"a":1,"a":2}`,
	} {
		e := newEvent(t, "com.example", "event1", []byte(content))
		m, err := convert.CloudEventToInput(t.Context(), e)
		if err != nil || string(m.Content) != content {
			t.Errorf("content %q, %v; want %q", m.Content, err, content)
		}
		structured := `{"specversion":"1.0","id":"1","source":"s","type":"t","key":"k","data":` + content + `}`
		m = convertRequest(t, convert.CloudEventToInput, request([]byte(structured), "Content-Type", "application/cloudevents+json"))
		if want := strings.TrimSpace(content); string(m.Content) != want {
			t.Errorf("structured: content %q, want %q", m.Content, want)
		}
	}
	binary := newEvent(t, "com.example", "event1", []byte("\xff\x00\xfe"))
	binary.SetDataContentType("application/octet-stream")
	if m, err := convert.CloudEventToInput(t.Context(), binary); err != nil || string(m.Content) != "\xff\x00\xfe" {
		t.Errorf("binary content %q, %v", m.Content, err)
	}
	// Of bytes that come without a media type, the joiner finds out what they are.
	pushed := request(wrapped(`{"key": "k"}`, "\"\xff\xfe\""), "Content-Type", "application/json")
	if m := convertRequest(t, convert.CloudEventToInput, pushed); string(m.Content) != "\"\xff\xfe\"" {
		t.Errorf("pushed content %q", m.Content)
	}
}

func TestInvalidEvents(t *testing.T) {
	notText := newEvent(t, "com.example", "event1", nil)
	notText.SetExtension("key", "\xff")
	for name, e := range map[string]*cloudevents.Event{
		"nil": nil, "no context": {}, "empty": new(cloudevents.NewEvent()), "key not UTF-8": notText,
	} {
		_, err := convert.CloudEventToInput(context.Background(), e)
		if driver.ReasonOf(err) != driver.ReasonUndecodable {
			t.Errorf("%s: %v, want a rejection as undecodable", name, err)
		}
	}
}
