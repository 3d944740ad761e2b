// Package eventtest has the events with which the tests of packages decode and convert begin:
// requests in each form, Google's published samples, and payloads that become large.
package eventtest

import (
	"bytes"
	"embed"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// The types of Google's events, and a source of each.
const (
	PubSubType    = "google.cloud.pubsub.topic.v1.messagePublished"
	StorageType   = "google.cloud.storage.object.v1.finalized"
	FirestoreType = "google.cloud.firestore.document.v1.written"
	AuditType     = "google.cloud.audit.log.v1.written"

	PubSubSource    = "//pubsub.googleapis.com/projects/p/topics/event1"
	StorageSource   = "//storage.googleapis.com/projects/_/buckets/some-bucket"
	FirestoreSource = "//firestore.googleapis.com/projects/p/databases/(default)"
	AuditSource     = "//cloudaudit.googleapis.com/projects/p/logs/activity"
)

// Secret stands for a payload. It must not get into an error or a log.
const Secret = "S3CR3T"

// Request returns a POST with the body and pairs of header names and values.
func Request(body []byte, pairs ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	for i := 0; i+1 < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	return r
}

// Binary returns a POST of an event in binary mode, with source "event1", key "k", and then the
// pairs of header names and values.
func Binary(body string, pairs ...string) *http.Request {
	return Request([]byte(body), append([]string{
		"Ce-Specversion", "1.0", "Ce-Id", "id-1", "Ce-Source", "event1", "Ce-Type", "com.example", "Ce-Key", "k",
		"Content-Type", "application/json",
	}, pairs...)...)
}

// Structured returns an event in structured mode that has these members, too.
func Structured(members string) string {
	return `{"specversion":"1.0","id":"1","source":"s","type":"t","key":"k"` + members + `}`
}

// PushBody is the body of a Pub/Sub push.
const PushBody = `{"message": {"data": "eA==", "messageId": "m1", "publishTime": "2021-02-05T04:06:14Z", "orderingKey": "o1",
	"attributes": {"region": "eu"}}, "subscription": "projects/p/subscriptions/s1", "deliveryAttempt": 5}`

// Push returns the body of a Pub/Sub push of a message with the attributes, in JSON, and data.
func Push(attributes, data string) []byte {
	return []byte(`{"message": {"messageId": "m1", "publishTime": "2021-02-05T04:06:14Z", "attributes": ` + attributes + `,
		"data": "` + base64.StdEncoding.EncodeToString([]byte(data)) + `"}, "subscription": "projects/p/subscriptions/s"}`)
}

// RequestsFrom returns an event of the source in each form of a request.
func RequestsFrom(source string) map[string]*http.Request {
	name, err := json.Marshal(source)
	if err != nil {
		panic(err) // a string can always be encoded
	}
	quoted := string(name)
	body := strings.Replace(Structured(`,"data":1`), `"source":"s"`, `"source":`+quoted, 1)
	return map[string]*http.Request{
		"binary":      Binary(`1`, "Ce-Source", source),
		"binary, 0.3": Binary(`1`, "Ce-Source", source, "Ce-Specversion", "0.3"),
		"structured":  Request([]byte(body), "Content-Type", "application/cloudevents+json"),
		"wrapped": Request(Push(`{"ce-specversion":"1.0","ce-id":"i","ce-type":"t","ce-key":"k","ce-source":`+quoted+`}`, "1"),
			"Content-Type", "application/json"),
		"wrapped, structured": Request(Push(`{"content-type":"application/cloudevents+json"}`, body), "Content-Type", "application/json"),
	}
}

// Event returns an event with JSON data and an extension key "k".
func Event(eventType, source string, data []byte) *cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetID("id-1")
	e.SetType(eventType)
	e.SetSource(source)
	e.SetDataContentType("application/json")
	e.SetExtension("key", "k")
	e.DataEncoded = data
	return &e
}

//go:embed samples/*/*.json samples/*/*/*.json
var samples embed.FS

// Sample returns one of Google's published events.
func Sample(t testing.TB, name string) []byte {
	t.Helper()
	body, err := samples.ReadFile(path.Join("samples", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// Samples returns all of Google's published events in a folder, by name.
func Samples(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := fs.WalkDir(samples, path.Join("samples", folder), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		all[name], err = samples.ReadFile(name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
