package convert_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/internal/eventtest"
	"example.com/eventdriver/stores/memstore"
)

func TestDeadLetterIsWhole(t *testing.T) {
	store := memstore.New()
	pipeline := failing(func(driver.Message) error { return driver.Permanent(errors.New("no")) })
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, pipeline, convert.DeadLetters(store), quiet)
	r := eventtest.Request([]byte(eventtest.PushBody), "Content-Type", "application/json", "User-Agent", "1",
		"Authorization", "Bearer x", "Cookie", "x", "Proxy-Authorization", "x", "X-Serverless-Authorization", "x",
		"X-Goog-Iap-Jwt-Assertion", "x", "X-Api-Key", "x", "X-Forwarded-Authorization", "x", "X-Access-Token", "x")
	if w := serve(handler, r); w.Code != http.StatusOK {
		t.Fatal(w.Code)
	}
	d := store.DeadLetters()[0]
	if d.Reason != driver.ReasonPermanent || !strings.Contains(d.Error, "no") || d.Handler != "handler 1" {
		t.Errorf("%+v", d)
	}
	if d.ID != "m1" || d.Key != "o1" || d.Source != "s1" || d.Attempt != 5 || d.Time.IsZero() {
		t.Errorf("%+v", d)
	}
	// The push's own headers, and those with which Eventarc would have sent it.
	for name, want := range map[string]string{"Content-Type": "application/json", "User-Agent": "1", "Ce-Id": "m1", "Ce-Specversion": "1.0",
		"Ce-Type": "google.cloud.pubsub.topic.v1.messagePublished", "Ce-Source": "//pubsub.googleapis.com/projects/p/subscriptions/s1", "Ce-Time": "2021-02-05T04:06:14Z"} {
		if !slices.Equal(d.Header[name], []string{want}) {
			t.Errorf("header %s: %q, want %q", name, d.Header[name], want)
		}
	}
	if string(d.Body) != eventtest.PushBody || len(d.Header) != 7 {
		t.Errorf("header %v, body %s", d.Header, d.Body)
	}
	if r.Header.Get("Authorization") == "" {
		t.Error("the request's own header was changed")
	}
}

func TestDeadLetterOfNoEvent(t *testing.T) {
	d := deadLetter(t, eventtest.Binary(`{`))
	if d.ID != "id-1" || d.Source != "event1" || d.Handler != "" || string(d.Body) != "{" {
		t.Errorf("%+v", d)
	}
	r := eventtest.Binary(`x`, "Ce-Specversion", "9")
	if d := deadLetter(t, r); d.ID != "id-1" || d.Source != "event1" || string(d.Body) != "x" {
		t.Errorf("%+v", d)
	}
}

// A client that disconnects while its event is dead-lettered loses nothing.
func TestDeadLetterOutlivesTheRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	store := storeFunc(func(ctx context.Context, _ driver.DeadLetter) error {
		cancel()
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("the writing of a dead letter is not bounded")
		}
		return ctx.Err()
	})
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, never(t), convert.DeadLetters(store), quiet)
	if w := serve(handler, eventtest.Binary(`{`).WithContext(ctx)); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// The letter of an event with a name that is too long has all but that name.
func TestLongNamesAreNotRepeated(t *testing.T) {
	long := strings.Repeat("k", 1<<19)
	d := deadLetter(t, eventtest.Binary(`{}`, "Ce-Key", long))
	if d.Key != "" || d.ID != "id-1" || len(d.Error) > 1000 || len(d.Header["Ce-Key"][0]) != len(long) {
		t.Errorf("key of %d bytes, ID %q, error of %d bytes", len(d.Key), d.ID, len(d.Error))
	}
	d = deadLetter(t, eventtest.Request(nil, "Content-Type", "application/"+strings.Repeat("é", 1<<18)))
	if len(d.Error) > 40<<10 || !strings.Contains(d.Error, " bytes)") || d.Reason != driver.ReasonUndecodable {
		t.Errorf("%s, error of %d bytes: %.100s", d.Reason, len(d.Error), d.Error)
	}
}

// A header that may hold a credential is never logged, stored or answered, and a payload is never
// logged or answered, whatever the outcome of the request.
func TestSecretsStayOut(t *testing.T) {
	secretHeaders := []string{"Authorization", "Proxy-Authorization", "X-Serverless-Authorization", "X-Forwarded-Authorization", "Cookie",
		"X-Api-Key", "X-Access-Token", "X-Goog-Iap-Jwt-Assertion", "X-Amz-Security-Token", "X-Client-Secret", "X-Session-Id", "X-Hub-Signature",
		"X-Functions-Key", "Ocp-Apim-Subscription-Key", "X-Webhook-Key", "Api_key", "X-Passwd", "X-Pin", "Dpop", "X-Amz-Credential",
		"X-Forwarded-Client-Cert", "X-Anything", "Content-Type-Key", "X-Goog-Pubsub-Key", "Key", "Baggage",
		"Ce-Api-Key", "Ce-X-Token", "Ce_Key", "Ce-"}
	var log bytes.Buffer
	logger := convert.Logger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for name, err := range map[string]error{
		"processed": nil, "failed": errors.New("down"), "held": &driver.HeldError{Key: "k"}, "permanent": driver.Permanent(errors.New("no")),
	} {
		for body, r := range map[string]*http.Request{
			"binary":    eventtest.Binary(`{"card":"` + eventtest.Secret + `"}`),
			"malformed": eventtest.Binary(`{"card":"` + eventtest.Secret),
			"no event":  eventtest.Request([]byte(eventtest.Secret), "Content-Type", "text/plain"),
			"GET":       httpGet(),
			"push":      eventtest.Request(eventtest.Push(`{"key":"k"}`, eventtest.Secret), "Content-Type", "application/json"),
			"broken":    brokenRequest(),
		} {
			for _, header := range secretHeaders {
				r.Header.Set(header, "Bearer "+eventtest.Secret)
			}
			store := memstore.New()
			w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, failing(func(driver.Message) error { return err }), convert.DeadLetters(store), logger), r)
			if answer := fmt.Sprint(w.Header(), w.Body); strings.Contains(answer, eventtest.Secret) {
				t.Errorf("%s, %s: answered %s", name, body, answer)
			}
			for _, d := range store.DeadLetters() {
				if strings.Contains(fmt.Sprint(d.Header, d.Error), eventtest.Secret) {
					t.Errorf("%s, %s: kept %v, %s", name, body, d.Header, d.Error)
				}
			}
		}
	}
	if log.Len() == 0 || strings.Contains(log.String(), eventtest.Secret) {
		t.Errorf("logged %s", log.String())
	}
}

func httpGet() *http.Request {
	r := eventtest.Binary("")
	r.Method = http.MethodGet
	return r
}

func brokenRequest() *http.Request {
	r := eventtest.Binary("")
	r.Body = io.NopCloser(brokenReader{})
	return r
}

// A dead letter keeps the headers that describe the event, and how it came.
func TestLetterKeepsWhatDescribesTheEvent(t *testing.T) {
	want := map[string]string{"Content-Type": "application/json", "User-Agent": "APIs-Google", "Date": "Wed, 25 Nov 2026 19:00:00 GMT",
		"Traceparent": "00-1-2-01", "X-Cloud-Trace-Context": "1/2", "X-Goog-Pubsub-Message-Id": "7", "X-Goog-Pubsub-Delivery-Attempt": "5",
		"X-Goog-Pubsub-Subscription-Name": "projects/p/subscriptions/s", "X-Goog-Pubsub-Publish-Time": "2026-11-25T19:00:00Z",
		"X-Goog-Pubsub-Ordering-Key": "o", "Ce-Authcontext": "user", "Ce-Specversion": "0.9"}
	r := eventtest.Binary(`{}`)
	for name, value := range want {
		r.Header.Set(name, value)
	}
	kept := deadLetter(t, r).Header
	for name, value := range want {
		if got := http.Header(kept).Get(name); got != value {
			t.Errorf("%s: kept %q, want %q", name, got, value)
		}
	}
}

func TestRebuiltDeadLetter(t *testing.T) {
	store := memstore.New()
	f := convert.ToCloudFunction(convert.CloudEventToInput, failing(func(driver.Message) error { return driver.Permanent(errors.New("no")) }),
		convert.DeadLetters(store), quiet)
	e := eventtest.Event("com.example", "event1", []byte(`{ "a": 1 }`))
	e.SetSubject("subject")
	e.SetTime(time.Date(2024, 1, 2, 3, 4, 5, 6, time.UTC))
	e.SetExtension("attempts", 7)
	if err := f(t.Context(), *e); err != nil {
		t.Fatal(err)
	}
	d := store.DeadLetters()[0]
	r := httptest.NewRequest("POST", "/", bytes.NewReader(d.Body))
	r.Header = d.Header
	back, err := cloudevents.NewEventFromHTTPRequest(r)
	if err != nil {
		t.Fatal(err)
	}
	e.SetExtension("attempts", "7") // HTTP has strings only
	if back.String() != e.String() || string(d.Body) != `{ "a": 1 }` {
		t.Errorf("sent again the dead letter is\n%v\nwant\n%v", back, e)
	}
	if d.Key != "k" || d.ID != "id-1" || d.Source != "event1" {
		t.Errorf("%+v", d)
	}
	if err := f(t.Context(), cloudevents.Event{}); err != nil || len(store.DeadLetters()) != 2 {
		t.Errorf("an empty event: %v, %d dead letters", err, len(store.DeadLetters()))
	}
}

// The letter of an event that came without its request is the same event when it is sent again over
// HTTP, also if its attributes need percent-encoding there.
func TestLetterIsTheSameEventAgain(t *testing.T) {
	for _, text := range []string{"100%41", "Euro €", `"quoted"`, `a"b\c`, "%", "a b", "\u00e9\U0001f600", "a%2541"} {
		store := memstore.New()
		f := convert.ToCloudFunction(convert.CloudEventToInput, failing(func(driver.Message) error { return driver.Permanent(errors.New("no")) }),
			convert.DeadLetters(store), quiet)
		e := eventtest.Event("com.example", "event1", []byte(`1`))
		e.SetID(text)
		e.SetType(text)
		e.SetSubject(text)
		e.SetExtension("key", text)
		want, err := convert.CloudEventToInput(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		if err := f(t.Context(), *e); err != nil {
			t.Fatal(err)
		}
		d := store.DeadLetters()[0]
		r := eventtest.Request(d.Body)
		r.Header = d.Header
		if m := convertRequest(t, convert.CloudEventToInput, r); !reflect.DeepEqual(m, want) {
			t.Errorf("%q: sent again it is %+v, want %+v", text, m, want)
		}
	}
}

// The ce- headers beside a push are not the event's, and must not become so when the letter is sent again.
func TestLetterOfAPushLeavesStrayHeadersOut(t *testing.T) {
	store := memstore.New()
	var came []driver.Message
	h := convert.ToHTTPHandler(convert.CloudEventToInput, failing(func(m driver.Message) error {
		came = append(came, m)
		return driver.Permanent(errors.New("no"))
	}), convert.DeadLetters(store), quiet)
	push := eventtest.Push(`{"key": "k"}`, "x")
	serve(h, eventtest.Request(push, "Content-Type", "application/json", "Ce-Key", "stray", "Ce-Other", "stray"))
	d := store.DeadLetters()[0]
	again := eventtest.Request(d.Body)
	again.Header = d.Header
	serve(h, again)
	if len(came) != 2 || came[0].Key != "k" || !reflect.DeepEqual(came[1], came[0]) {
		t.Errorf("came as %+v; its letter has %v", came, d.Header)
	}
}

// A letter has the path by which its event came, so that it can be sent there again.
func TestLetterRecordsThePath(t *testing.T) {
	unknown := driver.Reject(driver.ReasonUnknownSource, errors.New("no such source"))
	for name, c := range map[string]struct {
		target         string
		request        *http.Request
		err            error
		path, source   string
		error, excepts string
	}{
		"unknown source":          {"/events/typo", eventtest.Binary(`{}`), unknown, "/events/typo", "typo", "/events/typo", ""},
		"unknown source, no path": {"/", eventtest.Binary(`{}`), unknown, "", "event1", "no such source", "path"},
		"another failure":         {"/events/event2", eventtest.Binary(`{}`), driver.Permanent(errors.New("no")), "/events/event2", "event2", "no", "path"},
		"no key":                  {"/events/event2", eventtest.Binary(`{}`, "Ce-Key", ""), nil, "/events/event2", "event2", "key", ""},
		"no event":                {"/events/event2", eventtest.Request([]byte(`garbage`)), nil, "/events/event2", "event2", "", ""},
		"malformed":               {"/events/event2", eventtest.Binary(`{`), nil, "/events/event2", "event2", "", ""},
		"another path":            {"/projects/p/topics/t", eventtest.Binary(`{`), nil, "", "event1", "", ""},
	} {
		store := memstore.New()
		pipeline := failing(func(driver.Message) error { return c.err })
		handler := convert.ToHTTPHandler(convert.CloudEventToInput, pipeline, convert.DeadLetters(store), quiet)
		w := serve(handler, to(t, c.target, c.request))
		letters := store.DeadLetters()
		if w.Code != http.StatusOK || len(letters) != 1 {
			t.Errorf("%s: %d %s, %d letters", name, w.Code, w.Body, len(letters))
			continue
		}
		l := letters[0]
		if l.Path != c.path || l.Source != c.source || !strings.Contains(l.Error, c.error) || c.excepts != "" && strings.Contains(l.Error, c.excepts) {
			t.Errorf("%s: path %q, source %q, error %q; want %q, %q and %q", name, l.Path, l.Source, l.Error, c.path, c.source, c.error)
		}
	}
}
