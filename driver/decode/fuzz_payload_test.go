package decode_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/googleapis/google-cloudevents-go/cloud/firestoredata"
	"github.com/googleapis/google-cloudevents-go/cloud/storagedata"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/eventtest"
)

// checkMessage checks what is true for the message of every event, and that a redelivery becomes the
// same message.
func checkMessage(t *testing.T, eventType, contentType string, data []byte) (driver.Message, error) {
	t.Helper()
	e := eventtest.Event(eventType, "event1", bytes.Clone(data))
	if contentType != "" {
		e.SetDataContentType(contentType)
	}
	m, err := zero.Message(t.Context(), e)
	if !bytes.Equal(e.Data(), data) {
		t.Error("the event was changed")
	}
	again, errAgain := zero.Message(t.Context(), e)
	if !reflect.DeepEqual(m, again) || (err == nil) != (errAgain == nil) {
		t.Errorf("converted again: %+v, %v; at first %+v, %v", again, errAgain, m, err)
	}
	switch {
	case err == nil && (m.Valid() != nil || m.ID == "" || !utf8.ValidString(m.Key+"|"+m.Source+"|"+m.ID)):
		t.Errorf("not a valid message: %+v", m)
	case err != nil && !driver.IsPermanent(err):
		t.Errorf("%v is not permanent", err)
	}
	return m, err
}

func FuzzPubSub(f *testing.F) {
	for _, body := range eventtest.Samples(f, "pubsub") {
		f.Add(body)
	}
	f.Add([]byte(eventtest.PushBody))
	f.Add(eventtest.Push(`{"ce-specversion": "1.0", "ce-id": "i", "ce-source": "s", "ce-type": "t"}`, `{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := checkMessage(t, eventtest.PubSubType, "", body)
		if err != nil || m.Attributes["ce-type"] != eventtest.PubSubType {
			return // undecodable, or unwrapped
		}
		var plain struct{ Message struct{ Data string } }
		if err := json.Unmarshal(body, &plain); err != nil {
			t.Fatalf("accepted, but %v", err)
		}
		if data, err := base64.StdEncoding.DecodeString(plain.Message.Data); err != nil || !bytes.Equal(data, m.Content) {
			t.Errorf("content %q, want %q, %v", m.Content, data, err)
		}
	})
}

// The content of a Storage event is its JSON as it arrived, or JSON made from its protobuf.
func FuzzStorage(f *testing.F) {
	for _, body := range eventtest.Samples(f, "storage") {
		f.Add(false, body)
		f.Add(true, eventtest.Protobuf(f, body, &storagedata.StorageObjectData{}))
	}
	fuzzGoogle(f, eventtest.StorageType)
}

func FuzzFirestore(f *testing.F) {
	for _, body := range eventtest.Samples(f, "firestore") {
		f.Add(false, body)
		f.Add(true, eventtest.Protobuf(f, body, &firestoredata.DocumentEventData{}))
	}
	f.Add(true, eventtest.DeepDocument(50, 3))
	fuzzGoogle(f, eventtest.FirestoreType)
}

func fuzzGoogle(f *testing.F, eventType string) {
	f.Fuzz(func(t *testing.T, protobuf bool, body []byte) {
		if !protobuf {
			m, err := checkMessage(t, eventType, "application/json", body)
			if err == nil && (!bytes.Equal(m.Content, body) || !json.Valid(body) || !utf8.Valid(body)) {
				t.Errorf("content %q, want %q", m.Content, body)
			}
			return
		}
		m, err := checkMessage(t, eventType, "application/protobuf", body)
		if err != nil {
			return
		}
		a := &eventtest.Account{}
		if _, err := zero.Message(driver.WithMemory(t.Context(), a), googleEvent(eventType, "application/protobuf", body)); err == nil && a.Grown < int64(len(m.Content)) {
			t.Errorf("%d bytes became %d, of which %d were counted before", len(body), len(m.Content), a.Grown)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, m.Content); err != nil || !bytes.Equal(compact.Bytes(), m.Content) {
			t.Errorf("content %s is no compact JSON: %v", m.Content, err)
		}
		if again, err := checkMessage(t, eventType, "application/json", m.Content); err != nil || !bytes.Equal(again.Content, m.Content) {
			t.Errorf("the content is not the event's as JSON: %v", err)
		}
	})
}

// An audit log that is accepted is a JSON object with a protoPayload, as it came.
func FuzzAuditLog(f *testing.F) {
	for _, body := range eventtest.Samples(f, "audit") {
		f.Add(body)
	}
	f.Add([]byte(`{"protoPayload":{},"protoPayload":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := checkMessage(t, eventtest.AuditType, "application/json", body)
		if err != nil {
			return
		}
		var entry map[string]any
		if err := json.Unmarshal(body, &entry); err != nil || !bytes.Equal(m.Content, body) {
			t.Errorf("content %q, %v", m.Content, err)
		}
	})
}

// A pointer finds what encoding/json finds.
func FuzzKeyPointer(f *testing.F) {
	for _, body := range eventtest.Samples(f, "storage") {
		f.Add("/name", string(body))
	}
	f.Add("/a/0/~1", `{"a": [{"/": 9007199254740993}]}`)
	f.Add("", `"\ud83d\ude00"`)
	f.Add("/k", `{"k": "\ud800", "k": "\\u"}`)
	f.Fuzz(func(t *testing.T, pointer, content string) {
		if _, err := decode.New(decode.KeyPointer(pointer)); err != nil {
			if pointer == "" || pointer[0] == '/' && !strings.Contains(pointer, "~") {
				t.Errorf("%q: %v", pointer, err)
			}
			return
		}
		got := keyAt(t, pointer, content)
		if got == "" {
			return
		}
		want, err := lookUp(pointer, content)
		if err != nil || got != want || !utf8.ValidString(got) {
			t.Errorf("%q in %q: %q, want %q, %v", pointer, content, got, want, err)
		}
	})
}

// lookUp evaluates a pointer in the decoded content.
func lookUp(pointer, content string) (string, error) {
	d := json.NewDecoder(strings.NewReader(content))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return "", err
	}
	for _, token := range strings.Split(pointer, "/")[1:] {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		switch at := value.(type) {
		case map[string]any:
			value = at[token]
		case []any:
			n := json.Number(token)
			i, err := n.Int64()
			if err != nil {
				return "", err
			}
			value = at[i]
		}
	}
	switch value := value.(type) {
	case string:
		return value, nil
	case json.Number:
		return value.String(), nil
	}
	return "", errors.New("not a key")
}
