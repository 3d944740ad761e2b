package convert_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/googleapis/google-cloudevents-go/cloud/firestoredata"
	"github.com/googleapis/google-cloudevents-go/cloud/storagedata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/stores/memstore"
)

// samples returns all of Google's samples in a folder.
func samples(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(filepath.Join("testdata", "samples", folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		all[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// checkMessage checks what holds of every conversion of an event, and that a
// redelivery converts alike.
func checkMessage(t *testing.T, eventType, contentType string, data []byte) (driver.Message, error) {
	t.Helper()
	e := newEvent(t, eventType, "event1", bytes.Clone(data))
	if contentType != "" {
		e.SetDataContentType(contentType)
	}
	m, err := convert.CloudEventToInput(t.Context(), e)
	if !bytes.Equal(e.Data(), data) {
		t.Error("the event was changed")
	}
	again, errAgain := convert.CloudEventToInput(t.Context(), e)
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

// Whatever a request is, it is answered, and either processed or kept whole.
func FuzzCloudEventRequest(f *testing.F) {
	for name, body := range samples(f, "") {
		switch {
		case strings.Contains(name, "structured"):
			f.Add("Content-Type: application/cloudevents+json\n", body)
		case strings.Contains(name, "pubsub"):
			f.Add("Content-Type: application/json\n", body)
		default:
			f.Add("Content-Type: application/json\nCe-Id: 1\nCe-Source: s\nCe-Specversion: 1.0\nCe-Key: k\nCe-Type: "+storageType, body)
		}
	}
	f.Add("Content-Type: application/cloudevents-batch+json\n", []byte(`[]`))
	f.Add("Content-Type: application/cloudevents+json\n", []byte(`{"data_base64":1,"specversion":"1.0"}`))
	f.Add("Content-Type: application/json\n", wrapped(`{"Content-type": "application/cloudevents+json"}`, `{"specversion":"1.0"}`))
	f.Fuzz(func(t *testing.T, headers string, body []byte) {
		r := request(body)
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

func FuzzPubSub(f *testing.F) {
	for _, body := range samples(f, "pubsub") {
		f.Add(body)
	}
	f.Add([]byte(pushBody))
	f.Add(wrapped(`{"ce-specversion": "1.0", "ce-id": "i", "ce-source": "s", "ce-type": "t"}`, `{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := checkMessage(t, pubsubType, "", body)
		if err != nil || m.Attributes["ce-type"] != pubsubType {
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

// Storage's JSON is the content as it came; of protobuf it is made.
func FuzzStorage(f *testing.F) {
	for _, body := range samples(f, "storage") {
		f.Add(false, body)
		f.Add(true, encoded(f, body, &storagedata.StorageObjectData{}))
	}
	fuzzGoogle(f, storageType)
}

func FuzzFirestore(f *testing.F) {
	for _, body := range samples(f, "firestore") {
		f.Add(false, body)
		f.Add(true, encoded(f, body, &firestoredata.DocumentEventData{}))
	}
	f.Add(true, deepDocument(50, 3))
	fuzzGoogle(f, firestoreType)
}

// encoded returns a sample in JSON as protobuf.
func encoded(t testing.TB, body []byte, message proto.Message) []byte {
	t.Helper()
	if err := protojson.Unmarshal(body, message); err != nil {
		t.Fatal(err)
	}
	binary, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return binary
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
		a := &account{}
		if _, err := convert.CloudEventToInput(driver.WithMemory(t.Context(), a), googleEvent(eventType, "application/protobuf", body)); err == nil && a.grown < int64(len(m.Content)) {
			t.Errorf("%d bytes became %d, of which %d were counted before", len(body), len(m.Content), a.grown)
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

// A pointer finds what encoding/json finds.
func FuzzKeyPointer(f *testing.F) {
	for _, body := range samples(f, "storage") {
		f.Add("/name", string(body))
	}
	f.Add("/a/0/~1", `{"a": [{"/": 9007199254740993}]}`)
	f.Add("", `"\ud83d\ude00"`)
	f.Add("/k", `{"k": "\ud800", "k": "\\u"}`)
	f.Fuzz(func(t *testing.T, pointer, content string) {
		if _, err := convert.NewInput(convert.KeyPointer(pointer)); err != nil {
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

// lookUp evaluates a pointer the plain way, over the whole content decoded.
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
