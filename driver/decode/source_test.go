package decode_test

import (
	"context"
	"io"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/eventtest"
)

func TestSources(t *testing.T) {
	for _, c := range []struct{ eventType, source, want string }{
		{eventtest.PubSubType, "//pubsub.googleapis.com/projects/p/topics/event1", "event1"},
		{"com.example", "//storage.googleapis.com/projects/_/buckets/b", "b"},
		{"dev.knative.kafka.event", "/apis/v1/namespaces/default/kafkasources/s#orders", "orders"},
		{"dev.knative.kafka.event", "/apis/v1/namespaces/default/kafkasources/s", "/apis/v1/namespaces/default/kafkasources/s"},
		{"com.example", "/shop#orders", "/shop#orders"},
		{"com.example", "event1", "event1"},
	} {
		data := []byte(`{"message": {}}`)
		m, err := zero.Message(t.Context(), eventtest.Event(c.eventType, c.source, data))
		if err != nil || m.Source != c.want {
			t.Errorf("%s from %s: source %q, %v; want %q", c.eventType, c.source, m.Source, err, c.want)
		}
	}
}

func TestSourceAliases(t *testing.T) {
	in := decoder(t, decode.SourceAliases(map[string][]string{
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
		m, err := in.Message(t.Context(), eventtest.Event("com.example", source, nil))
		if err != nil || m.Source != want {
			t.Errorf("%s is %q, %v; want %q", source, m.Source, err, want)
		}
	}
	for _, bad := range []map[string][]string{
		{"a": {"x"}, "b": {"x"}}, {"a": {"b"}, "b": nil}, {"": {"x"}}, {"a": {""}},
	} {
		if _, err := decode.New(decode.SourceAliases(bad)); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
	if _, err := decode.New(decode.SourceAliases(map[string][]string{"a": {"a", "x", "x"}})); err != nil {
		t.Errorf("one name twice: %v", err)
	}
}

func TestSourceOfWrappedEvents(t *testing.T) {
	body := eventtest.Push(`{"ce-specversion": "1.0", "ce-id": "i", "ce-source": "/shop", "ce-type": "t", "ce-key": "k"}`, "x")
	for _, c := range []struct {
		aliases map[string][]string
		want    string
	}{
		{nil, "/shop"},
		{map[string][]string{"event1": nil, "event2": nil}, "event1"},                     // topics by name
		{map[string][]string{"created": {"event1"}}, "created"},                           // a topic's alias
		{map[string][]string{"created": {eventtest.PubSubSource}}, "created"},             // in full
		{map[string][]string{"created": {"event1"}, "from-shop": {"/shop"}}, "from-shop"}, // the inner source goes first
		{map[string][]string{"event2": nil}, "/shop"},
	} {
		r := eventtest.Request(body, "Content-Type", "application/json")
		r.URL.Path = "/projects/p/topics/event1"
		if m := message(t, decoder(t, decode.SourceAliases(c.aliases)), r); m.Source != c.want {
			t.Errorf("%v: source %q, want %q", c.aliases, m.Source, c.want)
		}
	}
}

// spellings are sources that a parser of URIs would write in another way, or refuse.
var spellings = []string{"Shop:Orders", "URN:shop:orders", "HTTPS://Shop.Example:443/orders", "/orders#", "/orders?", "/a%2Fb", "/caf%c3%a9", "/caf\u00e9",
	"a b", "/a/../b", "//user@host/x", "my_shop:orders", "1shop:orders", "?", "#", "/a#b#c", "mailto:Shop@example.com", "%41", "//[::1", "urn:x:a+b"}

// A source is the text that the producer wrote, and aliases match that text.
func TestSourceIsWhatWasWritten(t *testing.T) {
	for _, source := range spellings {
		named := decoder(t, decode.SourceAliases(map[string][]string{"event1": {source}}))
		for how, r := range eventtest.RequestsFrom(source) {
			m := message(t, zero, r)
			if m.Source != source || m.Attributes["ce-source"] != source {
				t.Errorf("%s: source %q, attribute %q; want %q", how, m.Source, m.Attributes["ce-source"], source)
			}
			if m := message(t, named, eventtest.RequestsFrom(source)[how]); m.Source != "event1" {
				t.Errorf("%s: source %q with an alias %q", how, m.Source, source)
			}
		}
	}
	in := decoder(t, decode.SourceAliases(map[string][]string{"event1": {"Shop:Orders"}, "event2": {"/a b"}, "event3": {"/caf\u00e9"}}))
	for source, want := range map[string]string{
		"shop:Orders": "shop:Orders", "Shop:orders": "Shop:orders", "Shop:Orders#": "Shop:Orders#", // others
		"/a%20b": "event2", "/caf%C3%A9": "event3", // percent-encoding may be left out of an alias
	} {
		for how, r := range eventtest.RequestsFrom(source) {
			if m := message(t, in, r); m.Source != want {
				t.Errorf("%s: %q is %q, want %q", how, source, m.Source, want)
			}
		}
	}
}

// Kafka's topic is the text behind the first #, as it was written.
func TestKafkaTopicIsWhatWasWritten(t *testing.T) {
	for _, topic := range []string{"orders", "Orders.v1", "a b", "a%20b", "a#b", "caf\u00e9"} {
		m := message(t, zero, eventtest.Binary(`1`, "Ce-Type", "dev.knative.kafka.event", "Ce-Source", "/apis/v1/namespaces/N/kafkasources/s#"+topic))
		if m.Source != topic {
			t.Errorf("topic %q is source %q", topic, m.Source)
		}
	}
}

// If the SDK has parsed the event, aliases match the form that it gave the source.
func TestSourceThatTheSDKParsed(t *testing.T) {
	in := decoder(t, decode.SourceAliases(map[string][]string{"event1": {"Shop:Orders"}, "URN:shop": nil, "event2": {"/orders#"}, "x": {"A:x"}, "y": {"a:x"}}))
	for source, want := range map[string]string{"Shop:Orders": "event1", "URN:shop": "URN:shop", "/orders#": "event2", "A:x": "y", "B:y": "b:y"} {
		e := cloudevents.NewEvent()
		e.SetID("1")
		e.SetType("t")
		e.SetSource(source)
		e.SetExtension("key", "k")
		if m, err := in.Message(t.Context(), &e); err != nil || m.Source != want {
			t.Errorf("%s, which is %s to the SDK: source %q, %v; want %q", source, e.Source(), m.Source, err, want)
		}
	}
}

// The event that a converter of the user's gets has the source as it was written, also in a copy.
func TestEventHasTheSourceAsWritten(t *testing.T) {
	for _, source := range spellings {
		for how, r := range eventtest.RequestsFrom(source) {
			if strings.HasPrefix(how, "wrapped") {
				continue // the event of the message is inside
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			e, err := decode.Request(r, body, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, copied := e.Source(), new(e.Clone()).Source()
			if got != source || copied != source {
				t.Errorf("%s: %q, in a copy %q; want %q", how, got, copied, source)
			}
		}
	}
}

// The context can name the source.
func TestSourceOfTheContext(t *testing.T) {
	e := cloudevents.NewEvent()
	e.SetID("1")
	e.SetSource("event1")
	e.SetType("t")
	e.SetExtension("key", "k")
	m, err := zero.Message(decode.WithSource(t.Context(), "any name/at all"), &e)
	if err != nil || m.Source != "any name/at all" {
		t.Errorf("%q, %v; want the context's source", m.Source, err)
	}
	if m, err := zero.Message(decode.WithSource(t.Context(), ""), &e); err != nil || m.Source != "event1" {
		t.Errorf("%q, %v; want the event's source", m.Source, err)
	}
	if got := decode.SourceFrom(context.Background()); got != "" {
		t.Errorf("a context without a source has %q", got)
	}
}
