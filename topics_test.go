package eventdriver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/memstore"
)

const (
	testOutput  = "projects/p/topics/output"
	testLetters = "projects/p/topics/letters"
)

// withTopics is a configuration that publishes to Google's fake of Pub/Sub.
func withTopics(t *testing.T) (Config, *pstest.Server) {
	t.Helper()
	server := pstest.NewServer()
	t.Cleanup(func() { _ = server.Close() })
	t.Setenv("PUBSUB_EMULATOR_HOST", server.Addr)
	for _, topic := range []string{testOutput, testLetters} {
		if _, err := server.GServer.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic}); err != nil {
			t.Fatal(err)
		}
	}
	c := DefaultConfig()
	c.OutputTopic, c.DeadLetterTopic = testOutput, testLetters
	return c, server
}

// inTopic returns what was published to a topic.
func inTopic(server *pstest.Server, topic string) (messages []*pstest.Message) {
	for _, m := range server.Messages() {
		if m.Topic == topic {
			messages = append(messages, m)
		}
	}
	return messages
}

func TestJoinedMessageIsPublishedOnce(t *testing.T) {
	config, fake := withTopics(t)
	_, server := serve(t, config, count())
	for range 2 {
		for _, source := range []string{"event2", "event3", "event1"} {
			deliver(t, server.URL, source, "order-1", `{"n":9007199254740993}`)
		}
	}
	published := inTopic(fake, testOutput)
	if len(published) != 1 {
		t.Fatalf("%d messages were published, want 1", len(published))
	}
	m := published[0]
	if got, want := string(m.Data), `{"event1":null,"event2":{"n":9007199254740993},"event3":{"n":9007199254740993}}`; got != want {
		t.Errorf("published %s; want %s", got, want)
	}
	if m.OrderingKey != "order-1" || m.Attributes["ce-key"] != "order-1" || m.Attributes["ce-fencingtoken"] == "" {
		t.Errorf("ordered by %q, with %q", m.OrderingKey, m.Attributes)
	}
}

func TestOrderIsNotAcknowledgedBeforeItIsPublished(t *testing.T) {
	config, fake := withTopics(t)
	_, server := serve(t, config, count())
	if _, err := fake.GServer.DeleteTopic(t.Context(), &pubsubpb.DeleteTopicRequest{Topic: testOutput}); err != nil {
		t.Fatal(err)
	}
	deliver(t, server.URL, "event1", "order-1", `1`)
	deliver(t, server.URL, "event2", "order-1", `2`)
	if status, answer := post(t, server.URL, "event3", "order-1", `3`); status != http.StatusInternalServerError {
		t.Fatalf("without a topic: %d %s, want 500", status, answer)
	}
	if _, err := fake.GServer.CreateTopic(t.Context(), &pubsubpb.Topic{Name: testOutput}); err != nil {
		t.Fatal(err)
	}
	deliver(t, server.URL, "event3", "order-1", `3`)
	if n := len(inTopic(fake, testOutput)); n != 1 {
		t.Errorf("%d messages were published, want 1", n)
	}
}

func TestDeadLetterTopicTakesTheWholeEvent(t *testing.T) {
	config, fake := withTopics(t)
	_, server := serve(t, config, count())
	if status, answer := post(t, server.URL, "event1", "", `{"a":1}`); status != http.StatusOK || !strings.Contains(answer, "no-key") {
		t.Fatalf("%d %s, want 200 and the reason", status, answer)
	}
	letters := inTopic(fake, testLetters)
	if len(letters) != 1 {
		t.Fatalf("%d dead letters, want 1", len(letters))
	}
	m := letters[0]
	if string(m.Data) != `{"a":1}` || m.Attributes["ce-id"] != "event1-" || m.Attributes["ce-type"] != "example.order" || m.Attributes["reason"] != "no-key" {
		t.Errorf("dead-lettered %s with %q", m.Data, m.Attributes)
	}
}

// TestEventIsNotAcknowledgedBeforeItIsDeadLettered: with its topic gone, a dead letter
// can't be confirmed, and the event must come again.
func TestEventIsNotAcknowledgedBeforeItIsDeadLettered(t *testing.T) {
	config, fake := withTopics(t)
	_, server := serve(t, config, count())
	if _, err := fake.GServer.DeleteTopic(t.Context(), &pubsubpb.DeleteTopicRequest{Topic: testLetters}); err != nil {
		t.Fatal(err)
	}
	if status, answer := post(t, server.URL, "event1", "", `1`); status != http.StatusInternalServerError {
		t.Errorf("without a topic: %d %s, want 500", status, answer)
	}
	if _, err := fake.GServer.CreateTopic(t.Context(), &pubsubpb.Topic{Name: testLetters}); err != nil {
		t.Fatal(err)
	}
	if status, answer := post(t, server.URL, "event1", "", `1`); status != http.StatusOK {
		t.Errorf("with a topic: %d %s, want 200", status, answer)
	}
	if n := len(inTopic(fake, testLetters)); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
}

// TestEventTooLargeForItsTopicIsDeadLetteredWhole: a dead letter loses nothing, though
// Pub/Sub takes only its beginning.
func TestEventTooLargeForItsTopicIsDeadLetteredWhole(t *testing.T) {
	config, _ := withTopics(t)
	f, err := New(config, count())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parts, err := f.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 10_000_000)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	// The fake takes no message of that size: what counts here is what came before.
	_ = parts.stores.deadLetters.AddDeadLetter(ctx, driver.DeadLetter{Reason: driver.ReasonTooOld, Body: body})
	kept := parts.stores.events.(*memstore.Store).DeadLetters()
	if len(kept) != 1 || len(kept[0].Body) != len(body) {
		t.Errorf("the event store has %d letters", len(kept))
	}
}

func TestEventThatStillFailsWhenItIsTooOldIsDeadLettered(t *testing.T) {
	config, fake := withTopics(t)
	config.Sources, config.EraseSources, config.MaxEventAge = []string{"event1"}, nil, 20*time.Hour
	business := count()
	business.before = func(string, int) error { return errors.New("out of stock") }
	_, server := serve(t, config, business)
	for _, c := range []struct {
		key    string
		age    time.Duration
		status int
	}{{"young", 19 * time.Hour, http.StatusInternalServerError}, {"old", 21 * time.Hour, http.StatusOK}} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("1"))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Type": "t", "Ce-Source": "event1",
			"Ce-Id": c.key, "Ce-Key": c.key, "Ce-Time": time.Now().Add(-c.age).Format(time.RFC3339)} {
			request.Header.Set(name, value)
		}
		if status, answer := do(t, request); status != c.status {
			t.Errorf("%s: %d %s, want %d", c.key, status, answer, c.status)
		}
	}
	letters := inTopic(fake, testLetters)
	if len(letters) != 1 || letters[0].Attributes["reason"] != string(driver.ReasonTooOld) || letters[0].Attributes["key"] != "old" {
		t.Errorf("dead letters: %v; want the old one, as too-old", letters)
	}
}

// TestDeadLetterCanBeSentAgain publishes a letter, as it is, to a source topic: the
// function takes it for the event that it was.
func TestDeadLetterCanBeSentAgain(t *testing.T) {
	config, fake := withTopics(t)
	config.Sources, config.EraseSources, config.MaxEventAge = []string{"event1"}, nil, time.Hour
	business := count()
	business.before = func(_ string, try int) error {
		if try == 1 {
			return errors.New("out of stock")
		}
		return nil
	}
	_, server := serve(t, config, business)
	send := func(body, published string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Time": published,
			"Ce-Type": "google.cloud.pubsub.topic.v1.messagePublished", "Ce-Source": "//pubsub.googleapis.com/projects/p/topics/event1"} {
			request.Header.Set(name, value)
		}
		return do(t, request)
	}
	body := `{"message":{"data":"eyJhIjoxfQ==","messageId":"1","attributes":{"key":"order-1"}},"subscription":"projects/p/subscriptions/s"}`
	if status, answer := send(body, "2020-01-01T00:00:00Z"); status != http.StatusOK {
		t.Fatalf("an old event that fails: %d %s, want it dead-lettered", status, answer)
	}
	letters := inTopic(fake, testLetters)
	if len(letters) != 1 {
		t.Fatalf("%d dead letters, want 1", len(letters))
	}
	again := pushOf(t, letters[0])
	if status, answer := send(again, time.Now().Format(time.RFC3339)); status != http.StatusNoContent {
		t.Fatalf("sent again: %d %s", status, answer)
	}
	business.once(t, "order-1")
	if got := business.contents["order-1"]; got != `{"event1":{"a":1}}` {
		t.Errorf("content %s", got)
	}
}

// TestPushCanBeSentAgain: a letter of a push that came without Eventarc is the event
// again, too, though its body is only the wrapping.
func TestPushCanBeSentAgain(t *testing.T) {
	config, fake := withTopics(t)
	config.Sources, config.EraseSources = []string{"event9"}, nil
	_, wrong := serve(t, config, count()) // waits for another event, and keeps nothing of this one
	body := `{"message":{"data":"eyJhIjoxfQ==","messageId":"1","attributes":{"key":"order-1"}},"subscription":"projects/p/subscriptions/s"}`
	if status, answer := push(t, wrong.URL, body); status != http.StatusOK {
		t.Fatalf("an event that nobody waits for: %d %s, want it dead-lettered", status, answer)
	}
	letters := inTopic(fake, testLetters)
	if len(letters) != 1 {
		t.Fatalf("%d dead letters, want 1", len(letters))
	}
	config.Sources = []string{"event1"}
	business := count()
	_, right := serve(t, config, business)
	if status, answer := push(t, right.URL, pushOf(t, letters[0])); status != http.StatusNoContent {
		t.Fatalf("sent again: %d %s", status, answer)
	}
	business.once(t, "order-1")
	if got := business.contents["order-1"]; got != `{"event1":{"a":1}}` {
		t.Errorf("content %s", got)
	}
}

// TestLetterThatLacksHeadersIsRefused: a letter that does not have all headers of its event
// must not be taken for the event.
func TestLetterThatLacksHeadersIsRefused(t *testing.T) {
	config, fake := withTopics(t)
	business := count()
	_, server := serve(t, config, business)
	request := event(t, server.URL, "event9", "order-1", `1`)
	request.Header.Set("Ce-Long", strings.Repeat("x", 1025))
	if status, answer := do(t, request); status != http.StatusOK {
		t.Fatalf("%d %s, want it dead-lettered", status, answer)
	}
	letters := inTopic(fake, testLetters)
	if len(letters) != 1 || letters[0].Attributes["left-out"] != "headers" || letters[0].Attributes["whole"] == "" {
		t.Fatalf("dead letters %v; want one that lacks headers", letters)
	}
	if status, answer := push(t, server.URL, pushOf(t, letters[0])); status != http.StatusOK || !strings.Contains(answer, "undecodable") || !strings.Contains(answer, "send the event again from the store") {
		t.Errorf("sent again: %d %s, want it refused", status, answer)
	}
}

// TestQuarantineWhereNothingCanBePublished: the business has acted, so the order must
// not run again.
func TestQuarantineWhereNothingCanBePublished(t *testing.T) {
	config, fake := withTopics(t)
	config.Sources, config.EraseSources, config.QuarantineOnExpiry, config.Lease = []string{"event1"}, nil, true, 2*time.Second
	business := count()
	_, server := serve(t, config, business)
	if _, err := fake.GServer.DeleteTopic(t.Context(), &pubsubpb.DeleteTopicRequest{Topic: testOutput}); err != nil {
		t.Fatal(err)
	}
	if status, answer := post(t, server.URL, "event1", "order-1", `1`); status != http.StatusInternalServerError {
		t.Fatalf("without a topic: %d %s, want 500", status, answer)
	}
	deliver(t, server.URL, "event1", "order-1", `1`) // until its lease has run out
	business.once(t, "order-1")
	if letters := inTopic(fake, testLetters); len(letters) != 1 || letters[0].Attributes["reason"] != string(driver.ReasonOutcomeUnknown) {
		t.Errorf("dead letters %v; want one, outcome-unknown", letters)
	}
}

// push sends a message of topic event1 as Pub/Sub does, without Eventarc.
func push(t *testing.T, url, body string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/projects/p/topics/event1", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	return do(t, request)
}

// pushOf is how Pub/Sub delivers a message.
func pushOf(t *testing.T, m *pstest.Message) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"subscription": "projects/p/subscriptions/s", "message": map[string]any{
		"data": m.Data, "attributes": m.Attributes, "messageId": "2"}})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
