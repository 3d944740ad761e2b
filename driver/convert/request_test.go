package convert_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/googleapis/google-cloudevents-go/cloud/firestoredata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
)

const pushBody = `{"message": {"data": "eA==", "messageId": "m1", "publishTime": "2021-02-05T04:06:14Z", "orderingKey": "o1",
	"attributes": {"region": "eu"}}, "subscription": "projects/p/subscriptions/s1", "deliveryAttempt": 5}`

func TestRawPush(t *testing.T) {
	for path, source := range map[string]string{
		"/":                                       "s1",
		"/projects/p/topics/event1":               "event1",
		"/hooks/projects/p/topics/event1/x":       "event1",
		"/projects/p/topics/":                     "s1",
		"/?token=projects/p/topics/event1":        "s1",
		"/x/projects//topics/a/projects/p/topics": "s1",
	} {
		r := request([]byte(pushBody), "Content-Type", "application/json; charset=utf-8")
		r.URL.Path = path
		m := convertRequest(t, convert.CloudEventToInput, r)
		if m.Source != source || m.ID != "m1" || m.Key != "o1" || string(m.Content) != "x" {
			t.Errorf("%s: %+v, want source %q", path, m, source)
		}
		for name, want := range map[string]string{
			"region": "eu", "pubsub-delivery-attempt": "5", "pubsub-ordering-key": "o1",
			"pubsub-subscription": "projects/p/subscriptions/s1", "pubsub-message-id": "m1", "ce-type": pubsubType,
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
	r := binary(`{"a":1}`, "X-Goog-Pubsub-Delivery-Attempt", "4", "X-Goog-Pubsub-Message-Id", "m1", "Ce-Not_A-Name", "x")
	m := convertRequest(t, convert.CloudEventToInput, r)
	if m.ID != "id-1" || m.Source != "event1" || string(m.Content) != `{"a":1}` {
		t.Errorf("%+v", m)
	}
	r = binary(`{"a":`, "X-Goog-Pubsub-Delivery-Attempt", "4")
	if d := deadLetter(t, r); d.Attempt != 4 {
		t.Errorf("attempt %d, want 4", d.Attempt)
	}
}

// wrapped returns a push of a message with the attributes and data.
func wrapped(attributes, data string) []byte {
	return []byte(`{"message": {"messageId": "m1", "publishTime": "2021-02-05T04:06:14Z", "attributes": ` + attributes + `,
		"data": "` + base64.StdEncoding.EncodeToString([]byte(data)) + `"}, "subscription": "projects/p/subscriptions/s"}`)
}

func TestWrappedEvents(t *testing.T) {
	const structured = `{"specversion": "1.0", "id": "inner", "source": "/inner", "type": "com.example", "key": 9007199254740993,
		"datacontenttype": "application/json", "data": { "n": 9007199254740993 }}`
	const attributes = `{"ce-specversion": "1.0", "ce-id": "inner", "ce-source": "/inner", "ce-type": "com.example",
		"ce-key": "9007199254740993", "coNtent-Type": "application/json", "region": "eu"}`
	for name, body := range map[string][]byte{
		"binary":     wrapped(attributes, `{ "n": 9007199254740993 }`),
		"structured": wrapped(`{"CONTENT-type": "application/CloudEvents+json; charset=utf-8", "region": "eu"}`, structured),
		"twice": wrapped(`{"ce-specversion": "1.0", "ce-id": "middle", "ce-source": "`+pubsubSource+`", "ce-type": "`+pubsubType+`"}`,
			string(wrapped(attributes, `{ "n": 9007199254740993 }`))),
	} {
		t.Run(name, func(t *testing.T) {
			r := request(body, "Content-Type", "application/json")
			r.URL.Path = "/projects/p/topics/event1"
			m := convertRequest(t, convert.CloudEventToInput, r)
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

func TestSourceOfWrappedEvents(t *testing.T) {
	body := wrapped(`{"ce-specversion": "1.0", "ce-id": "i", "ce-source": "/shop", "ce-type": "t", "ce-key": "k"}`, "x")
	for _, c := range []struct {
		aliases map[string][]string
		want    string
	}{
		{nil, "/shop"},
		{map[string][]string{"event1": nil, "event2": nil}, "event1"},                     // topics by name
		{map[string][]string{"created": {"event1"}}, "created"},                           // a topic's alias
		{map[string][]string{"created": {pubsubSource}}, "created"},                       // in full
		{map[string][]string{"created": {"event1"}, "from-shop": {"/shop"}}, "from-shop"}, // the inner source goes first
		{map[string][]string{"event2": nil}, "/shop"},
	} {
		r := request(body, "Content-Type", "application/json")
		r.URL.Path = "/projects/p/topics/event1"
		if m := convertRequest(t, input(t, convert.SourceAliases(c.aliases)), r); m.Source != c.want {
			t.Errorf("%v: source %q, want %q", c.aliases, m.Source, c.want)
		}
	}
}

func TestProtobuf(t *testing.T) {
	document := &firestoredata.DocumentEventData{}
	if err := protojson.Unmarshal(sample(t, "firestore/DocumentEventData-complex.json"), document); err != nil {
		t.Fatal(err)
	}
	body, err := proto.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	r := func() *http.Request {
		return binary(string(body), "Ce-Type", firestoreType, "Content-Type", "application/protobuf")
	}
	m := convertRequest(t, input(t, convert.KeyPointer("/value/fields/intValue/integerValue")), r())
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

// An audit log carries types of services that this program knows nothing of.
func TestUnknownAny(t *testing.T) {
	body := `{"protoPayload": {"status": {"code": 7, "details": [{"@type": "type.googleapis.com/no.such.Type", "a": {"b": [1]}}]}}}`
	m := convertRequest(t, convert.CloudEventToInput, binary(body, "Ce-Type", auditType))
	if string(m.Content) != body {
		t.Errorf("content %s", m.Content)
	}
}

func TestExtensionsInStructuredMode(t *testing.T) {
	r := request([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","key":42,"big":9007199254740993,"f":1.50,
		"flag":true,"none":null,"not a name":"x","":"y","time":null,"data_base64":"AQI=","datacontenttype":"image/png"}`),
		"Content-Type", "application/cloudevents+json")
	m := convertRequest(t, convert.CloudEventToInput, r)
	if m.Key != "42" || m.Attributes["ce-big"] != "9007199254740993" || m.Attributes["ce-f"] != "1.50" || m.Attributes["ce-flag"] != "true" {
		t.Errorf("%+v", m)
	}
	if string(m.Content) != "\x01\x02" {
		t.Errorf("content %q", m.Content)
	}
	r = request([]byte(`{"datacontentencoding":"base64","data":"AQI=","specversion":"0.3","id":"1","source":"s","type":"t","subject":"k"}`),
		"Content-Type", "application/cloudevents+json")
	if m := convertRequest(t, convert.CloudEventToInput, r); string(m.Content) != "\x01\x02" || m.Key != "k" {
		t.Errorf("version 0.3: %+v", m)
	}
}

// secret stands for payload, which must not get into an error.
const secret = "S3CR3T"

func TestUndecodable(t *testing.T) {
	structured := func(body string) *http.Request {
		return request([]byte(body), "Content-Type", "application/cloudevents+json")
	}
	without := func(name string) *http.Request {
		r := binary(`{}`)
		r.Header.Del(name)
		return r
	}
	plain := func(contentType, body string) *http.Request {
		return request([]byte(body), "Content-Type", contentType)
	}
	typed := func(eventType, contentType, body string) *http.Request {
		return binary(body, "Ce-Type", eventType, "Content-Type", contentType)
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
		"blank id":                 {binary(`{}`, "Ce-Id", " "), "ce-id"},
		"bad specversion":          {binary(`{}`, "Ce-Specversion", "2.0"), "ce-specversion"},
		"bad source":               {binary(`{}`, "Ce-Source", "%zz"), "ce-source"},
		"malformed JSON":           {binary(`{"a": ` + secret), "malformed JSON at byte 7"},
		"two JSON values":          {binary(`{} "` + secret + `"`), "malformed JSON"},
		"batch":                    {plain("application/cloudevents-batch+json", `[]`), "batches"},
		"XML":                      {plain("application/cloudevents+xml", `<a/>`), "application/cloudevents+xml"},
		"structured, empty":        {structured(``), "empty"},
		"structured, malformed":    {structured(`{"id": ` + secret), "malformed JSON"},
		"structured, array":        {structured(`[]`), "object"},
		"structured, null":         {structured(`null`), "object"},
		"structured, no id":        {structured(`{"specversion":"1.0","source":"s","type":"t"}`), "id"},
		"structured, no version":   {structured(`{"id":"1","source":"s","type":"t"}`), "specversion"},
		"structured, id a number":  {structured(`{"specversion":"1.0","id":1,"source":"s","type":"t"}`), `"id"`},
		"structured, key an array": {structured(`{"specversion":"1.0","id":"1","source":"s","type":"t","key":["` + secret + `"]}`), `"key"`},
		"structured, data twice":   {structured(`{"specversion":"1.0","id":"1","source":"s","type":"t","data":1,"data_base64":"AA=="}`), "data_base64"},
		"structured, not base64":   {structured(`{"specversion":"1.0","id":"1","source":"s","type":"t","key":"k","data_base64":"AA="}`), "data_base64"},
		"structured, base64 of 1":  {structured(`{"data_base64":1,"specversion":"1.0","id":"1","source":"s","type":"t","key":"k"}`), "data_base64"},
		"structured, text object": {structured(`{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"text/plain","data":{}}`),
			`"data"`},
		"no event":                {plain("text/plain", secret), "text/plain"},
		"no event, no body":       {plain(json, ``), "neither ce- headers nor a body"},
		"no event, JSON":          {plain(json, `{"a": "`+secret+`"}`), `"message"`},
		"push, malformed":         {plain(json, `{"message": {`), "malformed JSON"},
		"push, no messageId":      {plain(json, `{"message": {}, "subscription": "s"}`), "message.messageId"},
		"push, no subscription":   {plain(json, `{"message": {"messageId": "1"}}`), `"subscription"`},
		"push, truncated base64":  {plain(json, `{"message": {"messageId": "1", "data": "UzNDUjN"}, "subscription": "s"}`), "message.data"},
		"push, half a surrogate":  {plain(json, `{"message": {"messageId": "1", "attributes": {"key": "\ud801"}}, "subscription": "s"}`), "Unicode"},
		"push, not UTF-8":         {plain(json, `{"message": {"messageId": "1", "attributes": {"key": "`+"\xf9"+`"}}, "subscription": "s"}`), "Unicode"},
		"structured, bad key":     {structured(`{"specversion":"1.0","id":"1","source":"s","type":"t","key":"\ud801"}`), `"key"`},
		"push, data an object":    {plain(json, `{"message": {"data": {}}}`), "message.data"},
		"push, attribute a list":  {plain(json, `{"message": {"attributes": {"a": []}}}`), "message.attributes"},
		"Pub/Sub, empty":          {typed(pubsubType, json, ``), "empty"},
		"Pub/Sub, protobuf":       {typed(pubsubType, "application/protobuf", `x`), "application/protobuf"},
		"Pub/Sub, no message":     {typed(pubsubType, json, `{}`), `"message"`},
		"wrapped, no id":          {request(wrapped(`{"ce-specversion": "1.0", "ce-type": "t", "ce-source": "s"}`, "x"), "Content-Type", json), "ce-id"},
		"wrapped, malformed":      {request(wrapped(`{"content-type": "application/cloudevents+json"}`, "{"+secret), "Content-Type", json), "malformed JSON"},
		"wrapped, batch":          {request(wrapped(`{"content-type": "application/cloudevents-batch+json"}`, "[]"), "Content-Type", json), "batches"},
		"storage, empty":          {typed(storageType, json, ``), "empty"},
		"storage, malformed":      {typed(storageType, json, `{"bucket": "`+secret), "malformed JSON"},
		"storage, wrong field":    {typed(storageType, json, `{"bucket": ["`+secret+`"]}`), "StorageObjectData (line 1:12)"},
		"storage, text":           {typed(storageType, "text/plain", `{}`), "text/plain"},
		"storage, array":          {typed(storageType, json, `["`+secret+`"]`), "StorageObjectData"},
		"Firestore, garbage":      {typed(firestoreType, "application/protobuf", "\xff\xff"+secret), "DocumentEventData"},
		"Firestore, other":        {typed(firestoreType, "application/protobuf", "\x7a\x01x"), "none of the fields"},
		"audit log, wrong field":  {typed(auditType, json, `{"protoPayload": "`+secret+`"}`), "LogEntryData"},
		"audit log, empty":        {typed(auditType, json, ``), "empty"},
		"audit log, no payload":   {typed(auditType, json, `{"insertId": "`+secret+`"}`), "protoPayload"},
		"audit log, protobuf":     {typed(auditType, "application/protobuf", "x"), "set the trigger's event data content type"},
		"audit log, octet-stream": {typed(auditType, "application/octet-stream", `{}`), "application/octet-stream"},
	} {
		t.Run(name, func(t *testing.T) {
			d := deadLetter(t, c.r)
			if d.Reason != driver.ReasonUndecodable || !strings.Contains(d.Error, c.names) {
				t.Errorf("%s: %s; want undecodable, naming %s", d.Reason, d.Error, c.names)
			}
			if strings.Contains(d.Error, secret) || strings.Contains(d.Error, "\n") {
				t.Errorf("the error tells of the payload, or has several lines: %q", d.Error)
			}
		})
	}
}

func TestNestedTooDeep(t *testing.T) {
	body := "x"
	for range 5 {
		body = string(wrapped(`{"ce-specversion": "1.0", "ce-id": "i", "ce-source": "s", "ce-type": "`+pubsubType+`"}`, body))
	}
	if d := deadLetter(t, request([]byte(body), "Content-Type", "application/json")); !strings.Contains(d.Error, "deep") {
		t.Error(d.Error)
	}
	hostile := strings.Repeat("[", 1<<20)
	if d := deadLetter(t, binary(hostile)); d.Reason != driver.ReasonUndecodable {
		t.Error(d.Reason)
	}
}
