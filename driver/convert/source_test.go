package convert_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
)

// spellings are sources that a parser of URIs would write in another way, or refuse.
var spellings = []string{"Shop:Orders", "URN:shop:orders", "HTTPS://Shop.Example:443/orders", "/orders#", "/orders?", "/a%2Fb", "/caf%c3%a9", "/caf\u00e9",
	"a b", "/a/../b", "//user@host/x", "my_shop:orders", "1shop:orders", "?", "#", "/a#b#c", "mailto:Shop@example.com", "%41", "//[::1", "urn:x:a+b"}

// requestsFrom returns an event of the source in each of the forms.
func requestsFrom(t testing.TB, source string) map[string]*http.Request {
	t.Helper()
	quoted, err := json.Marshal(source)
	if err != nil {
		t.Fatal(err)
	}
	body := strings.Replace(cloudEvent(`,"data":1`), `"source":"s"`, `"source":`+string(quoted), 1)
	return map[string]*http.Request{
		"binary":              binary(`1`, "Ce-Source", source),
		"binary, 0.3":         binary(`1`, "Ce-Source", source, "Ce-Specversion", "0.3"),
		"structured":          request([]byte(body), "Content-Type", "application/cloudevents+json"),
		"wrapped":             request(wrapped(`{"ce-specversion":"1.0","ce-id":"i","ce-type":"t","ce-key":"k","ce-source":`+string(quoted)+`}`, "1"), "Content-Type", "application/json"),
		"wrapped, structured": request(wrapped(`{"content-type":"application/cloudevents+json"}`, body), "Content-Type", "application/json"),
	}
}

// A source is the text that the producer wrote, and what is configured matches it.
func TestSourceIsWhatWasWritten(t *testing.T) {
	for _, source := range spellings {
		named := input(t, convert.SourceAliases(map[string][]string{"event1": {source}}))
		for how, r := range requestsFrom(t, source) {
			m := convertRequest(t, convert.CloudEventToInput, r)
			if m.Source != source || m.Attributes["ce-source"] != source {
				t.Errorf("%s: source %q, attribute %q; want %q", how, m.Source, m.Attributes["ce-source"], source)
			}
			if m := convertRequest(t, named, requestsFrom(t, source)[how]); m.Source != "event1" {
				t.Errorf("%s: source %q with an alias %q", how, m.Source, source)
			}
		}
	}
	in := input(t, convert.SourceAliases(map[string][]string{"event1": {"Shop:Orders"}, "event2": {"/a b"}, "event3": {"/caf\u00e9"}}))
	for source, want := range map[string]string{
		"shop:Orders": "shop:Orders", "Shop:orders": "Shop:orders", "Shop:Orders#": "Shop:Orders#", // others
		"/a%20b": "event2", "/caf%C3%A9": "event3", // percent-encoding may be left out of an alias
	} {
		for how, r := range requestsFrom(t, source) {
			if m := convertRequest(t, in, r); m.Source != want {
				t.Errorf("%s: %q is %q, want %q", how, source, m.Source, want)
			}
		}
	}
}

// Kafka's topic is what is behind the first #, as it was written.
func TestKafkaTopicIsWhatWasWritten(t *testing.T) {
	for _, topic := range []string{"orders", "Orders.v1", "a b", "a%20b", "a#b", "caf\u00e9"} {
		m := convertRequest(t, convert.CloudEventToInput, binary(`1`, "Ce-Type", "dev.knative.kafka.event", "Ce-Source", "/apis/v1/namespaces/N/kafkasources/s#"+topic))
		if m.Source != topic {
			t.Errorf("topic %q is source %q", topic, m.Source)
		}
	}
}

// Where the SDK has parsed the event, what is configured matches what it has made of
// the source.
func TestSourceThatTheSDKParsed(t *testing.T) {
	in := input(t, convert.SourceAliases(map[string][]string{"event1": {"Shop:Orders"}, "URN:shop": nil, "event2": {"/orders#"}, "x": {"A:x"}, "y": {"a:x"}}))
	for source, want := range map[string]string{"Shop:Orders": "event1", "URN:shop": "URN:shop", "/orders#": "event2", "A:x": "y", "B:y": "b:y"} {
		e := cloudevents.NewEvent()
		e.SetID("1")
		e.SetType("t")
		e.SetSource(source)
		e.SetExtension("key", "k")
		if m, err := in(t.Context(), &e); err != nil || m.Source != want {
			t.Errorf("%s, which is %s to the SDK: source %q, %v; want %q", source, e.Source(), m.Source, err, want)
		}
	}
}

// The event that a converter of one's own is given has the source as it was written,
// also in a copy.
func TestEventHasTheSourceAsWritten(t *testing.T) {
	for _, source := range spellings {
		for how, r := range requestsFrom(t, source) {
			if strings.HasPrefix(how, "wrapped") {
				continue
			}
			var got, copied string
			m := convertRequest(t, func(ctx context.Context, e *cloudevents.Event) (driver.Message, error) {
				got, copied = e.Source(), new(e.Clone()).Source()
				return convert.CloudEventToInput(ctx, e)
			}, r)
			if got != source || copied != source || m.Source != source {
				t.Errorf("%s: %q, in a copy %q; want %q", how, got, copied, source)
			}
		}
	}
}
