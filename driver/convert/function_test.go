package convert_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/stores/memstore"
)

// The adapters have the types that the Functions Framework and the SDK ask for.
func TestRegistration(t *testing.T) {
	functions.HTTP("ConvertHTTP", convert.ToHTTPHandler(convert.CloudEventToInput, driver.New()))
	functions.CloudEvent("ConvertCloudEvent", convert.ToCloudFunction(convert.CloudEventToInput, driver.New()))
}

func status(t *testing.T, err error) int {
	t.Helper()
	var result *cehttp.Result
	if !cloudevents.ResultAs(err, &result) {
		t.Fatalf("%v has no status", err)
	}
	return result.StatusCode
}

func TestCloudFunction(t *testing.T) {
	permanent := driver.Permanent(errors.New("100%s"))
	for name, c := range map[string]struct {
		err    error
		store  driver.DeadLetterStore
		status int // 0: acknowledged
	}{
		"processed":        {nil, nil, 0},
		"dead-lettered":    {permanent, memstore.New(), 0},
		"dead letters off": {permanent, nil, 400},
		"held":             {&driver.HeldError{Key: "k"}, memstore.New(), 503},
		"transient":        {errors.New("down"), memstore.New(), 500},
		"not kept":         {permanent, brokenStore{errors.New("full")}, 500},
	} {
		t.Run(name, func(t *testing.T) {
			f := convert.ToCloudFunction(convert.CloudEventToInput, failing(func(driver.Message) error { return c.err }),
				convert.DeadLetters(c.store), quiet)
			err := f(t.Context(), *newEvent(t, "com.example", "event1", []byte(`{}`)))
			if c.status == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if status(t, err) != c.status {
				t.Errorf("%v, want status %d", err, c.status)
			}
			if want := name == "dead letters off"; driver.IsPermanent(err) != want || errors.Is(err, driver.ErrHeld) != (c.status == 503) {
				t.Errorf("the failure is not what it was: %v", err)
			}
			if strings.Contains(err.Error(), "MISSING") {
				t.Errorf("the error's text was used as a format: %v", err)
			}
		})
	}
}

func TestRebuiltDeadLetter(t *testing.T) {
	store := memstore.New()
	f := convert.ToCloudFunction(convert.CloudEventToInput, failing(func(driver.Message) error { return driver.Permanent(errors.New("no")) }),
		convert.DeadLetters(store), quiet)
	e := newEvent(t, "com.example", "event1", []byte(`{ "a": 1 }`))
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

func TestOutputToCloudResult(t *testing.T) {
	e, result := convert.OutputToCloudResult(t.Context(), nil)
	if e != nil || !cloudevents.IsACK(result) {
		t.Errorf("%v, %v; want ACK", e, result)
	}
	for err, want := range map[error]int{
		driver.Permanent(errors.New("100%s")): 400, driver.ErrHeld: 503, errors.New("100%s"): 500,
	} {
		e, result := convert.OutputToCloudResult(t.Context(), err)
		if e != nil || status(t, result) != want || !errors.Is(result, err) || !strings.HasSuffix(result.Error(), err.Error()) {
			t.Errorf("%v: %v, want status %d", err, result, want)
		}
	}
}

func TestKNativeEventHandler(t *testing.T) {
	noKey := newEvent(t, "com.example", "event1", []byte(`{}`))
	noKey.SetExtension("key", nil)
	h := convert.ToKNativeEventHandler(convert.CloudEventToInput, failing(accept), convert.OutputToCloudResult, quiet)
	if _, result := h(t.Context(), *newEvent(t, "com.example", "event1", nil)); !cloudevents.IsACK(result) {
		t.Error(result)
	}
	if _, result := h(t.Context(), *noKey); status(t, result) != 400 {
		t.Errorf("dead letters off: %v, want 400", result)
	}
	store := memstore.New()
	h = convert.ToKNativeEventHandler(convert.CloudEventToInput, never(t), convert.OutputToCloudResult, convert.DeadLetters(store), quiet)
	if _, result := h(t.Context(), *noKey); !cloudevents.IsACK(result) || len(store.DeadLetters()) != 1 {
		t.Errorf("dead letters on: %v, %d kept", result, len(store.DeadLetters()))
	}
	h = convert.ToKNativeEventHandler(convert.CloudEventToInput, never(t), convert.OutputToCloudResult,
		convert.DeadLetters(brokenStore{driver.Permanent(errors.New("full"))}), quiet)
	if _, result := h(t.Context(), *noKey); status(t, result) != 500 {
		t.Errorf("not kept: %v, want 500", result)
	}
}

// The SDK's receiver takes the function, and passes its answers on.
func TestKNativeReceiver(t *testing.T) {
	protocol, err := cloudevents.NewHTTP()
	if err != nil {
		t.Fatal(err)
	}
	pipeline := failing(func(m driver.Message) error {
		if m.Key == "held" {
			return driver.ErrHeld
		}
		return nil
	})
	handler, err := cloudevents.NewHTTPReceiveHandler(t.Context(), protocol,
		convert.ToKNativeEventHandler(convert.CloudEventToInput, pipeline, convert.OutputToCloudResult, quiet))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int{"k": 200, "held": 503, "": 400} {
		if w := serve(handler, binary(`{}`, "Ce-Key", key)); w.Code != want {
			t.Errorf("key %q: %d, want %d", key, w.Code, want)
		}
	}
}

func TestLog(t *testing.T) {
	panicked := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { panic("boom") })
	for name, c := range map[string]struct {
		p     convert.Processor
		store driver.DeadLetterStore
		body  string
		want  []string
	}{
		"processed": {failing(accept), nil, `{}`, []string{"level=DEBUG", "event=id-1", "type=com.example", "key=k", "source=event1"}},
		"held": {failing(func(driver.Message) error { return driver.ErrHeld }), nil, `{}`,
			[]string{"level=INFO", "handler=", "error="}},
		"panic": {driver.New(panicked), nil, `{}`, []string{"level=WARN", "stack=", "boom", "event=id-1"}},
		"dead-lettered": {failing(accept), memstore.New(), `{"` + secret,
			[]string{"level=ERROR", "reason=undecodable", "event=id-1", "type=com.example", "source=event1"}},
		"not kept": {failing(accept), brokenStore{errors.New("full")}, `{"` + secret, []string{"level=ERROR", "reason=undecodable", "full"}},
		"off":      {failing(accept), nil, `{"` + secret, []string{"level=ERROR", "reason=undecodable"}},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			serve(convert.ToHTTPHandler(convert.CloudEventToInput, c.p, convert.DeadLetters(c.store), convert.Logger(logger)), binary(c.body))
			if strings.Count(log.String(), "\n") != 1 || strings.Contains(log.String(), secret) {
				t.Errorf("not one record, or the payload in it:\n%s", log.String())
			}
			for _, part := range c.want {
				if !strings.Contains(log.String(), part) {
					t.Errorf("no %s in %s", part, log.String())
				}
			}
		})
	}
}

// A letter that the function makes of an event, or of a push, is the same event again
// over HTTP, also where its attributes need percent-encoding there.
func TestLetterIsTheSameEventAgain(t *testing.T) {
	for _, text := range []string{"100%41", "Euro €", `"quoted"`, `a"b\c`, "%", "a b", "\u00e9\U0001f600", "a%2541"} {
		store := memstore.New()
		f := convert.ToCloudFunction(convert.CloudEventToInput, failing(func(driver.Message) error { return driver.Permanent(errors.New("no")) }),
			convert.DeadLetters(store), quiet)
		e := newEvent(t, "com.example", "event1", []byte(`1`))
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
		r := request(d.Body)
		r.Header = d.Header
		if m := convertRequest(t, convert.CloudEventToInput, r); !reflect.DeepEqual(m, want) {
			t.Errorf("%q: sent again it is %+v, want %+v", text, m, want)
		}
	}
}

// An event that a program has made is what it declares, also where its data was given as
// a []byte, of which the SDK notes that it would be written in base64.
func TestEventMadeByAProgramIsWhatItDeclares(t *testing.T) {
	for media, want := range map[string]string{"application/json": "application/json", "text/plain": "text/plain", "image/png": "image/png"} {
		e := newEvent(t, "com.example", "event1", nil)
		if err := e.SetData(media, []byte(`{"a":1}`)); err != nil {
			t.Fatal(err)
		}
		if m, err := convert.CloudEventToInput(t.Context(), e); err != nil || m.MediaType != want || string(m.Content) != `{"a":1}` {
			t.Errorf("%s: %s, %q, %v", media, m.MediaType, m.Content, err)
		}
	}
}
