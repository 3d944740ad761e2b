package decode_test

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/eventtest"
)

func TestSamplesInBinaryMode(t *testing.T) {
	for _, c := range []struct {
		name, eventType, ceSource, source string
		content                           string // empty: the body as it came
	}{
		{"pubsub/MessagePublishedData-text.json", eventtest.PubSubType, eventtest.PubSubSource, "event1", "test message 3"},
		{"pubsub/MessagePublishedData-binary.json", eventtest.PubSubType, eventtest.PubSubSource, "event1", "\x01\x02\x03\x04"},
		{"pubsub/MessagePublishedData-duplicatedFields.json", eventtest.PubSubType, eventtest.PubSubSource, "event1", "\x01\x02\x03\x04"},
		{"storage/StorageObjectData-simple.json", eventtest.StorageType, eventtest.StorageSource, "some-bucket", ""},
		{"storage/StorageObjectData-complex.json", eventtest.StorageType, eventtest.StorageSource, "some-bucket", ""},
		{"firestore/DocumentEventData-simple.json", eventtest.FirestoreType, eventtest.FirestoreSource, eventtest.FirestoreSource, ""},
		{"firestore/DocumentEventData-complex.json", eventtest.FirestoreType, eventtest.FirestoreSource, eventtest.FirestoreSource, ""},
		{"audit/LogEntryData-bigqueryjobcompleted.json", eventtest.AuditType, eventtest.AuditSource, eventtest.AuditSource, ""},
		{"audit/LogEntryData-monitoringCreateTimeSeries.json", eventtest.AuditType, eventtest.AuditSource, eventtest.AuditSource, ""},
		{"audit/LogEntryData-pubsubCreateTopic.json", eventtest.AuditType, eventtest.AuditSource, eventtest.AuditSource, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := eventtest.Sample(t, c.name)
			e := eventtest.Event(c.eventType, c.ceSource, body)
			m, err := zero.Message(t.Context(), e)
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
			again, err := zero.Message(t.Context(), e)
			if err != nil || !reflect.DeepEqual(m, again) {
				t.Errorf("delivered again it converts to %+v, %v; want %+v", again, err, m)
			}
		})
	}
}

func TestSamplesInStructuredMode(t *testing.T) {
	const audited = "//cloudaudit.googleapis.com/projects/test-project/logs/data_access"
	in := decoder(t, decode.KeyPointers(map[string]string{"sample-bucket": "/name", audited: "/insertId"}))
	for name, want := range map[string]struct{ id, key, source string }{
		"structured/pubsub/MessagePublishedData.json":        {"3103425958877813", "ordering-key", "my-topic"},
		"structured/storage/StorageObjectDataWorkflows.json": {"1234567", "MyFile", "sample-bucket"},
		"structured/audit/LogEntryData-bigqueryjobcompleted.json": {
			"projects/test-project/logs/cloudaudit.googleapis.com%2Fdata_access1234567123456789", "1234567", audited},
	} {
		t.Run(name, func(t *testing.T) {
			body := eventtest.Sample(t, name)
			m := message(t, in, eventtest.Request(body, "Content-Type", "application/cloudevents+json"))
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
	e := eventtest.Event(eventtest.PubSubType, eventtest.PubSubSource, []byte(`{
		"subscription": "projects/p/subscriptions/s", "deliveryAttempt": 3, "unknown": {},
		"message": {"data": "eA==", "attributes": {"region": "eu", "ce-type": "liar"}, "message_id": "m1",
			"ordering_key": "o1", "publish_time": "2021-02-05T04:06:14.109Z", "@type": "x"}}`))
	e.SetSubject("subject")
	e.SetExtension("traceparent", "tp")
	m, err := zero.Message(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"region": "eu", "ce-type": eventtest.PubSubType, "ce-source": eventtest.PubSubSource, "ce-subject": "subject",
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
	m, err = zero.Message(t.Context(), e)
	if at := time.Date(2019, 12, 31, 23, 0, 0, 0, time.UTC); err != nil || m.Time != at {
		t.Errorf("time %v, %v; want ce-time, in UTC", m.Time, err)
	}
}

func TestInvalidEvents(t *testing.T) {
	notText := eventtest.Event("com.example", "event1", nil)
	notText.SetExtension("key", "\xff")
	for name, e := range map[string]*cloudevents.Event{
		"nil": nil, "no context": {}, "empty": new(cloudevents.NewEvent()), "key not UTF-8": notText,
	} {
		_, err := zero.Message(context.Background(), e)
		if driver.ReasonOf(err) != driver.ReasonUndecodable {
			t.Errorf("%s: %v, want a rejection as undecodable", name, err)
		}
	}
}
