package decode_test

import (
	"net/http"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/eventtest"
)

// The names of topics and subscriptions may have a %, and any two characters behind it.
func TestRawPushOfANameWithPercent(t *testing.T) {
	aliases := decoder(t, decode.SourceAliases(map[string][]string{"event1": {"a%b", "a%20b"}}))
	for path, subscription := range map[string]string{
		"/": "projects/p/subscriptions/a%b", "/events/x": "projects/p/subscriptions/a%20b",
		"/projects/p/topics/a%b": "projects/p/subscriptions/s",
	} {
		body := `{"message": {"messageId": "1", "orderingKey": "k"}, "subscription": "` + subscription + `"}`
		r := eventtest.Request([]byte(body), "Content-Type", "application/json")
		r.URL.Path = path
		if m := message(t, aliases, r); m.Source != "event1" {
			t.Errorf("%s, %s: source %q", path, subscription, m.Source)
		}
	}
}

func TestRawPush(t *testing.T) {
	for path, source := range map[string]string{
		"/":                                       "s1",
		"/projects/p/topics/event1":               "event1",
		"/hooks/projects/p/topics/event1/x":       "event1",
		"/projects/p/topics/":                     "s1",
		"/?token=projects/p/topics/event1":        "s1",
		"/x/projects//topics/a/projects/p/topics": "s1",
	} {
		r := eventtest.Request([]byte(eventtest.PushBody), "Content-Type", "application/json; charset=utf-8")
		r.URL.Path = path
		m := message(t, zero, r)
		if m.Source != source || m.ID != "m1" || m.Key != "o1" || string(m.Content) != "x" {
			t.Errorf("%s: %+v, want source %q", path, m, source)
		}
		for name, want := range map[string]string{
			"region": "eu", "pubsub-delivery-attempt": "5", "pubsub-ordering-key": "o1",
			"pubsub-subscription": "projects/p/subscriptions/s1", "pubsub-message-id": "m1", "ce-type": eventtest.PubSubType,
		} {
			if m.Attributes[name] != want {
				t.Errorf("attribute %s is %q, want %q", name, m.Attributes[name], want)
			}
		}
		if m.Time.Year() != 2021 {
			t.Errorf("time %v, want that of publication", m.Time)
		}
	}
}

func TestPushWithoutWrapper(t *testing.T) {
	r := eventtest.Binary(`{"a":1}`, "X-Goog-Pubsub-Delivery-Attempt", "4", "X-Goog-Pubsub-Message-Id", "m1", "Ce-Not_A-Name", "x")
	m := message(t, zero, r)
	if m.ID != "id-1" || m.Source != "event1" || string(m.Content) != `{"a":1}` {
		t.Errorf("%+v", m)
	}
	if n := decode.Attempt(r.Header, m.Attributes); n != 4 {
		t.Errorf("attempt %d, want that of the header", n)
	}
}

func TestUndecodable(t *testing.T) {
	structured := func(body string) *http.Request {
		return eventtest.Request([]byte(body), "Content-Type", "application/cloudevents+json")
	}
	without := func(name string) *http.Request {
		r := eventtest.Binary(`{}`)
		r.Header.Del(name)
		return r
	}
	plain := func(contentType, body string) *http.Request {
		return eventtest.Request([]byte(body), "Content-Type", contentType)
	}
	typed := func(eventType, contentType, body string) *http.Request {
		return eventtest.Binary(body, "Ce-Type", eventType, "Content-Type", contentType)
	}
	const json = "application/json"
	for name, c := range map[string]struct {
		r     *http.Request
		names string // what the error must name
	}{
		"no id":                    {without("Ce-Id"), "ce-id"},
		"no source":                {without("Ce-Source"), "ce-source"},
		"no type":                  {without("Ce-Type"), "ce-type"},
		"no specversion":           {without("Ce-Specversion"), "ce-specversion"},
		"blank id":                 {eventtest.Binary(`{}`, "Ce-Id", " "), "ce-id"},
		"bad specversion":          {eventtest.Binary(`{}`, "Ce-Specversion", "2.0"), "ce-specversion"},
		"bad source":               {eventtest.Binary(`{}`, "Ce-Source", "%zz"), "ce-source"},
		"malformed JSON":           {eventtest.Binary(`{"a": ` + eventtest.Secret), "malformed JSON at byte 7"},
		"two JSON values":          {eventtest.Binary(`{} "` + eventtest.Secret + `"`), "malformed JSON"},
		"batch":                    {plain("application/cloudevents-batch+json", `[]`), "batches"},
		"XML":                      {plain("application/cloudevents+xml", `<a/>`), "application/cloudevents+xml"},
		"structured, empty":        {structured(``), "empty"},
		"structured, malformed":    {structured(`{"id": ` + eventtest.Secret), "malformed JSON"},
		"structured, array":        {structured(`[]`), "object"},
		"structured, null":         {structured(`null`), "object"},
		"structured, no id":        {structured(`{"specversion":"1.0","source":"s","type":"t"}`), "id"},
		"structured, no version":   {structured(`{"id":"1","source":"s","type":"t"}`), "specversion"},
		"structured, id a number":  {structured(`{"specversion":"1.0","id":1,"source":"s","type":"t"}`), `"id"`},
		"structured, key an array": {structured(`{"specversion":"1.0","id":"1","source":"s","type":"t","key":["` + eventtest.Secret + `"]}`), `"key"`},
		"structured, data twice":   {structured(`{"specversion":"1.0","id":"1","source":"s","type":"t","data":1,"data_base64":"AA=="}`), "data_base64"},
		"structured, not base64":   {structured(`{"specversion":"1.0","id":"1","source":"s","type":"t","key":"k","data_base64":"AA="}`), "data_base64"},
		"structured, base64 of 1":  {structured(`{"data_base64":1,"specversion":"1.0","id":"1","source":"s","type":"t","key":"k"}`), "data_base64"},
		"structured, text object": {structured(`{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"text/plain","data":{}}`),
			`"data"`},
		"no event":                {plain("text/plain", eventtest.Secret), "text/plain"},
		"no event, no body":       {plain(json, ``), "neither ce- headers nor a body"},
		"no event, JSON":          {plain(json, `{"a": "`+eventtest.Secret+`"}`), `"message"`},
		"push, malformed":         {plain(json, `{"message": {`), "malformed JSON"},
		"push, no messageId":      {plain(json, `{"message": {}, "subscription": "s"}`), "message.messageId"},
		"push, no subscription":   {plain(json, `{"message": {"messageId": "1"}}`), `"subscription"`},
		"push, truncated base64":  {plain(json, `{"message": {"messageId": "1", "data": "UzNDUjN"}, "subscription": "s"}`), "message.data"},
		"push, half a surrogate":  {plain(json, `{"message": {"messageId": "1", "attributes": {"key": "\ud801"}}, "subscription": "s"}`), "Unicode"},
		"push, not UTF-8":         {plain(json, `{"message": {"messageId": "1", "attributes": {"key": "`+"\xf9"+`"}}, "subscription": "s"}`), "Unicode"},
		"structured, bad key":     {structured(`{"specversion":"1.0","id":"1","source":"s","type":"t","key":"\ud801"}`), `"key"`},
		"push, data an object":    {plain(json, `{"message": {"data": {}}}`), "message.data"},
		"push, attribute a list":  {plain(json, `{"message": {"attributes": {"a": []}}}`), `"message.attributes", at byte 34, must be a string`},
		"push, attributes a list": {plain(json, `{"message": {"attributes": []}}`), `"message.attributes", at byte 28, must be an object`},
		"push, a text":            {plain(json, `{"message": "`+eventtest.Secret+`"}`), `{"data": "..."}}: field "message", at byte 20, must be an object`},
		"push, huge delivery":     {plain(json, `{"deliveryAttempt": 1e400}`), `"deliveryAttempt", at byte 25, must be a whole number`},
		"Pub/Sub, empty":          {typed(eventtest.PubSubType, json, ``), "empty"},
		"Pub/Sub, protobuf":       {typed(eventtest.PubSubType, "application/protobuf", `x`), "application/protobuf"},
		"Pub/Sub, no message":     {typed(eventtest.PubSubType, json, `{}`), `"message"`},
		"wrapped, no id":          {eventtest.Request(eventtest.Push(`{"ce-specversion": "1.0", "ce-type": "t", "ce-source": "s"}`, "x"), "Content-Type", json), "ce-id"},
		"wrapped, malformed":      {eventtest.Request(eventtest.Push(`{"content-type": "application/cloudevents+json"}`, "{"+eventtest.Secret), "Content-Type", json), "malformed JSON"},
		"wrapped, batch":          {eventtest.Request(eventtest.Push(`{"content-type": "application/cloudevents-batch+json"}`, "[]"), "Content-Type", json), "batches"},
		"storage, empty":          {typed(eventtest.StorageType, json, ``), "empty"},
		"storage, malformed":      {typed(eventtest.StorageType, json, `{"bucket": "`+eventtest.Secret), "malformed JSON"},
		"storage, wrong field":    {typed(eventtest.StorageType, json, `{"bucket": ["`+eventtest.Secret+`"]}`), "StorageObjectData (line 1:12)"},
		"storage, text":           {typed(eventtest.StorageType, "text/plain", `{}`), "text/plain"},
		"storage, array":          {typed(eventtest.StorageType, json, `["`+eventtest.Secret+`"]`), "StorageObjectData"},
		"Firestore, garbage":      {typed(eventtest.FirestoreType, "application/protobuf", "\xff\xff"+eventtest.Secret), "DocumentEventData"},
		"Firestore, other":        {typed(eventtest.FirestoreType, "application/protobuf", "\x7a\x01x"), "none of the fields"},
		"audit log, wrong field":  {typed(eventtest.AuditType, json, `{"protoPayload": "`+eventtest.Secret+`"}`), "LogEntryData"},
		"audit log, empty":        {typed(eventtest.AuditType, json, ``), "empty"},
		"audit log, no payload":   {typed(eventtest.AuditType, json, `{"insertId": "`+eventtest.Secret+`"}`), "protoPayload"},
		"audit log, protobuf":     {typed(eventtest.AuditType, "application/protobuf", "x"), "set the trigger's event data content type"},
		"audit log, octet-stream": {typed(eventtest.AuditType, "application/octet-stream", `{}`), "application/octet-stream"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rejection(t, c.r)
			if driver.ReasonOf(err) != driver.ReasonUndecodable || !strings.Contains(err.Error(), c.names) {
				t.Errorf("%s: %v; want undecodable, naming %s", driver.ReasonOf(err), err, c.names)
			}
			if strings.Contains(err.Error(), eventtest.Secret) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error tells of the payload, or has several lines: %q", err)
			}
		})
	}
}

func TestExtensionsInStructuredMode(t *testing.T) {
	r := eventtest.Request([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","key":42,"big":9007199254740993,"f":1.50,
		"flag":true,"none":null,"not a name":"x","":"y","time":null,"data_base64":"AQI=","datacontenttype":"image/png"}`),
		"Content-Type", "application/cloudevents+json")
	m := message(t, zero, r)
	if m.Key != "42" || m.Attributes["ce-big"] != "9007199254740993" || m.Attributes["ce-f"] != "1.50" || m.Attributes["ce-flag"] != "true" {
		t.Errorf("%+v", m)
	}
	if string(m.Content) != "\x01\x02" {
		t.Errorf("content %q", m.Content)
	}
	r = eventtest.Request([]byte(`{"datacontentencoding":"base64","data":"AQI=","specversion":"0.3","id":"1","source":"s","type":"t","subject":"k"}`),
		"Content-Type", "application/cloudevents+json")
	if m := message(t, zero, r); string(m.Content) != "\x01\x02" || m.Key != "k" {
		t.Errorf("version 0.3: %+v", m)
	}
}
