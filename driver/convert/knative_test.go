package convert_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/internal/eventtest"
	"example.com/eventdriver/stores/memstore"
)

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
	noKey := eventtest.Event("com.example", "event1", []byte(`{}`))
	noKey.SetExtension("key", nil)
	h := convert.ToKNativeEventHandler(convert.CloudEventToInput, failing(accept), convert.OutputToCloudResult, quiet)
	if _, result := h(t.Context(), *eventtest.Event("com.example", "event1", nil)); !cloudevents.IsACK(result) {
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
		if w := serve(handler, eventtest.Binary(`{}`, "Ce-Key", key)); w.Code != want {
			t.Errorf("key %q: %d, want %d", key, w.Code, want)
		}
	}
}

// An event gets its answer also if the OutputConverter panics.
func TestOutputConverterThatPanics(t *testing.T) {
	for does, end := range ends {
		for _, failure := range []error{nil, errors.New("down"), driver.Permanent(errors.New("bad"))} {
			out := func(context.Context, error) (*cloudevents.Event, cloudevents.Result) { return nil, end() }
			receive := convert.ToKNativeEventHandler(convert.CloudEventToInput, failing(func(driver.Message) error { return failure }), out, quiet)
			reply, result := receive(t.Context(), keyed("s"))
			if len(result.Error()) > 40<<10 || reply != nil {
				t.Errorf("%s: %v, %.300v", does, reply, result)
			}
			if strings.HasPrefix(does, "return") || strings.HasPrefix(does, "reject") {
				continue // that is its answer
			}
			if cloudevents.IsACK(result) != (failure == nil) || failure != nil && !errors.Is(result, failure) {
				t.Errorf("%s: %v was answered %v", does, failure, result)
			}
		}
	}
}

// keyed returns an event of that source.
func keyed(source string) cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetID("1")
	e.SetSource(source)
	e.SetType("t")
	e.SetExtension("key", "k")
	return e
}
