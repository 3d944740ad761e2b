package convert_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/eventtest"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

// again returns a request with the header and body of a letter.
func again(d driver.DeadLetter) *http.Request {
	r := eventtest.Request(d.Body)
	r.Header = http.Header(maps.Clone(d.Header))
	return r
}

// joined returns a handler that joins event1, event2 and event3 on a new store, which also has its
// letters. The business fails with a permanent error while it is broken.
func joined(broken *bool, acted *[]string) (http.Handler, *memstore.Store) {
	store := memstore.New()
	business := driver.HandlerFunc(func(_ context.Context, m driver.Message, _ driver.Next) error {
		if *broken {
			return driver.Permanent(errors.New("a bug"))
		}
		*acted = append(*acted, string(m.Content))
		return nil
	})
	p := driver.New(joiner.New(joiner.MatchAll("event1", "event2", "event3"), store), business)
	return convert.ToHTTPHandler(convert.CloudEventToInput, p, convert.DeadLetters(store), quiet), store
}

// The dead letter of a join has all its events, each exactly as it was, so that it can be sent again
// if nothing else of the join is left.
func TestDeadLetterOfAJoinHasItsEvents(t *testing.T) {
	var acted []string
	broken := true
	handler, store := joined(&broken, &acted)
	events := []*http.Request{
		eventtest.Binary(` {"b": 1.0 , "a":12345678901234567890} `, "Ce-Source", "event1", "Ce-Time", "2026-01-02T03:04:05.000006Z", "Ce-Extra", "é%25"),
		eventtest.Binary("12", "Ce-Source", "event2", "Content-Type", "text/plain; charset=utf-8", "Ce-Id", "two"),
		eventtest.Binary("\xff\x00", "Ce-Source", "event3", "Content-Type", "application/octet-stream"),
	}
	want := `{"event1": {"b": 1.0 , "a":12345678901234567890} ,"event2":"12","event3":"/wA="}`
	for i, status := range []int{http.StatusAccepted, http.StatusAccepted, http.StatusOK} {
		if w := serve(handler, events[i]); w.Code != status {
			t.Fatalf("event %d: %d, want %d", i+1, w.Code, status)
		}
	}
	letters := store.DeadLetters()
	if len(letters) != 1 || letters[0].Key != "k" || letters[0].Source != "event3" || letters[0].Reason != driver.ReasonPermanent {
		t.Fatalf("letters %+v", letters)
	}
	letter := letters[0]
	for _, named := range []string{`"source":"event1"`, `"source":"event2"`, `"source":"event3"`, `"id":"id-1"`, `"id":"two"`, `"mediaType":"text/plain"`} {
		if !bytes.Contains(letter.Body, []byte(named)) {
			t.Errorf("the letter does not have %s:\n%s", named, letter.Body)
		}
	}
	kept, err := store.LookUpByKey(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}

	broken = false
	elsewhere, other := joined(&broken, &acted)
	if w := serve(elsewhere, again(letter)); w.Code != http.StatusNoContent || !slices.Equal(acted, []string{want}) {
		t.Errorf("sent again where nothing is left: %d; acted on %q, want %s", w.Code, acted, want)
	}
	restored, err := other.LookUpByKey(t.Context(), "k")
	if err != nil || fmt.Sprintf("%+v", restored) != fmt.Sprintf("%+v", kept) {
		t.Errorf("the events came back as\n%+v, %v, and were\n%+v", restored, err, kept)
	}
	if w := serve(handler, again(letter)); w.Code != http.StatusNoContent {
		t.Errorf("sent again where it failed: %d", w.Code)
	}
}

// A letter that fails again becomes the same letter again.
func TestJoinThatFailsAgainIsTheSameLetter(t *testing.T) {
	var acted []string
	broken := true
	handler, store := joined(&broken, &acted)
	for _, source := range []string{"event1", "event2", "event3"} {
		serve(handler, eventtest.Binary(`1`, "Ce-Source", source))
	}
	if w := serve(handler, again(store.DeadLetters()[0])); w.Code != http.StatusOK {
		t.Errorf("answered %d", w.Code)
	}
	letters := store.DeadLetters()
	if len(letters) != 2 || !bytes.Equal(letters[0].Body, letters[1].Body) || letters[1].Header["Ce-Type"][0] != convert.JoinedType {
		t.Errorf("letters %+v", letters)
	}
}

// TestJoinThatIsSentAgainSaysSo: the attempts of its key are counted anew, and those of an event are not.
func TestJoinThatIsSentAgainSaysSo(t *testing.T) {
	broken := true
	handler, store := joined(&broken, new([]string))
	for _, source := range []string{"event1", "event2", "event3"} {
		serve(handler, eventtest.Binary(`1`, "Ce-Source", source))
	}
	letter := store.DeadLetters()[0]
	for name, c := range map[string]struct {
		request *http.Request
		want    bool
	}{
		"the letter": {again(letter), true}, "the letter from a topic": {letterPush(t, letter), true},
		"an event": {eventtest.Binary(`1`, "Ce-Source", "event1"), false},
	} {
		var resent []bool
		p := driver.New(driver.HandlerFunc(func(ctx context.Context, _ driver.Message, _ driver.Next) error {
			resent = append(resent, driver.IsResent(ctx))
			return nil
		}))
		serve(convert.ToHTTPHandler(convert.CloudEventToInput, p, quiet), c.request)
		if len(resent) == 0 || slices.Contains(resent, !c.want) {
			t.Errorf("%s: %v", name, resent)
		}
	}
}

// letterPush is a Pub/Sub push of a dead letter from a topic: headers as attributes.
func letterPush(t *testing.T, d driver.DeadLetter) *http.Request {
	t.Helper()
	attributes := map[string]string{"reason": "x"}
	for name, values := range d.Header {
		attributes[strings.ToLower(name)] = values[0]
	}
	attributes["Content-Type"] = attributes["content-type"]
	delete(attributes, "content-type")
	body, err := json.Marshal(map[string]any{"subscription": "projects/p/subscriptions/s", "message": map[string]any{
		"data": base64.StdEncoding.EncodeToString(d.Body), "attributes": attributes, "messageId": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	return eventtest.Request(body, "Content-Type", "application/json")
}

func TestJoinInAPubSubMessage(t *testing.T) {
	var acted []string
	broken := true
	handler, store := joined(&broken, &acted)
	for _, source := range []string{"event1", "event2", "event3"} {
		serve(handler, eventtest.Binary(`1`, "Ce-Source", source))
	}
	broken = false
	elsewhere, _ := joined(&broken, &acted)
	if w := serve(elsewhere, letterPush(t, store.DeadLetters()[0])); w.Code != http.StatusNoContent || len(acted) != 1 {
		t.Errorf("answered %d, acted %d times", w.Code, len(acted))
	}
}

// A letter that fails again when it came from a topic, before it is joined, is in a message inside of a message when it
// is sent to a topic once more.
func TestJoinInAPubSubMessageFailsAgain(t *testing.T) {
	var acted []string
	broken := true
	handler, store := joined(&broken, &acted)
	for _, source := range []string{"event1", "event2", "event3"} {
		serve(handler, eventtest.Binary(`1`, "Ce-Source", source))
	}
	unfit := failing(func(driver.Message) error { return driver.Permanent(errors.New("a source is missing")) })
	request := letterPush(t, store.DeadLetters()[0])
	for range 2 {
		letters := memstore.New()
		serve(convert.ToHTTPHandler(convert.CloudEventToInput, unfit, convert.DeadLetters(letters), quiet), request)
		request = letterPush(t, letters.DeadLetters()[0])
	}
	broken = false
	elsewhere, _ := joined(&broken, &acted)
	want := `{"event1":1,"event2":1,"event3":1}`
	if w := serve(elsewhere, request); w.Code != http.StatusNoContent || !slices.Equal(acted, []string{want}) {
		t.Errorf("answered %d, acted on %q, want %s", w.Code, acted, want)
	}
}

// A letter that is sent to its topic and fails again, however often, is the same letter, with what failed last.
func TestLetterThatIsPublishedAgainDoesNotGrow(t *testing.T) {
	push := eventtest.Push(`{"key": "k"}`, "x")
	malformed := eventtest.Push(`{"key": "k", "content-type": "application/json"}`, "{")
	event := eventtest.Binary(string(push), "Ce-Type", eventtest.PubSubType, "Ce-Source", eventtest.PubSubSource)
	event.Header.Del("Ce-Key")
	for name, request := range map[string]*http.Request{
		"of Eventarc": event,
		"push":        to(t, "/events/event1", eventtest.Request(push, "Content-Type", "application/json")),
		"CloudEvent":  eventtest.Binary(`"x"`),
		"undecodable": eventtest.Request(malformed, "Content-Type", "application/json"),
		"order":       orderLetter(t),
	} {
		var came []driver.Message
		var letters []driver.DeadLetter
		for range 10 {
			store := memstore.New()
			unfit := failing(func(m driver.Message) error {
				came = append(came, m)
				return driver.Permanent(fmt.Errorf("failure %d", len(came)))
			})
			serve(convert.ToHTTPHandler(convert.CloudEventToInput, unfit, convert.DeadLetters(store), quiet), request)
			d := store.DeadLetters()[0]
			letters = append(letters, d)
			request = to(t, cmp.Or(d.Path, "/"), letterPush(t, d))
		}
		second, last := letters[1], letters[9]
		same := maps.EqualFunc(last.Header, second.Header, slices.Equal) && bytes.Equal(last.Body, second.Body)
		if !same || last.Key != "k" || last.Reason != letters[0].Reason {
			t.Errorf("%s: the last letter is %+v, the second %+v", name, last, second)
		}
		if name == "undecodable" {
			continue
		}
		if len(came) != 10 || came[9].ID != came[0].ID || !bytes.Equal(came[9].Content, came[0].Content) {
			t.Errorf("%s: came as %+v", name, came)
		}
		if !strings.Contains(last.Error, "failure 10") {
			t.Errorf("%s: the last letter says %q", name, last.Error)
		}
	}
}

// orderLetter returns the letter of an order, sent again.
func orderLetter(t *testing.T) *http.Request {
	t.Helper()
	broken := true
	handler, store := joined(&broken, new([]string))
	for _, source := range []string{"event1", "event2", "event3"} {
		serve(handler, eventtest.Binary(`1`, "Ce-Source", source))
	}
	return again(store.DeadLetters()[0])
}

// What only the message around a letter says, such as its key, is not lost.
func TestLetterKeepsTheKeyItWasPublishedWith(t *testing.T) {
	first := deadLetter(t, eventtest.Request(eventtest.Push(`{}`, "x"), "Content-Type", "application/json"))
	first.Header["key"] = []string{"k"}
	store := memstore.New()
	unfit := failing(func(driver.Message) error { return driver.Permanent(errors.New("no")) })
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, unfit, convert.DeadLetters(store), quiet)
	serve(handler, letterPush(t, first))
	serve(handler, again(store.DeadLetters()[0]))
	for _, d := range store.DeadLetters() {
		if d.Key != "k" || d.Reason != driver.ReasonPermanent {
			t.Errorf("%+v", d)
		}
	}
}

// The letter of a message in which a message is forwarded, and no letter, has both.
func TestLetterOfAForwardedMessage(t *testing.T) {
	store := memstore.New()
	unfit := failing(func(driver.Message) error { return driver.Permanent(errors.New("no")) })
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, unfit, convert.DeadLetters(store), quiet)
	serve(handler, eventtest.Request(eventtest.Push(`{"key":"k"}`, "x"), "Content-Type", "application/json"))
	body, err := io.ReadAll(letterPush(t, store.DeadLetters()[0]).Body)
	if err != nil {
		t.Fatal(err)
	}
	body = bytes.Replace(body, []byte(`"reason":"x"`), []byte(`"tenant":"acme"`), 1)
	serve(handler, eventtest.Request(body, "Content-Type", "application/json"))
	if d := store.DeadLetters()[1]; !bytes.Contains(d.Body, []byte(`"tenant":"acme"`)) {
		t.Errorf("the letter is %s", d.Body)
	}
}

func TestMalformedJoins(t *testing.T) {
	tooMany := `{"v":1,"events":[` + strings.Repeat(`{"key":"k","source":"event1"},`, 1000) + `{"key":"k","source":"event1"}]}`
	for _, body := range []string{
		"", "{", "null", "[]", `{"v":1}`, `{"v":2,"events":[{"key":"k","source":"event1"}]}`, `{"v":1,"events":[]}`, tooMany,
		`{"v":1,"events":[{"key":"","source":"event1"}]}`, `{"v":1,"events":[{"key":"k","source":""}]}`, `{"v":1,"events":[{"key":1}]}`,
		`{"v":1,"events":[{"key":"k","source":"event1","content":"!","contentEncoding":"base64"}]}`,
		`{"v":1,"events":[{"key":"k","source":"event1","contentEncoding":"rot13"}]}`,
		`{"v":1,"events":[{"key":"k","source":"event1","time":"yesterday"}]}`,
		`{"v":1,"events":[{"key":"` + strings.Repeat("k", decode.MaxName+1) + `","source":"event1"}]}`,
	} {
		letter := deadLetter(t, eventtest.Binary(body, "Ce-Type", convert.JoinedType))
		if letter.Reason == "" || string(letter.Body) != body || letter.Header["Ce-Type"][0] != convert.JoinedType {
			t.Errorf("%.80s: letter %+v", body, letter)
		}
	}
}

// If the joined events are too large to be sent again as one, the letter has the last event.
func TestJoinThatIsTooLargeIsTheEventAlone(t *testing.T) {
	store := memstore.New()
	p := driver.New(joiner.New(joiner.MatchAll("event1", "event2"), store), driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
		return driver.Permanent(errors.New("a bug"))
	}))
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, p, convert.DeadLetters(store), convert.BodyLimit(1000), quiet)
	large := `"` + strings.Repeat("x", 600) + `"`
	for _, source := range []string{"event1", "event2"} {
		serve(handler, eventtest.Binary(large, "Ce-Source", source))
	}
	if letters := store.DeadLetters(); len(letters) != 1 || string(letters[0].Body) != large || letters[0].Header["Ce-Source"][0] != "event2" {
		t.Errorf("letters %+v", letters)
	}
}

// A letter of a part of the events waits for the rest, and answers so.
func TestJoinWithoutAnEventWaits(t *testing.T) {
	var acted []string
	broken := false
	handler, _ := joined(&broken, &acted)
	body := `{"v":1,"events":[{"id":"1","key":"k","source":"event1","content":"1"},{"id":"2","key":"k","source":"event2","content":"2"}]}`
	if w := serve(handler, eventtest.Binary(body, "Ce-Type", convert.JoinedType)); w.Code != http.StatusAccepted {
		t.Errorf("answered %d, want 202", w.Code)
	}
	if w := serve(handler, eventtest.Binary("3", "Ce-Source", "event3")); w.Code != http.StatusNoContent || !slices.Equal(acted, []string{`{"event1":1,"event2":2,"event3":3}`}) {
		t.Errorf("answered %d, acted on %q", w.Code, acted)
	}
}

// Reading joined events takes little memory that is not counted, whatever their data becomes.
func TestJoinedExpansionIsBounded(t *testing.T) {
	const copies, fixed = 4, 1 << 20
	for _, n := range []int{1000, 45_000, 110_000} {
		for name, body := range map[string]string{
			"events":             `{"v":1,"events":[` + strings.Repeat(`{},`, n) + `{}]}`,
			"nulls":              `{"v":1,"events":[` + strings.Repeat(`null,`, n) + `null]}`,
			"attributes":         `{"v":1,"events":[{"attributes":` + eventtest.JSONMembers(n, `""`) + `}]}`,
			"lists":              `{"v":1,` + strings.Repeat(`"events":[{},{}],`, n/2) + `"events":[]}`,
			"unknown values":     `{"v":1,"new":[` + strings.Repeat(`{},`, n) + `{}],"events":[]}`,
			"values of no order": `[` + strings.Repeat(`{},`, n) + `{}]`,
		} {
			a := &eventtest.Account{}
			r := eventtest.Binary(body, "Ce-Type", convert.JoinedType)
			before := eventtest.Allocated()
			w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, driver.New(), quiet), r.WithContext(driver.WithMemory(t.Context(), a)))
			took := int64(eventtest.Allocated() - before)
			if took > a.Grown+copies*int64(len(body))+fixed || w.Code != http.StatusBadRequest {
				t.Errorf("%d times %s, %d bytes: answered %d, allocated %d bytes, of which %d were counted", n, name, len(body), w.Code, took, a.Grown)
			}
		}
	}
}

// The memory of a letter is counted, with the size that the contents have in it.
func TestLetterOfAJoinIsCounted(t *testing.T) {
	broken := true
	handler, store := joined(&broken, nil)
	text := strings.Repeat("\x00", 50_000)
	a := &eventtest.Account{}
	for _, source := range []string{"event1", "event2", "event3"} {
		a.Grown = 0
		r := eventtest.Binary(text, "Ce-Source", source, "Content-Type", "text/plain")
		serve(handler, r.WithContext(driver.WithMemory(t.Context(), a)))
	}
	letters := store.DeadLetters()
	if len(letters) != 1 || letters[0].Header["Ce-Type"][0] != convert.JoinedType {
		t.Fatalf("letters %+v", letters)
	}
	joinedContent := int64(3 * len(`\u0000`) * len(text))
	if want := 2*joinedContent + 2*int64(len(letters[0].Body)); a.Grown < want {
		t.Errorf("%d bytes were counted, want at least %d: a letter of %d", a.Grown, want, len(letters[0].Body))
	}
}

// No letter is written that could not be read again.
func TestJoinWithTooManyValuesIsTheEventAlone(t *testing.T) {
	store := memstore.New()
	attributes := make(map[string]string)
	for i := range decode.MaxValues / 2 {
		attributes[fmt.Sprint(i)] = ""
	}
	many := func(ctx context.Context, e *cloudevents.Event) (driver.Message, error) {
		m, err := convert.CloudEventToInput(ctx, e)
		m.Attributes = attributes
		return m, err
	}
	p := driver.New(joiner.New(joiner.MatchAll("event1", "event2"), store), driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
		return driver.Permanent(errors.New("a bug"))
	}))
	handler := convert.ToHTTPHandler(many, p, convert.DeadLetters(store), quiet)
	for _, source := range []string{"event1", "event2"} {
		serve(handler, eventtest.Binary("1", "Ce-Source", source))
	}
	if letters := store.DeadLetters(); len(letters) != 1 || letters[0].Header["Ce-Source"][0] != "event2" {
		t.Errorf("letters %+v", letters)
	}
}

// TestLetterOfAnEventOfSeveralKeys: a handler goes on with one event for two keys, and the second join is rejected. The
// events of the first one are not those that failed, so the letter has the event itself.
func TestLetterOfAnEventOfSeveralKeys(t *testing.T) {
	store := memstore.New()
	split := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		for _, key := range []string{"k1", "k2"} {
			in.Key = key
			if err := next.Call(ctx, in); err != nil {
				return err
			}
		}
		return nil
	})
	business := driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
		if in.Key == "k2" {
			return driver.Permanent(errors.New("no such customer"))
		}
		return nil
	})
	p := driver.New(split, joiner.New(joiner.MatchAll("event1"), store), business)
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, p, convert.DeadLetters(store), quiet)
	r := eventtest.Binary(`"a"`, "Ce-Source", "event1", "Ce-Key", "shipment")
	if w := serve(handler, r); w.Code != http.StatusOK {
		t.Fatal(w.Code, w.Body)
	}
	if d := store.DeadLetters()[0]; string(d.Body) != `"a"` || http.Header(d.Header).Get("Ce-Key") != "shipment" {
		t.Errorf("the letter is %v, %s", d.Header, d.Body)
	}
}
