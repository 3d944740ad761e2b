package convert_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/eventtest"
)

func TestPathNamesTheSource(t *testing.T) {
	for target, want := range map[string]string{
		"/events/order":                                    "order",
		"/events/Order-1_b":                                "Order-1_b",
		"/events/events":                                   "events",
		"/events/order?source=other":                       "order",
		"http://host/events/order":                         "order",
		"/events/" + strings.Repeat("a", decode.MaxName):   strings.Repeat("a", decode.MaxName),
		"/events/" + strings.Repeat("a", decode.MaxName+1): "event1",
		"/":                                "event1",
		"/events":                          "event1",
		"/events/":                         "event1",
		"/events/order/":                   "event1",
		"/events/order/more":               "event1",
		"/events//order":                   "event1",
		"//events/order":                   "event1",
		"/events/../events/order":          "event1",
		"/Events/order":                    "event1",
		"/more/events/order":               "event1",
		"/eventsorder":                     "event1",
		"/events/1order":                   "event1",
		"/events/-order":                   "event1",
		"/events/or.der":                   "event1",
		"/events/or%64er":                  "event1", // decoded it would be order
		"/event%73/order":                  "event1",
		"/events%2Forder":                  "event1",
		"/events/order%2Fmore":             "event1",
		"/events/order%00":                 "event1",
		"/events/order%0A":                 "event1",
		"/events/ord%C3%A9":                "event1",
		"/events/ordé":                     "event1",
		"/events/order;v=1":                "event1",
		"/projects/p/topics/t":             "event1",
		"/events/projects/p/topics/orders": "event1",
	} {
		if got := convertRequest(t, convert.CloudEventToInput, to(t, target, eventtest.Binary(`{}`))).Source; got != want {
			t.Errorf("%.100s: source %.100q, want %.100q", target, got, want)
		}
	}
}

// The path names the source, whatever form the event has and whatever the event says.
func TestPathPrevails(t *testing.T) {
	aliased, err := decode.New(decode.SourceAliases(map[string][]string{"event1": {"topic-1", "bucket-1"}, "event2": nil}))
	if err != nil {
		t.Fatal(err)
	}
	structured := `{"specversion":"1.0","id":"1","source":"event1","type":"t","key":"k","data":1}`
	push := func(attributes, topic string) []byte {
		return fmt.Appendf(nil, `{"message":{"messageId":"1","data":"MQ==","attributes":{"key":"k"%s}},"subscription":"projects/p/subscriptions/s"}`, attributes)
	}
	wrapped := `,"ce-specversion":"1.0","ce-id":"1","ce-source":"event1","ce-type":"t"`
	for name, r := range map[string]*http.Request{
		"binary":     eventtest.Binary(`{}`),
		"aliased":    eventtest.Binary(`{}`, "Ce-Source", "//pubsub.googleapis.com/projects/p/topics/topic-1"),
		"structured": eventtest.Request([]byte(structured), "Content-Type", "application/cloudevents+json"),
		"push":       eventtest.Request(push("", ""), "Content-Type", "application/json"),
		"wrapped":    eventtest.Request(push(wrapped, ""), "Content-Type", "application/json"),
		"bucket": eventtest.Request([]byte(`{"bucket":"bucket-1","name":"k"}`), "Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Key", "k", "Content-Type", "application/json",
			"Ce-Source", "//storage.googleapis.com/projects/_/buckets/bucket-1", "Ce-Type", "google.cloud.storage.object.v1.finalized"),
	} {
		for _, in := range []convert.InputConverter{aliased.Message, convert.CloudEventToInput} {
			body := readAll(t, r.Body)
			r.Body = http.NoBody
			again := r.Clone(t.Context())
			r.Body, again.Body = readCloser(body), readCloser(body)
			if got := convertRequest(t, in, to(t, "/events/event2", again)).Source; got != "event2" {
				t.Errorf("%s: source %q, want that of the path", name, got)
			}
		}
	}
}

// A message that a push subscription delivers to a source's path is the one that a trigger would have delivered there.
func TestPushIsWhatATriggerDelivers(t *testing.T) {
	const published = "2021-02-05T04:06:14.123Z"
	body := `{"message":{"data":"eyJhIjoxfQ==","attributes":{"key":"k","x":"y"},"messageId":"7","message_id":"7","orderingKey":"o",` +
		`"publishTime":"` + published + `","publish_time":"` + published + `"},"subscription":"projects/p/subscriptions/s"}`
	triggered := convertRequest(t, convert.CloudEventToInput, to(t, "/events/order", eventtest.Binary(body, "Ce-Type", eventtest.PubSubType,
		"Ce-Source", "//pubsub.googleapis.com/projects/p/topics/t", "Ce-Id", "7", "Ce-Time", published, "Ce-Key", "")))
	pushed := convertRequest(t, convert.CloudEventToInput, to(t, "/events/order", eventtest.Request([]byte(body), "Content-Type", "application/json")))
	if pushed.Attributes["ce-source"] = triggered.Attributes["ce-source"]; !reflect.DeepEqual(pushed, triggered) {
		t.Errorf("pushed %+v\nwant %+v", pushed, triggered)
	}
	if pushed.ID != "7" || pushed.Key != "k" || pushed.Source != "order" || string(pushed.Content) != `{"a":1}` {
		t.Errorf("pushed %+v", pushed)
	}
}

// There is a warning if an event names another of the sources than its path.
func TestPathThatContradictsTheEventIsLogged(t *testing.T) {
	in, err := decode.New(decode.SourceAliases(map[string][]string{"event1": {"topic-1"}, "event2": {"topic-2"}}))
	if err != nil {
		t.Fatal(err)
	}
	const topic = "//pubsub.googleapis.com/projects/p/topics/"
	wrapped := func(inner, outer string) *http.Request {
		body := fmt.Sprintf(`{"message":{"messageId":"m","data":"MQ==","attributes":{"ce-specversion":"1.0","ce-id":"i","ce-key":"k","ce-type":"t","ce-source":%q}}}`, inner)
		return eventtest.Binary(body, "Ce-Type", "google.cloud.pubsub.topic.v1.messagePublished", "Ce-Source", topic+outer)
	}
	for name, c := range map[string]struct {
		request *http.Request
		other   string // empty: nothing is logged
	}{
		"the same name":          {eventtest.Binary(`{}`, "Ce-Source", "event2"), ""},
		"the same by its alias":  {eventtest.Binary(`{}`, "Ce-Source", topic+"topic-2"), ""},
		"nobody's name":          {eventtest.Binary(`{}`, "Ce-Source", "/shop"), ""},
		"another":                {eventtest.Binary(`{}`, "Ce-Source", "event1"), "event1"},
		"another by its alias":   {eventtest.Binary(`{}`, "Ce-Source", topic+"topic-1"), "event1"},
		"wrapped, another":       {wrapped("event1", "topic-2"), "event1"},
		"wrapped, the same":      {wrapped("event2", "topic-1"), ""},
		"wrapped, another topic": {wrapped("/shop", "topic-1"), "event1"},
	} {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		handler := convert.ToHTTPHandler(in.Message, failing(func(m driver.Message) error {
			if m.Source != "event2" {
				t.Errorf("%s: source %q, want that of the path", name, m.Source)
			}
			return nil
		}), convert.Logger(logger))
		if w := serve(handler, to(t, "/events/event2", c.request)); w.Code != http.StatusNoContent {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if got := strings.Contains(log.String(), "level=WARN") && strings.Contains(log.String(), "source=event2 other="+c.other); got != (c.other != "") {
			t.Errorf("%s: logged %q; want a warning that names %q", name, log.String(), c.other)
		}
	}
}
