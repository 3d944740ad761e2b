package eventdriver

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
)

// googleEvent is an event of Google's, in binary form.
type googleEvent struct{ source, kind, content string }

func (e googleEvent) request(t *testing.T, url string) *http.Request {
	t.Helper()
	request := event(t, url, e.source, "", e.content)
	request.Header.Set("Ce-Type", e.kind)
	return request
}

// sameSource are pairs of triggers, by the sources that they are for, whose events
// have one ce-source.
var sameSource = map[string]struct {
	pointer string
	events  map[string]googleEvent
}{
	"two kinds of events of one bucket": {"/name", map[string]googleEvent{
		"uploaded": {"//storage.googleapis.com/projects/_/buckets/parcels", "google.cloud.storage.object.v1.finalized", `{"bucket":"parcels","name":"order-1","metageneration":"1"}`},
		"removed":  {"//storage.googleapis.com/projects/_/buckets/parcels", "google.cloud.storage.object.v1.deleted", `{"bucket":"parcels","name":"order-1","metageneration":"2"}`},
	}},
	"two collections of one database": {"/value/fields/order/stringValue", map[string]googleEvent{
		"orders": {"//firestore.googleapis.com/projects/p/databases/(default)", "google.cloud.firestore.document.v1.created",
			`{"value":{"name":"projects/p/databases/(default)/documents/orders/a","fields":{"order":{"stringValue":"order-1"}}}}`},
		"payments": {"//firestore.googleapis.com/projects/p/databases/(default)", "google.cloud.firestore.document.v1.created",
			`{"value":{"name":"projects/p/databases/(default)/documents/payments/b","fields":{"order":{"stringValue":"order-1"}}}}`},
	}},
	"two methods of one audit log": {"/protoPayload/resourceName", map[string]googleEvent{
		"inserted": {"//cloudaudit.googleapis.com/projects/p/logs/data_access", "google.cloud.audit.log.v1.written",
			`{"protoPayload":{"methodName":"jobservice.insert","resourceName":"order-1"}}`},
		"completed": {"//cloudaudit.googleapis.com/projects/p/logs/data_access", "google.cloud.audit.log.v1.written",
			`{"protoPayload":{"methodName":"jobservice.jobcompleted","resourceName":"order-1"}}`},
	}},
	"two types of one producer": {"/order", map[string]googleEvent{
		"paid":   {"/shop", "com.example.paid", `{"order":"order-1","amount":1}`},
		"packed": {"/shop", "com.example.packed", `{"order":"order-1","weight":2}`},
	}},
}

func TestTriggersWithOneSourceAreJoinedByTheirPaths(t *testing.T) {
	for name, c := range sameSource {
		forwards := slices.Sorted(maps.Keys(c.events))
		for _, sources := range [][]string{forwards, {forwards[1], forwards[0]}} {
			t.Run(name+", "+sources[0]+" first", func(t *testing.T) {
				config, err := configFrom(map[string]string{"EVENT_SOURCES": strings.Join(sources, ","), "KEY_POINTER": c.pointer})
				if err != nil {
					t.Fatal(err)
				}
				business := count()
				_, server := serve(t, config, business)
				for range 2 {
					for _, source := range sources {
						if status, answer := do(t, c.events[source].request(t, server.URL+convert.SourcePath(source))); status != http.StatusAccepted && status != http.StatusNoContent {
							t.Errorf("%s: %d %s", source, status, answer)
						}
					}
				}
				business.once(t, "order-1")
				var joined map[string]json.RawMessage
				if err := json.Unmarshal([]byte(business.contents["order-1"]), &joined); err != nil {
					t.Fatal(err)
				}
				for source, e := range c.events {
					if string(joined[source]) != e.content {
						t.Errorf("joined %s as %s; want %s", joined[source], source, e.content)
					}
				}
			})
		}
	}
}

// An event whose path names no source can be sent again once that is configured, to
// the same path.
func TestLetterIsSentAgainToItsPath(t *testing.T) {
	c := sameSource["two kinds of events of one bucket"]
	before, err := configFrom(map[string]string{"EVENT_SOURCES": "uploaded", "KEY_POINTER": c.pointer})
	if err != nil {
		t.Fatal(err)
	}
	f, server := serve(t, before, count())
	status, answer := do(t, c.events["removed"].request(t, server.URL+"/events/removed"))
	if status != http.StatusOK || !strings.Contains(answer, "unknown-source") || !strings.Contains(answer, "/events/removed") {
		t.Errorf("%d %s; want it dead-lettered as of an unknown source, with the path", status, answer)
	}
	all := letters(t, f)
	if len(all) != 1 {
		t.Fatalf("%d letters, want one", len(all))
	}
	letter := all[0]

	after, err := configFrom(map[string]string{"EVENT_SOURCES": "uploaded,removed", "KEY_POINTER": c.pointer})
	if err != nil {
		t.Fatal(err)
	}
	business := count()
	_, server = serve(t, after, business)
	again, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+letter.Path, bytes.NewReader(letter.Body))
	if err != nil {
		t.Fatal(err)
	}
	again.Header = letter.Header
	for _, request := range []*http.Request{again, c.events["uploaded"].request(t, server.URL+"/events/uploaded")} {
		if status, answer := do(t, request); status != http.StatusAccepted && status != http.StatusNoContent {
			t.Errorf("%s: %d %s", request.URL.Path, status, answer)
		}
	}
	business.once(t, "order-1")
}

// TestEventIsNoSweep: an event that comes to the path of sweeps is not lost. It counts as one of the path /.
func TestEventIsNoSweep(t *testing.T) {
	to := func(body, media string, header ...string) *http.Request {
		request := httptest.NewRequest(http.MethodPost, sweepPath, strings.NewReader(body))
		request.Header.Set("Content-Type", media)
		for i := 0; i < len(header); i += 2 {
			request.Header.Set(header[i], header[i+1])
		}
		return request
	}
	for name, c := range map[string]struct {
		request *http.Request
		reason  driver.Reason // "": it is a sweep
	}{
		"binary":       {event(t, sweepPath, "/elsewhere", "order-1", `{}`), driver.ReasonUnknownSource},
		"without data": {event(t, sweepPath, "/elsewhere", "order-1", ""), driver.ReasonUnknownSource},
		"structured": {to(`{"specversion":"1.0","id":"1","source":"/elsewhere","type":"t","key":"order-1"}`,
			"application/cloudevents+json"), driver.ReasonUnknownSource},
		"push": {to(`{"message":{"messageId":"1","attributes":{"key":"order-1"}},
			"subscription":"projects/p/subscriptions/s"}`, "application/json"), driver.ReasonUnknownSource},
		"push without a wrapper":               {to("data", "text/plain"), driver.ReasonUndecodable},
		"push without a wrapper, without data": {to("", "", "X-Goog-Pubsub-Message-Id", "1"), driver.ReasonUndecodable},
		"an event of Cloud Scheduler's": {to(`{}`, "application/cloudevents+json", "X-CloudScheduler", "true"),
			driver.ReasonUndecodable},
		"a call":            {to("", ""), ""},
		"a job with a body": {to(`{}`, "application/octet-stream", "X-CloudScheduler", "true"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := New(DefaultConfig(), count())
			if err != nil {
				t.Fatal(err)
			}
			answer := httptest.NewRecorder()
			f.ServeHTTP(answer, c.request)
			reason := answer.Header().Get(convert.DeadLetterHeader)
			if answer.Code != http.StatusOK || reason != string(c.reason) {
				t.Errorf("%d, dead-lettered for %q, want %q", answer.Code, reason, c.reason)
			}
			if all := letters(t, f); len(all) > 0 != (c.reason != "") {
				t.Errorf("%d letters", len(all))
			}
		})
	}
}

// While a deployment changes, some triggers call / and others their paths, and the
// function of before, which knows no paths, goes on: aliases serve those.
func TestOldTriggersAndNewOnesMeet(t *testing.T) {
	config, err := configFrom(map[string]string{"SOURCE_ALIASES": "event1:topic-1,event2:topic-2,event3:topic-3"})
	if err != nil {
		t.Fatal(err)
	}
	business := count()
	_, server := serve(t, config, business)
	var keys []string
	for old := range 8 { // each bit is a trigger that calls /
		key := fmt.Sprint("order-", old)
		keys = append(keys, key)
		for i, source := range []string{"event1", "event2", "event3"} {
			url := server.URL + convert.SourcePath(source)
			if old>>i&1 == 1 {
				url = server.URL + "/"
			}
			topic := fmt.Sprint("//pubsub.googleapis.com/projects/p/topics/topic-", i+1)
			if status, answer := do(t, event(t, url, topic, key, `1`)); status != http.StatusAccepted && status != http.StatusNoContent {
				t.Errorf("%s: %d %s", url, status, answer)
			}
		}
	}
	business.once(t, keys...)
}

// TestPushDeliversWhatATriggerWould: the same message of a topic, from a trigger and from a push subscription that calls
// the same path, is one event. So a source can change its delivery while events are under way.
func TestPushDeliversWhatATriggerWould(t *testing.T) {
	for _, policy := range []string{"last", "reject"} {
		variables := map[string]string{"EVENT_SOURCES": "placed,paid", "CONFLICT_POLICY": policy, "ERASE_SOURCES": ""}
		if policy == "last" {
			variables["KEY_POINTER"] = "/order"
		}
		config, err := configFrom(variables)
		if err != nil {
			t.Fatal(err)
		}
		business := count()
		f, server := serve(t, config, business)
		var keys []string
		for pushed := range 8 { // by bits: the first delivery of placed, the second, that of paid
			key := fmt.Sprint("order-", pushed)
			keys = append(keys, key)
			for bit, source := range []string{"placed", "placed", "paid"} {
				request := triggered(t, server.URL, source, key)
				if pushed>>bit&1 == 1 {
					request = pushedTo(t, server.URL, source, key)
				}
				if status, answer := do(t, request); !taken(status) {
					t.Errorf("%s of %s: %d %s", source, key, status, answer)
				}
			}
			if got, want := business.contents[key], fmt.Sprintf(`{"paid":{"order":%[1]q},"placed":{"order":%[1]q}}`, key); got != want {
				t.Errorf("%s: joined %s, want %s", key, got, want)
			}
		}
		business.once(t, keys...)
		if all := letters(t, f); len(all) != 0 {
			t.Errorf("with CONFLICT_POLICY=%s: %d dead letters, the first %+v", policy, len(all), all[0])
		}
	}
}

// pushBody is a message of a topic as Pub/Sub pushes it, which is also the data of Eventarc's event.
func pushBody(source, key, subscription string) string {
	data := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"order":%q}`, key))
	return fmt.Sprintf(`{"message":{"data":%q,"attributes":{"key":%q},"messageId":%[3]q,"message_id":%[3]q,`+
		`"publishTime":"2026-11-26T08:00:00.123Z","publish_time":"2026-11-26T08:00:00.123Z"},"subscription":"projects/p/subscriptions/%s"}`,
		data, key, source+"-"+key, subscription)
}

// triggered is a message as Eventarc's trigger of the source delivers it.
func triggered(t *testing.T, url, source, key string) *http.Request {
	t.Helper()
	request := event(t, url+convert.SourcePath(source), "//pubsub.googleapis.com/projects/p/topics/orders-"+source, "",
		pushBody(source, key, "eventarc-europe-west1-orders-"+source+"-sub-123"))
	request.Header.Set("Ce-Type", "google.cloud.pubsub.topic.v1.messagePublished")
	request.Header.Set("Ce-Id", source+"-"+key)
	request.Header.Set("Ce-Time", "2026-11-26T08:00:00.123Z")
	return request
}

// pushedTo is the same message as a push subscription of the source delivers it.
func pushedTo(t *testing.T, url, source, key string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+convert.SourcePath(source),
		strings.NewReader(pushBody(source, key, "orders-"+source+"-push")))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	return request
}
