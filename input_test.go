package eventdriver

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// pushFrom sends a message as a Pub/Sub push of the topic does. A message has a key of
// its own unless that is empty.
func pushFrom(t *testing.T, url, topic, key, content string) (status int, answer string) {
	t.Helper()
	attributes := map[string]string{}
	if key != "" {
		attributes["key"] = key
	}
	text, err := json.Marshal(attributes)
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"message":{"messageId":"1","data":%q,"attributes":%s},"subscription":"projects/p/subscriptions/s"}`,
		base64.StdEncoding.EncodeToString([]byte(content)), text)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/projects/p/topics/"+topic, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	return do(t, request)
}

// A publisher's mistake costs its event, and not the order: the event is dead-lettered
// when it arrives, and the corrected one completes the order.
func TestMalformedEventLeavesItsKeyToTheCorrectedOne(t *testing.T) {
	for name, config := range configs(t) {
		t.Run(name, func(t *testing.T) {
			business := count()
			f, server := serve(t, config, business)
			for _, e := range []struct{ topic, content, says string }{
				{"event1", `{}`, ""},
				{"event2", `{"items":`, "undecodable"},
				{"event3", `{"n":3}`, ""},
				{"event2", `{"items":`, "undecodable"}, // the same mistake again
				{"event2", `{"items":[1]}`, ""},
				{"event2", `{"items":`, "undecodable"}, // and when all is done
			} {
				status, answer := pushFrom(t, server.URL, e.topic, "order-1", e.content)
				if e.says == "" && !taken(status) || e.says != "" && (status != http.StatusOK || !strings.Contains(answer, e.says)) {
					t.Errorf("%s %s: %d %s; want that it says %q", e.topic, e.content, status, answer, e.says)
				}
			}
			business.once(t, "order-1")
			if got := business.contents["order-1"]; !strings.Contains(got, `"event2":{"items":[1]}`) {
				t.Errorf("joined %s", got)
			}
			all := letters(t, f)
			if len(all) == 0 { // Cloud Storage keeps letters of the same content once
				t.Error("there is no letter")
			}
			for _, letter := range all {
				if letter.Source != "event2" || letter.Key != "order-1" || !strings.Contains(letter.Error, "CONTENT") {
					t.Errorf("a letter of %q: %s", letter.Source, letter.Error)
				}
			}
		})
	}
}

// Plain text, numbers, Avro and protobuf that nobody declares are joined all the same.
func TestDataOfAnyKindIsJoined(t *testing.T) {
	config, err := configFrom(map[string]string{"ERASE_SOURCES": ""})
	if err != nil {
		t.Fatal(err)
	}
	business := count()
	_, server := serve(t, config, business)
	for topic, content := range map[string]string{"event1": "hello", "event2": "42", "event3": "\x0a\x03ab\xff"} {
		if status, answer := pushFrom(t, server.URL, topic, "order-1", content); !taken(status) {
			t.Errorf("%s: %d %s", topic, status, answer)
		}
	}
	business.once(t, "order-1")
	if got, want := business.contents["order-1"], `{"event1":"hello","event2":42,"event3":"CgNhYv8="}`; got != want {
		t.Errorf("joined %s, want %s", got, want)
	}
}

// CONTENT and KEY_POINTER say of each source what its data is, and where its key.
func TestSettingsOfEachSource(t *testing.T) {
	config, err := configFrom(map[string]string{
		"ERASE_SOURCES": "", "CONTENT": "event1:text,event2:json", "KEY_POINTER": "event2:/order/id,event3:/id", "SOURCE_ALIASES": "event3:Shop:Orders",
	})
	if err != nil {
		t.Fatal(err)
	}
	business := count()
	f, server := serve(t, config, business)
	send := func(topic, key, content, says string) {
		t.Helper()
		status, answer := pushFrom(t, server.URL, topic, key, content)
		if says == "" && !taken(status) || says != "" && (status != http.StatusOK || !strings.Contains(answer, says)) {
			t.Errorf("%s %s: %d %s; want that it says %q", topic, content, status, answer, says)
		}
	}
	send("event1", "order-1", `{"items":`, "")
	send("event2", "order-1", `hello`, "undecodable")
	send("event2", "order-1", `{"id":"order-1"}`, "no-key") // not the attribute, since there is a pointer
	send("event2", "", `{"order":{"id":"order-1"}}`, "")
	if status, answer := post(t, server.URL, "Shop:Orders", "other", `{"id":"order-1"}`); !taken(status) {
		t.Errorf("%d %s", status, answer)
	}
	business.once(t, "order-1")
	if got, want := business.contents["order-1"], `{"event1":"{\"items\":","event2":{"order":{"id":"order-1"}},"event3":{"id":"order-1"}}`; got != want {
		t.Errorf("joined %s, want %s", got, want)
	}
	if n := len(letters(t, f)); n != 2 {
		t.Errorf("%d letters, want 2", n)
	}
}
