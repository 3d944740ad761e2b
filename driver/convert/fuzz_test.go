package convert_test

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/event"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/eventtest"
	"example.com/eventdriver/stores/memstore"
)

// outcome sends a request and returns its message, or its dead letter.
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
	if m != nil && (m.Valid() != nil || len(m.ID) > decode.MaxName || len(m.Key) > decode.MaxName || len(m.Source) > decode.MaxName ||
		!utf8.ValidString(m.ID+"|"+m.Key+"|"+m.Source)) {
		t.Errorf("accepted %+v", m)
	}
	return m, d
}

// Each request is answered, and is either processed or dead-lettered as a whole.
func FuzzCloudEventRequest(f *testing.F) {
	for name, body := range eventtest.Samples(f, "") {
		switch {
		case strings.Contains(name, "structured"):
			f.Add("Content-Type: application/cloudevents+json\n", body)
		case strings.Contains(name, "pubsub"):
			f.Add("Content-Type: application/json\n", body)
		default:
			f.Add("Content-Type: application/json\nCe-Id: 1\nCe-Source: s\nCe-Specversion: 1.0\nCe-Key: k\nCe-Type: "+eventtest.StorageType, body)
		}
	}
	f.Add("Content-Type: application/cloudevents-batch+json\n", []byte(`[]`))
	f.Add("Content-Type: application/cloudevents+json\n", []byte(`{"data_base64":1,"specversion":"1.0"}`))
	f.Add("Content-Type: application/json\n", eventtest.Push(`{"Content-type": "application/cloudevents+json"}`, `{"specversion":"1.0"}`))
	f.Fuzz(func(t *testing.T, headers string, body []byte) {
		r := eventtest.Request(body)
		for line := range strings.Lines(headers) {
			name, value, _ := strings.Cut(line, ":")
			r.Header.Add(textproto.TrimString(name), textproto.TrimString(value))
		}
		store := memstore.New()
		var got []driver.Message
		pipeline := failing(func(m driver.Message) error { got = append(got, m); return m.Valid() })
		w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, pipeline, convert.DeadLetters(store), quiet), r)
		letters := store.DeadLetters()
		switch {
		case w.Code == http.StatusNoContent && len(got) == 1 && len(letters) == 0:
		case w.Code == http.StatusOK && len(got) == 0 && len(letters) == 1:
			if !bytes.Equal(letters[0].Body, body) || letters[0].Reason == "" || strings.Contains(letters[0].Error, "panic") {
				t.Errorf("%+v", letters[0])
			}
		default:
			t.Errorf("%d, %d messages, %d dead letters", w.Code, len(got), len(letters))
		}
	})
}

// An event that a CloudEvent function dead-letters is the same event again when its letter is sent
// as it was stored.
func FuzzLetterOfFunction(f *testing.F) {
	f.Add("id", "s", "com.example", "x", "1", "application/json", []byte(`{`))
	f.Add("id", "//h/p", eventtest.PubSubType, "key", "k", "", []byte(eventtest.PushBody))
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
		r := eventtest.Request(letters[0].Body)
		r.Header = letters[0].Header
		if m, d := outcome(t, r); m != nil || d.Reason != letters[0].Reason || !bytes.Equal(d.Body, letters[0].Body) {
			t.Errorf("dead-lettered as %s (%s), accepted as %+v, dead-lettered again as %+v", letters[0].Reason, letters[0].Error, m, d)
		}
	})
}
