package decode_test

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

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/eventtest"
)

// The message of an accepted request has the ID, type, key and data of the request.
func FuzzBinary(f *testing.F) {
	f.Add("1.0", "id", "/source", "com.example", "k", "2018-04-05T03:56:24Z", "application/json; charset=utf-8", "x", "1", []byte(`{"a":1}`))
	f.Add("0.3", "id", "//h/s#t", "dev.knative.kafka.event", "€", "", "", "datacontenttype", "text/plain", []byte{0xff})
	f.Add("1.0", " ", "%zz", "", "%2F", "0001-01-01T00:00:00Z", "a/b/c", "Key", "\xff", []byte(nil))
	f.Fuzz(func(t *testing.T, version, id, source, eventType, key, at, contentType, name, value string, body []byte) {
		r := eventtest.Request(body)
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
		m := accepted(t, r)
		if m == nil || m.Attributes["pubsub-message-id"] != "" || strings.Contains(strings.ToLower(contentType), "cloudevents") {
			return
		}
		if m.ID != headerText(id) || m.Attributes["ce-type"] != headerText(eventType) {
			t.Errorf("%+v of %v", m, r.Header)
		}
		if want, err := decode.DecodeHeader("key", key); err != nil || key != "" && want != "" && m.Key != want {
			t.Errorf("%+v of %v: %v", m, r.Header, err)
		}
		if !strings.HasPrefix(m.Attributes["ce-type"], "google.") && !bytes.Equal(m.Content, bytes.TrimPrefix(body, []byte("\ufeff"))) && !bytes.Equal(m.Content, body) {
			t.Errorf("content %q of %q", m.Content, body)
		}
	})
}

// headerText returns what a header says, without white space around it.
func headerText(header string) string {
	text, err := decode.DecodeHeader("key", header)
	if err != nil {
		return "not UTF-8"
	}
	return strings.TrimSpace(text)
}

// A structured event that is accepted is a JSON object with these members; other
// formats, and batches, are refused.
func FuzzStructured(f *testing.F) {
	for _, body := range eventtest.Samples(f, "structured") {
		f.Add("", body)
	}
	f.Add("", []byte(eventtest.Structured(`,"data":{"a":1},"x":1.5e3,"y":true,"z":null`)))
	f.Add("", []byte(eventtest.Structured(`,"data_base64":"AP8=","datacontenttype":"image/png"`)))
	f.Add("", []byte(`{"specversion":"0.3","id":"1","source":"s","type":"t","subject":"k","datacontentencoding":"base64","data":"AQI="}`))
	f.Add("-batch", []byte(`[`+eventtest.Structured(``)+`]`))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		m := accepted(t, eventtest.Request(body, "Content-Type", "application/cloudevents"+kind+"+json"))
		if kind != "" && m != nil && !strings.Contains(kind, ";") {
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

// escaped says that content is the value of a JSON string, as text or in base64.
func escaped(data, content []byte) bool {
	var text string
	if json.Unmarshal(data, &text) != nil {
		return false
	}
	decoded, err := base64.StdEncoding.DecodeString(text)
	return text == string(content) || err == nil && bytes.Equal(decoded, content)
}

// An event inside of a Pub/Sub message becomes the same message as outside of one.
func FuzzWrapped(f *testing.F) {
	f.Add("i", "s", "com.example", "k", "application/json", []byte(`{"a":1}`))
	f.Add("i", "/s", "t", "", "", []byte{0xff})
	f.Add("i", "s", "t", "k", "application/cloudevents+json", []byte(eventtest.Structured(``)))
	f.Fuzz(func(t *testing.T, id, source, eventType, key, contentType string, data []byte) {
		if !utf8.ValidString(strings.Join([]string{id, source, eventType, key, contentType}, "|")) {
			return // Pub/Sub has text only, and so has HTTP, but of another kind
		}
		attributes := map[string]string{"ce-specversion": "1.0", "ce-id": id, "ce-source": source, "ce-type": eventType}
		if strings.HasPrefix(source, `"`) {
			return // quoted, in HTTP
		}
		r := eventtest.Request(data, "Ce-Specversion", "1.0", "Ce-Id", decode.EncodeHeader("key", id), "Ce-Source", source, "Ce-Type", decode.EncodeHeader("key", eventType))
		if key != "" {
			attributes["ce-key"] = key
			r.Header.Set("Ce-Key", decode.EncodeHeader("key", key))
		}
		if contentType != "" {
			attributes["Content-Type"] = contentType
			r.Header.Set("Content-Type", contentType)
		}
		text, err := json.Marshal(attributes)
		if err != nil {
			t.Fatal(err)
		}
		inside := accepted(t, eventtest.Request(eventtest.Push(string(text), string(data)), "Content-Type", "application/json"))
		outside := accepted(t, r)
		switch {
		case strings.TrimSpace(eventType) == eventtest.PubSubType: // one more wrapping than is allowed may make a difference
		case (inside == nil) != (outside == nil):
			t.Errorf("inside %+v, outside %+v", inside, outside)
		case inside != nil && (inside.ID != outside.ID || inside.MediaType != outside.MediaType || inside.Key != outside.Key || inside.Source != outside.Source ||
			!bytes.Equal(inside.Content, outside.Content)):
			t.Errorf("inside %+v, outside %+v", inside, outside)
		}
	})
}

// The source of an event of Knative's Kafka source is the text behind the first #, or all of
// ce-source; its key is the extension.
func FuzzKafka(f *testing.F) {
	f.Add("/apis/v1/namespaces/n/kafkasources/s#topic", "k", []byte(`{"a":1}`))
	f.Add("#", "", []byte{0})
	f.Add("a#b#c", "\x00", []byte(nil))
	f.Fuzz(func(t *testing.T, source, key string, body []byte) {
		m := accepted(t, eventtest.Request(body, "Ce-Specversion", "1.0", "Ce-Id", "partition:0/offset:1", "Ce-Type", "dev.knative.kafka.event",
			"Ce-Source", source, "Ce-Key", decode.EncodeHeader("key", key)))
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

// The key is the first in the order of the documentation, or the value that the pointer leads to.
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
			if !utf8.ValidString(content+place.value) || max(len(content), len(place.value)) > decode.MaxName {
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
		e := eventtest.Event(eventtest.PubSubType, eventtest.PubSubSource, body)
		e.SetExtension("key", nil)
		e.SetSubject("")
		for in, want := range map[*decode.Decoder]string{
			decoder(t, decode.KeyPointer("/id")): content, zero: want,
		} {
			m, err := in.Message(t.Context(), e)
			if m.Key != want || (err == nil) != (want != "") {
				t.Errorf("key %q, %v; want %q", m.Key, err, want)
			}
		}
	})
}

// accepted returns the message of a request, or nil if it is rejected.
func accepted(t *testing.T, r *http.Request) *driver.Message {
	t.Helper()
	m, err := read(t, zero, r)
	switch {
	case driver.IsPermanent(err):
		return nil
	case err != nil:
		t.Fatalf("%v is not permanent", err)
	case m.Valid() != nil || max(len(m.ID), len(m.Key), len(m.Source)) > decode.MaxName || !utf8.ValidString(m.ID+"|"+m.Key+"|"+m.Source):
		t.Errorf("accepted %+v", m)
	}
	return &m
}
