package decode_test

import (
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/internal/eventtest"
)

func TestWrappedEvents(t *testing.T) {
	const structured = `{"specversion": "1.0", "id": "inner", "source": "/inner", "type": "com.example", "key": 9007199254740993,
		"datacontenttype": "application/json", "data": { "n": 9007199254740993 }}`
	const attributes = `{"ce-specversion": "1.0", "ce-id": "inner", "ce-source": "/inner", "ce-type": "com.example",
		"ce-key": "9007199254740993", "coNtent-Type": "application/json", "region": "eu"}`
	for name, body := range map[string][]byte{
		"binary":     eventtest.Push(attributes, `{ "n": 9007199254740993 }`),
		"structured": eventtest.Push(`{"CONTENT-type": "application/CloudEvents+json; charset=utf-8", "region": "eu"}`, structured),
		"twice": eventtest.Push(`{"ce-specversion": "1.0", "ce-id": "middle", "ce-source": "`+eventtest.PubSubSource+`", "ce-type": "`+eventtest.PubSubType+`"}`,
			string(eventtest.Push(attributes, `{ "n": 9007199254740993 }`))),
	} {
		t.Run(name, func(t *testing.T) {
			r := eventtest.Request(body, "Content-Type", "application/json")
			r.URL.Path = "/projects/p/topics/event1"
			m := message(t, zero, r)
			if m.ID != "inner" || m.Key != "9007199254740993" || m.Source != "/inner" || string(m.Content) != `{ "n": 9007199254740993 }` {
				t.Errorf("%+v", m)
			}
			if m.Attributes["region"] != "eu" || m.Attributes["ce-type"] != "com.example" || m.Attributes["pubsub-message-id"] != "m1" {
				t.Errorf("attributes %v", m.Attributes)
			}
			if m.Time.Year() != 2021 {
				t.Errorf("time %v, want that of publication", m.Time)
			}
		})
	}
}

// Attributes whose names differ in case alone are one, the same at each delivery.
func TestAttributesInTwoSpellings(t *testing.T) {
	const event = `{"ce-specversion": "1.0", "ce-id": "i", "ce-source": "s", "ce-type": "t", "key": "other", `
	for attributes, want := range map[string]string{
		event + `"ce-key": "", "Ce-Key": "k"}`:  "k",
		event + `"ce-key": "k", "Ce-Key": ""}`:  "k",
		event + `"ce-key": "k", "Ce-Key": "l"}`: "k",
		event + `"ce-key": "", "Ce-Key": ""}`:   "other",
	} {
		for range 20 { // the order of a map varies
			m := message(t, zero, eventtest.Request(eventtest.Push(attributes, ""), "Content-Type", "application/json"))
			if m.Key != want {
				t.Fatalf("%s: key %q, want %q", attributes, m.Key, want)
			}
		}
	}
}

// Four times an event may be published again as it is, whether it is a message itself or another.
func TestNestedAsDeepAsAllowed(t *testing.T) {
	push := string(eventtest.Push(`{"key": "k"}`, "x"))
	for innermost, body := range map[string]string{"com.example": "x", eventtest.PubSubType: push} {
		body = nested(innermost, body)
		for range 3 {
			body = nested(eventtest.PubSubType, body)
		}
		m := message(t, zero, eventtest.Request([]byte(body), "Content-Type", "application/json"))
		if m.Key != "k" || string(m.Content) != "x" {
			t.Errorf("%s: %+v", innermost, m)
		}
	}
}

// nested returns a push of an event of that type, with that data.
func nested(eventType, data string) string {
	const attributes = `{"ce-specversion": "1.0", "ce-id": "i", "ce-source": "s", "ce-key": "k", "ce-type": "`
	return string(eventtest.Push(attributes+eventType+`"}`, data))
}

func TestNestedTooDeep(t *testing.T) {
	body := "x"
	for range 5 {
		body = nested(eventtest.PubSubType, body)
	}
	if _, err := rejection(t, eventtest.Request([]byte(body), "Content-Type", "application/json")); !strings.Contains(err.Error(), "deep") {
		t.Error(err)
	}
	hostile := strings.Repeat("[", 1<<20)
	if _, err := rejection(t, eventtest.Binary(hostile)); driver.ReasonOf(err) != driver.ReasonUndecodable {
		t.Error(err)
	}
}
