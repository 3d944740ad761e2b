package convert_test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/event"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/stores/memstore"
)

// outcome sends a request and returns the message that came of it, or the letter.
func outcome(t *testing.T, r *http.Request) (m *driver.Message, d *driver.DeadLetter) {
	t.Helper()
	store := memstore.New()
	pipeline := failing(func(got driver.Message) error { m = &got; return nil })
	w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, pipeline, convert.DeadLetters(store), quiet), r)
	if letters := store.DeadLetters(); len(letters) == 1 {
		d = &letters[0]
	}
	if (m == nil) == (d == nil) || w.Code/100 != 2 {
		t.Fatalf("%d %s: message %v, letter %v", w.Code, w.Body, m, d)
	}
	if m != nil && (m.Valid() != nil || len(m.ID) > convert.MaxName || len(m.Key) > convert.MaxName || len(m.Source) > convert.MaxName ||
		!utf8.ValidString(m.ID+"|"+m.Key+"|"+m.Source)) {
		t.Errorf("accepted %+v", m)
	}
	return m, d
}

// What is accepted has the ID, the type, the key and the data that the request says.
func FuzzBinary(f *testing.F) {
	f.Add("1.0", "id", "/source", "com.example", "k", "2018-04-05T03:56:24Z", "application/json; charset=utf-8", "x", "1", []byte(`{"a":1}`))
	f.Add("0.3", "id", "//h/s#t", "dev.knative.kafka.event", "€", "", "", "datacontenttype", "text/plain", []byte{0xff})
	f.Add("1.0", " ", "%zz", "", "%2F", "0001-01-01T00:00:00Z", "a/b/c", "Key", "\xff", []byte(nil))
	f.Fuzz(func(t *testing.T, version, id, source, eventType, key, at, contentType, name, value string, body []byte) {
		r := request(body)
		header := map[string]string{"Ce-Specversion": version, "Ce-Id": id, "Ce-Source": source, "Ce-Type": eventType, "Ce-Key": key,
			"Ce-Time": at, "Content-Type": contentType}
		for name, value := range header {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		name = textproto.CanonicalMIMEHeaderKey("Ce-" + name)
		if _, taken := header[name]; !taken {
			r.Header.Set(name, value)
		}
		m, _ := outcome(t, r)
		if m == nil || m.Attributes["pubsub-message-id"] != "" || strings.Contains(strings.ToLower(contentType), "cloudevents") {
			return
		}
		if m.ID != decoded(id) || m.Attributes["ce-type"] != decoded(eventType) {
			t.Errorf("%+v of %v", m, r.Header)
		}
		if want, err := convert.DecodeHeader("key", key); err != nil || key != "" && want != "" && m.Key != want {
			t.Errorf("%+v of %v: %v", m, r.Header, err)
		}
		if !strings.HasPrefix(m.Attributes["ce-type"], "google.") && !bytes.Equal(m.Content, bytes.TrimPrefix(body, []byte("\ufeff"))) && !bytes.Equal(m.Content, body) {
			t.Errorf("content %q of %q", m.Content, body)
		}
	})
}

// decoded returns what a header says, without white space around it.
func decoded(header string) string {
	text, err := convert.DecodeHeader("key", header)
	if err != nil {
		return "not UTF-8"
	}
	return strings.TrimSpace(text)
}

// A structured event that is accepted is a JSON object with these members; other
// formats, and batches, are refused.
func FuzzStructured(f *testing.F) {
	for _, body := range samples(f, "structured") {
		f.Add("", body)
	}
	f.Add("", []byte(cloudEvent(`,"data":{"a":1},"x":1.5e3,"y":true,"z":null`)))
	f.Add("", []byte(cloudEvent(`,"data_base64":"AP8=","datacontenttype":"image/png"`)))
	f.Add("", []byte(`{"specversion":"0.3","id":"1","source":"s","type":"t","subject":"k","datacontentencoding":"base64","data":"AQI="}`))
	f.Add("-batch", []byte(`[`+cloudEvent(``)+`]`))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		m, d := outcome(t, request(body, "Content-Type", "application/cloudevents"+kind+"+json"))
		if kind != "" && d == nil && !strings.Contains(kind, ";") {
			t.Fatalf("accepted as %q: %q", kind, body)
		}
		if m == nil {
			return
		}
		var event map[string]json.RawMessage
		if err := json.Unmarshal(body, &event); err != nil || !utf8.Valid(body) {
			t.Fatalf("accepted, but %v", err)
		}
		if bytes.Contains(event["type"], []byte("messagePublished")) || bytes.Contains(event["type"], []byte(`\`)) {
			return // a Pub/Sub message, whose content is in the data
		}
		for name, got := range map[string]string{"id": m.ID, "type": m.Attributes["ce-type"]} {
			var want string
			if err := json.Unmarshal(event[name], &want); err != nil || got != strings.TrimSpace(want) {
				t.Errorf("%s is %q, want %q, %v", name, got, want, err)
			}
		}
		if data := event["data"]; data != nil && !bytes.Equal(m.Content, data) && !escaped(data, m.Content) {
			t.Errorf("content %q of %s", m.Content, data)
		}
	})
}

// escaped says that content is what a JSON string holds, as text or in base64.
func escaped(data, content []byte) bool {
	var text string
	if json.Unmarshal(data, &text) != nil {
		return false
	}
	decoded, err := base64.StdEncoding.DecodeString(text)
	return text == string(content) || err == nil && bytes.Equal(decoded, content)
}

// An event inside of a Pub/Sub message is what it is outside of one.
func FuzzWrapped(f *testing.F) {
	f.Add("i", "s", "com.example", "k", "application/json", []byte(`{"a":1}`))
	f.Add("i", "/s", "t", "", "", []byte{0xff})
	f.Add("i", "s", "t", "k", "application/cloudevents+json", []byte(cloudEvent(``)))
	f.Fuzz(func(t *testing.T, id, source, eventType, key, contentType string, data []byte) {
		if !utf8.ValidString(strings.Join([]string{id, source, eventType, key, contentType}, "|")) {
			return // Pub/Sub has text only, and so has HTTP, but of another kind
		}
		attributes := map[string]string{"ce-specversion": "1.0", "ce-id": id, "ce-source": source, "ce-type": eventType}
		if strings.HasPrefix(source, `"`) {
			return // quoted, in HTTP
		}
		r := request(data, "Ce-Specversion", "1.0", "Ce-Id", convert.EncodeHeader("key", id), "Ce-Source", source, "Ce-Type", convert.EncodeHeader("key", eventType))
		if key != "" {
			attributes["ce-key"] = key
			r.Header.Set("Ce-Key", convert.EncodeHeader("key", key))
		}
		if contentType != "" {
			attributes["Content-Type"] = contentType
			r.Header.Set("Content-Type", contentType)
		}
		text, err := json.Marshal(attributes)
		if err != nil {
			t.Fatal(err)
		}
		inside, _ := outcome(t, request(wrapped(string(text), string(data)), "Content-Type", "application/json"))
		outside, _ := outcome(t, r)
		switch {
		case strings.TrimSpace(eventType) == pubsubType: // one more wrapping than is allowed may make a difference
		case (inside == nil) != (outside == nil):
			t.Errorf("inside %+v, outside %+v", inside, outside)
		case inside != nil && (inside.ID != outside.ID || inside.MediaType != outside.MediaType || inside.Key != outside.Key || inside.Source != outside.Source ||
			!bytes.Equal(inside.Content, outside.Content)):
			t.Errorf("inside %+v, outside %+v", inside, outside)
		}
	})
}

// An audit log that is accepted is a JSON object with a protoPayload, as it came.
func FuzzAuditLog(f *testing.F) {
	for _, body := range samples(f, "audit") {
		f.Add(body)
	}
	f.Add([]byte(`{"protoPayload":{},"protoPayload":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := checkMessage(t, auditType, "application/json", body)
		if err != nil {
			return
		}
		var entry map[string]any
		if err := json.Unmarshal(body, &entry); err != nil || !bytes.Equal(m.Content, body) {
			t.Errorf("content %q, %v", m.Content, err)
		}
	})
}

// The source of an event of Knative's Kafka source is what is behind the first #,
// or all of it; its key is the extension's.
func FuzzKafka(f *testing.F) {
	f.Add("/apis/v1/namespaces/n/kafkasources/s#topic", "k", []byte(`{"a":1}`))
	f.Add("#", "", []byte{0})
	f.Add("a#b#c", "\x00", []byte(nil))
	f.Fuzz(func(t *testing.T, source, key string, body []byte) {
		m, _ := outcome(t, request(body, "Ce-Specversion", "1.0", "Ce-Id", "partition:0/offset:1", "Ce-Type", "dev.knative.kafka.event",
			"Ce-Source", source, "Ce-Key", convert.EncodeHeader("key", key)))
		if m == nil {
			return
		}
		_, topic, _ := strings.Cut(m.Attributes["ce-source"], "#")
		if topic == "" {
			topic = m.Attributes["ce-source"]
		}
		if m.Source != topic || m.Key != key || !bytes.Equal(m.Content, body) {
			t.Errorf("%+v, want source %q, key %q", m, topic, key)
		}
	})
}

// The key is the first that is there, in the order of the documentation, or what is
// in the content where that is pointed to.
func FuzzKey(f *testing.F) {
	f.Add("c", "k", "p", "a", "o", "s")
	f.Add("", "", "", "", "o", "s")
	f.Add("", "", "p", "a", "", "")
	f.Fuzz(func(t *testing.T, content, extension, partition, attribute, ordering, subject string) {
		attributes := map[string]string{"ce-specversion": "1.0", "ce-id": "i", "ce-source": "s", "ce-type": "t"}
		want := ""
		for _, place := range []struct{ name, value string }{
			{"ce-key", extension}, {"ce-partitionkey", partition}, {"key", attribute}, {"", ordering}, {"ce-subject", strings.TrimSpace(subject)},
		} {
			if !utf8.ValidString(content+place.value) || max(len(content), len(place.value)) > convert.MaxName {
				return
			}
			if place.name != "" && place.value != "" {
				attributes[place.name] = place.value
			}
			want = cmp.Or(want, place.value)
		}
		data, _ := json.Marshal(map[string]string{"id": content})
		body, err := json.Marshal(map[string]any{"subscription": "s", "message": map[string]any{
			"messageId": "1", "data": data, "attributes": attributes, "orderingKey": ordering}})
		if err != nil {
			t.Fatal(err)
		}
		e := newEvent(t, pubsubType, pubsubSource, body)
		e.SetExtension("key", nil)
		e.SetSubject("")
		for in, want := range map[*convert.InputConverter]string{
			new(input(t, convert.KeyPointer("/id"))): content, new(input(t)): want,
		} {
			m, err := (*in)(t.Context(), e)
			if m.Key != want || (err == nil) != (want != "") {
				t.Errorf("key %q, %v; want %q", m.Key, err, want)
			}
		}
	})
}

// An event that a CloudEvent function sets aside is the same event again when its
// letter is sent as it is kept.
func FuzzLetterOfFunction(f *testing.F) {
	f.Add("id", "s", "com.example", "x", "1", "application/json", []byte(`{`))
	f.Add("id", "//h/p", pubsubType, "key", "k", "", []byte(pushBody))
	f.Fuzz(func(t *testing.T, id, source, eventType, name, value, contentType string, data []byte) {
		e := cloudevents.NewEvent()
		e.SetID(id)
		e.SetSource(source)
		e.SetType(eventType)
		e.SetExtension(name, value)
		if !event.IsExtensionNameValid(name) {
			return // no request could carry it
		}
		e.SetDataContentType(contentType)
		e.DataEncoded = data
		store := memstore.New()
		var got *driver.Message
		pipeline := failing(func(m driver.Message) error { got = &m; return nil })
		err := convert.ToCloudFunction(convert.CloudEventToInput, pipeline, convert.DeadLetters(store), quiet)(t.Context(), e)
		letters := store.DeadLetters()
		if err != nil || (got == nil) != (len(letters) == 1) {
			t.Fatalf("%v, message %+v, %d letters", err, got, len(letters))
		}
		if got != nil || strings.Contains(contentType, "cloudevents") {
			return // accepted, or another encoding by HTTP
		}
		r := request(letters[0].Body)
		r.Header = letters[0].Header
		if m, d := outcome(t, r); m != nil || d.Reason != letters[0].Reason || !bytes.Equal(d.Body, letters[0].Body) {
			t.Errorf("set aside as %s (%s), accepted as %+v, set aside again as %+v", letters[0].Reason, letters[0].Error, m, d)
		}
	})
}
