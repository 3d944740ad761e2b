package publish_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/publish"
	"example.com/eventdriver/stores/memstore"
)

const topicName = "projects/p/topics/topic"

// fake starts Google's own fake of Pub/Sub with one topic.
func fake(t *testing.T) *pstest.Server {
	t.Helper()
	server := pstest.NewServer()
	t.Cleanup(func() { _ = server.Close() })
	t.Setenv("PUBSUB_EMULATOR_HOST", server.Addr)
	if _, err := server.GServer.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topicName}); err != nil {
		t.Fatal(err)
	}
	return server
}

func open(t *testing.T) *publish.Topic {
	t.Helper()
	topic, err := publish.Open(t.Context(), topicName)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := topic.Close(); err != nil {
			t.Error(err)
		}
	})
	return topic
}

// only returns the one message that was published.
func only(t *testing.T, server *pstest.Server) *pstest.Message {
	t.Helper()
	messages := server.Messages()
	if len(messages) != 1 {
		t.Fatalf("%d messages were published, want 1", len(messages))
	}
	return messages[0]
}

func joined(key string) driver.Message {
	return driver.Message{ID: "composed-event/" + key, Key: key, Source: "composed-event",
		Content: []byte(`{"event1":null,"event2":9007199254740993}`), Time: time.Date(2026, 2, 3, 4, 5, 6, 700, time.UTC)}
}

func TestLettersKeepTheContract(t *testing.T) {
	fake(t)
	drivertest.TestDeadLetterStore(t, drivertest.Harness[*publish.Letters]{
		Open: func(t *testing.T) *publish.Letters { return publish.NewLetters(open(t), nil) },
	}, nil)
}

func TestLetterIsTheEventWithItsReason(t *testing.T) {
	server := fake(t)
	letter := driver.DeadLetter{
		Reason: driver.ReasonConflict, Error: "key \"k\": other content", Handler: "joiner", ID: "1", Key: "order/ü", Source: "event1", Path: "/events/event1",
		Attempt: 3, Time: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC), Body: []byte("{\"n\": 1}\x00\xff"),
		Header: map[string][]string{"Ce-Id": {"1"}, "Ce-Specversion": {"1.0"}, "Ce-Type": {"t"}, "Ce-Source": {"/s"}, "Ce-Traceparent": {"00-1"},
			"Content-Type": {"application/json"}, "User-Agent": {"APIs-Google"}, "X-Many": {"a", "b"}},
	}
	if err := publish.NewLetters(open(t), nil).AddDeadLetter(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	got := only(t, server)
	want := map[string]string{
		"ce-id": "1", "ce-specversion": "1.0", "ce-type": "t", "ce-source": "/s", "ce-traceparent": "00-1", "Content-Type": "application/json",
		"reason": "conflict", "error": letter.Error, "handler": letter.Handler, "id": "1", "key": "order/ü", "source": "event1", "path": "/events/event1",
		"attempts": "3", "time": "2026-02-03T04:05:06Z",
	}
	if !maps.Equal(got.Attributes, want) || string(got.Data) != string(letter.Body) {
		t.Errorf("published %q with %q; want %q with %q", got.Data, got.Attributes, letter.Body, want)
	}
}

func TestLetterThatDoesNotFitIsKeptWhole(t *testing.T) {
	long := strings.Repeat("é", 600) // 1,200 bytes
	many := map[string][]string{}
	for i := range 120 {
		many[fmt.Sprint("Ce-X", i)] = []string{"v"}
	}
	small, large := []byte("b"), []byte(strings.Repeat("0123456789", 10))
	for name, test := range map[string]struct {
		letter  driver.DeadLetter
		leftOut string
	}{
		"a header too long":   {driver.DeadLetter{Header: map[string][]string{"Ce-Id": {long}, "Ce-X": {"v"}}, Key: long, Error: long, Body: small}, "headers"},
		"a header twice":      {driver.DeadLetter{Header: map[string][]string{"Ce-Id": {"1", "2"}}, Body: small}, "headers"},
		"not UTF-8":           {driver.DeadLetter{Header: map[string][]string{"Ce-Id": {"\xff"}}, Key: "\xff", Error: "\xff", Body: small}, "headers"},
		"too many headers":    {driver.DeadLetter{Header: many, Body: small}, "headers"},
		"a name that is long": {driver.DeadLetter{Header: map[string][]string{"Ce-" + strings.Repeat("x", 300): {"v"}}, Body: small}, "headers"},
		"a body too large":    {driver.DeadLetter{Header: map[string][]string{"Ce-Id": {"1"}}, Body: large}, "body"},
		"a body in gzip":      {driver.DeadLetter{Header: map[string][]string{"Ce-Id": {"1"}, "Content-Encoding": {"gzip"}}, Body: small}, "headers"},
		"a body as it is":     {driver.DeadLetter{Header: map[string][]string{"Ce-Id": {"1"}, "Content-Encoding": {"identity"}}, Body: small}, ""},
		"both":                {driver.DeadLetter{Header: map[string][]string{"Ce-Id": {"1", "2"}}, Body: large}, "headers, body"},
		"nothing at all":      {driver.DeadLetter{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server, store := fake(t), memstore.New()
			test.letter.Reason = driver.ReasonUndecodable
			if err := publish.NewLetters(open(t), store).Limit(90).AddDeadLetter(t.Context(), test.letter); err != nil {
				t.Fatal(err)
			}
			got, kept := only(t, server), store.DeadLetters()
			if got.Attributes["left-out"] != test.leftOut || (got.Attributes["whole"] != "") != (test.leftOut != "") || !strings.HasPrefix(string(test.letter.Body), string(got.Data)) {
				t.Errorf("published %q with %q", got.Data, got.Attributes)
			}
			if test.leftOut != "" && (len(kept) != 1 || string(kept[0].Body) != string(test.letter.Body) || len(kept[0].Header) != len(test.letter.Header)) {
				t.Errorf("the other store has %v", kept)
			}
			if _, ok := got.Attributes["key"]; ok {
				t.Errorf("the key %q was changed into another", got.Attributes["key"])
			}
			if len(got.Attributes) > 100 || len(got.Attributes["error"]) > 1024 || test.letter.Header["Ce-X"] != nil && got.Attributes["ce-x"] != "v" {
				t.Errorf("published with %q", got.Attributes)
			}
		})
	}
}

// TestLetterThatIsKeptNowhereWhole: a part of it is better than nothing.
func TestLetterThatIsKeptNowhereWhole(t *testing.T) {
	server := fake(t)
	letters := publish.NewLetters(open(t), letterStore(func(context.Context, driver.DeadLetter) error {
		return driver.Permanent(errors.New("too large"))
	})).Limit(90)
	if err := letters.AddDeadLetter(t.Context(), driver.DeadLetter{Reason: driver.ReasonTooOld, Body: make([]byte, 100)}); err != nil {
		t.Fatal(err)
	}
	if got := only(t, server); len(got.Data) != 90 || got.Attributes["left-out"] != "body" || got.Attributes["whole"] != "" {
		t.Errorf("published %q with %q", got.Data, got.Attributes)
	}
}

// TestLetterThatIsCut: the beginning of an event is not taken for the event, though it fits into a message. What does
// not fit is kept as far as there is any, and nothing says that this is the whole.
func TestLetterThatIsCut(t *testing.T) {
	for size, stored := range map[int]int{80: 0, 100: 1} {
		server, store := fake(t), memstore.New()
		topic := open(t)
		d := driver.DeadLetter{Reason: driver.ReasonUndecodable, Body: make([]byte, size), Cut: true}
		if err := publish.NewLetters(topic, store).Limit(90).AddDeadLetter(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		got := only(t, server)
		if got.Attributes["left-out"] != "body" || got.Attributes["whole"] != "" || len(store.DeadLetters()) != stored {
			t.Errorf("%d bytes: published with %q, and %d stored, want %d", size, got.Attributes, len(store.DeadLetters()), stored)
		}
		if parsed, _ := publish.ParseLetter(got.Data, got.Attributes); !parsed.Cut {
			t.Errorf("%d bytes: read as a whole letter", size)
		}
		if err := topic.PublishAgain(t.Context(), d); driver.ReasonOf(err) != driver.ReasonTooLarge {
			t.Errorf("%d bytes: sent again, %v", size, err)
		}
	}
}

// TestLetterIsNotAcknowledgedBeforeItIsWhole: nothing is published either, so that the
// next delivery begins anew.
func TestLetterIsNotAcknowledgedBeforeItIsWhole(t *testing.T) {
	server, down := fake(t), errors.New("the store is down")
	letters := publish.NewLetters(open(t), letterStore(func(context.Context, driver.DeadLetter) error { return down })).Limit(10)
	err := letters.AddDeadLetter(t.Context(), driver.DeadLetter{Reason: driver.ReasonTooOld, Body: make([]byte, 11)})
	if !errors.Is(err, down) || driver.IsPermanent(err) || len(server.Messages()) != 0 {
		t.Errorf("%v, and %d messages were published", err, len(server.Messages()))
	}
	if err := letters.AddDeadLetter(t.Context(), driver.DeadLetter{Reason: driver.ReasonTooOld, Body: make([]byte, 10)}); err != nil {
		t.Errorf("a letter that fits: %v", err)
	}
}

type letterStore func(context.Context, driver.DeadLetter) error

func (f letterStore) AddDeadLetter(ctx context.Context, d driver.DeadLetter) error { return f(ctx, d) }

func TestOutputIsACloudEventWithKeyAndToken(t *testing.T) {
	server := fake(t)
	pipeline := driver.New(cache.New(memstore.New()), publish.NewOutput(open(t)))
	if err := pipeline.Process(t.Context(), joined("order-1")); err != nil {
		t.Fatal(err)
	}
	got := only(t, server)
	want := map[string]string{
		"ce-specversion": "1.0", "ce-type": publish.JoinedType, "ce-source": "composed-event", "ce-id": "composed-event/order-1",
		"ce-time": "2026-02-03T04:05:06.0000007Z", "ce-key": "order-1", "ce-subject": "order-1", "ce-fencingtoken": "1", "Content-Type": "application/json",
	}
	if !maps.Equal(got.Attributes, want) || got.OrderingKey != "order-1" || string(got.Data) != string(joined("order-1").Content) {
		t.Errorf("published %q, ordered by %q, with %q; want %q", got.Data, got.OrderingKey, got.Attributes, want)
	}
}

func TestOutputOfALongKeyIsOrderedByItsHash(t *testing.T) {
	server := fake(t)
	if err := driver.New(publish.NewOutput(open(t))).Process(t.Context(), joined(strings.Repeat("k", 2000))); err != nil {
		t.Fatal(err)
	}
	got := only(t, server)
	if _, ok := got.Attributes["ce-key"]; ok || len(got.OrderingKey) != 64 || len(got.Attributes["ce-id"]) != 64 {
		t.Errorf("ordered by %q, with %q", got.OrderingKey, got.Attributes)
	}
}

func TestOutputGoesOnOnlyWhenConfirmed(t *testing.T) {
	server := fake(t)
	server.SetAutoPublishResponse(false)
	server.AddPublishResponse(nil, status.Error(codes.PermissionDenied, "not today"))
	wentOn := 0
	pipeline := driver.New(publish.NewOutput(open(t)), driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
		wentOn++
		return nil
	}))
	err := pipeline.Process(t.Context(), joined("order-1"))
	if err == nil || driver.IsPermanent(err) || !strings.Contains(err.Error(), topicName) || !strings.Contains(err.Error(), "order-1") || wentOn != 0 {
		t.Errorf("refused: %v, went on %d times; want an error to be tried again, naming topic and key", err, wentOn)
	}

	server.AddPublishResponse(&pubsubpb.PublishResponse{}, nil)
	if err := pipeline.Process(t.Context(), joined("order-1")); err == nil || driver.IsPermanent(err) || wentOn != 0 {
		t.Errorf("an answer that confirms nothing: %v, went on %d times; want an error to be tried again", err, wentOn)
	}

	// These failures have no effect on the next message of the key.
	server.AddPublishResponse(&pubsubpb.PublishResponse{MessageIds: []string{"1"}}, nil)
	if err := pipeline.Process(t.Context(), joined("order-1")); err != nil || wentOn != 1 {
		t.Errorf("the second time: %v, went on %d times", err, wentOn)
	}
}

func TestMessageThatPubSubRefusesIsPermanent(t *testing.T) {
	server := fake(t)
	server.SetAutoPublishResponse(false)
	server.AddPublishResponse(nil, status.Error(codes.InvalidArgument, "no such message"))
	output := driver.New(publish.NewOutput(open(t)))
	if err := output.Process(t.Context(), joined("order-1")); !driver.IsPermanent(err) {
		t.Errorf("invalid: %v, want a permanent error", err)
	}
	large := joined("order-2")
	large.Content = make([]byte, 11<<20)
	if err := output.Process(t.Context(), large); !driver.IsPermanent(err) {
		t.Errorf("too large: %v, want a permanent error", err)
	}
}

func TestPublishingHonoursTheContext(t *testing.T) {
	server := fake(t)
	server.SetAutoPublishResponse(false) // it never answers
	output := publish.NewOutput(open(t))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	err := output.Process(ctx, joined("order-1"), func(context.Context, driver.Message) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	server.AddPublishResponse(&pubsubpb.PublishResponse{MessageIds: []string{"1"}}, nil) // ends the fake's own goroutine
}

func TestTopicNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"projects/p/topics/orders": true, "projects/example.com:p/topics/a.b-c~d+e%25": true,
		"": false, "orders": false, "projects/p/topics/": false, "projects/p/topics/1st": false, "projects/p/subscriptions/orders": false,
		"projects/p/topics/a/b": false, "topics/orders": false,
	} {
		if err := publish.CheckTopic(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := publish.Open(t.Context(), name); !ok && err == nil {
			t.Errorf("%q was opened", name)
		}
	}
}

// The attributes of a message are not percent-encoded, as headers are; what is not
// UTF-8 has no form as an attribute.
func TestLetterHasTheAttributesDecoded(t *testing.T) {
	header := map[string][]string{"Ce-Id": {"a%2520b"}, "Ce-Key": {"Euro%20%E2%82%AC"}, "Ce-Source": {"/a%20b"}, "Ce-X": {`"q"`}, "Content-Type": {"text/x%20"}}
	m := publish.LetterMessage(driver.DeadLetter{Reason: driver.ReasonConflict, Header: header, Body: []byte("1")})
	for name, want := range map[string]string{"ce-id": "a%20b", "ce-key": "Euro €", "ce-source": "/a%20b", "ce-x": "q", "Content-Type": "text/x%20"} {
		if got := m.Attributes[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	header["Ce-Key"] = []string{"%FF"}
	if m := publish.LetterMessage(driver.DeadLetter{Header: header}); m.Attributes["left-out"] != "headers" || m.Attributes["ce-key"] != "" {
		t.Errorf("a key that is not UTF-8: %v, %s", m.Attributes, m.Data)
	}
}
