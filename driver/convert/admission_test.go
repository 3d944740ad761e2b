package convert_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/admission"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/internal/eventtest"
	"example.com/eventdriver/stores/memstore"
)

// full returns a gate with no memory for large requests until release is called.
func full(t *testing.T) (gate *admission.Gate, release func()) {
	t.Helper()
	gate = admission.New(admission.Least)
	grant, err := gate.Admit(t.Context(), gate.Largest())
	if err != nil {
		t.Fatal(err)
	}
	return gate, grant.Release
}

// noticed is a body that remembers when it was first read.
type noticed struct {
	*bytes.Reader
	first time.Time
}

func (n *noticed) Read(p []byte) (int, error) {
	if n.first.IsZero() {
		n.first = time.Now()
	}
	return n.Reader.Read(p)
}

func (n *noticed) Close() error { return nil }

const megabyte = 1 << 20

func TestRequestWaitsForMemoryBeforeItsBodyIsRead(t *testing.T) {
	for name, free := range map[string]time.Duration{"in time": admission.Wait - 1, "too late": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate, release := full(t)
				began := time.Now()
				time.AfterFunc(free, release)
				body := &noticed{Reader: bytes.NewReader(make([]byte, megabyte))}
				r := eventtest.Binary("", "Content-Type", "application/octet-stream")
				r.Body, r.ContentLength = body, megabyte
				got := 0
				w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, failing(func(m driver.Message) error {
					got = len(m.Content)
					return nil
				}), convert.Admission(gate), quiet), r)
				if body.first.Sub(began) != min(free, admission.Wait) || body.Len() != 0 {
					t.Errorf("the body was read after %v, but for %d bytes", body.first.Sub(began), body.Len())
				}
				if free < admission.Wait && (w.Code != http.StatusNoContent || got != megabyte) {
					t.Errorf("answered %d, with %d bytes processed", w.Code, got)
				}
				if free > admission.Wait && (w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || got != 0) {
					t.Errorf("answered %d %v; want 503 with Retry-After", w.Code, w.Header())
				}
				time.Sleep(time.Minute)
				if gate.InUse() != 0 {
					t.Errorf("%d bytes are in use in the end", gate.InUse())
				}
			})
		})
	}
}

func TestSmallRequestIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, release := full(t)
		defer release()
		began := time.Now()
		w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, failing(accept), convert.Admission(gate), quiet), eventtest.Binary(`{}`))
		if waited := time.Since(began); w.Code != http.StatusNoContent || waited != 0 {
			t.Errorf("answered %d after %v", w.Code, waited)
		}
	})
}

// A request counts its body, the body again if the length was not known, and the decoded data.
func TestWhatARequestCounts(t *testing.T) {
	const size = 128 << 10
	gate := admission.New(256 * megabyte)
	push := fmt.Sprintf(`{"message":{"messageId":"1","data":"%s","attributes":{"key":"k"}},"subscription":"projects/p/subscriptions/s"}`,
		base64.StdEncoding.EncodeToString(make([]byte, size)))
	structured := fmt.Sprintf(`{"specversion":"1.0","id":"1","source":"s","type":"t","key":"k","data_base64":"%s"}`,
		base64.StdEncoding.EncodeToString(make([]byte, size)))
	unknown := func(r *http.Request) *http.Request {
		r.ContentLength = -1
		return r
	}
	for name, test := range map[string]struct {
		request *http.Request
		want    int
	}{
		"binary":                   {eventtest.Binary(strings.Repeat("1", size)), size},
		"of unknown length":        {unknown(eventtest.Binary("1")), 2 * 8 * size},
		"a push":                   {eventtest.Request([]byte(push)), 2 * len(push)},
		"a push of unknown length": {unknown(eventtest.Request([]byte(push))), 3 * 8 * size},
		"a Pub/Sub event": {eventtest.Binary(push, "Ce-Type", "google.cloud.pubsub.topic.v1.messagePublished",
			"Ce-Source", "//pubsub.googleapis.com/projects/p/topics/t"), 2 * len(push)},
		"structured": {eventtest.Request([]byte(structured), "Content-Type", "application/cloudevents+json"), 2 * len(structured)},
	} {
		t.Run(name, func(t *testing.T) {
			var during int64
			w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, failing(func(driver.Message) error {
				during = gate.InUse()
				return nil
			}), convert.Admission(gate), convert.BodyLimit(8*size), quiet), test.request)
			if w.Code != http.StatusNoContent {
				t.Fatalf("answered %d %s", w.Code, w.Body)
			}
			const overhead = 64 << 10
			if during != int64(test.want+overhead) {
				t.Errorf("%d bytes were counted, want %d and %d", during, test.want, overhead)
			}
			if gate.InUse() != 0 {
				t.Errorf("%d bytes are in use in the end", gate.InUse())
			}
		})
	}
}

func TestBodyIsCutWhereMemoryIsLess(t *testing.T) {
	gate := admission.New(admission.Least)
	most := int(convert.LargestBody(gate))
	store := memstore.New()
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, failing(accept), convert.Admission(gate), convert.DeadLetters(store), quiet)
	for _, length := range []int64{int64(most + 1), -1} {
		r := eventtest.Binary("", "Content-Type", "text/plain")
		r.Body, r.ContentLength = &noticed{Reader: bytes.NewReader(make([]byte, most+1))}, length
		w := serve(handler, r)
		letters := store.DeadLetters()
		if last := letters[len(letters)-1]; w.Code != http.StatusOK || len(last.Body) != most {
			t.Errorf("answered %d, and %d bytes are kept", w.Code, len(last.Body))
		}
	}
	if w := serve(handler, eventtest.Binary(strings.Repeat("1", most))); w.Code != http.StatusNoContent {
		t.Errorf("one that fits: %d %s", w.Code, w.Body)
	}
}

// An event for which no memory is free now is redelivered, and never dead-lettered as too old. An
// event that never fits is dead-lettered.
func TestEventWithoutMemoryComesAgain(t *testing.T) {
	gate := admission.New(admission.Least)
	store := memstore.New()
	grow := func(n int64) *driver.Pipeline {
		return driver.New(driver.HandlerFunc(func(ctx context.Context, m driver.Message, next driver.Next) error {
			if err := driver.Grow(ctx, int(n)); err != nil {
				return err
			}
			return next.Call(ctx, m)
		}))
	}
	opts := []convert.Option{convert.Admission(gate), convert.DeadLetters(store), convert.MaxAge(1), quiet}
	other, err := gate.Admit(t.Context(), gate.Largest())
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Grow(1); err != nil { // the lane
		t.Fatal(err)
	}
	old := func() *http.Request { return eventtest.Binary(`{}`, "Ce-Time", "2001-01-01T00:00:00Z") }
	w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, grow(megabyte), opts...), old())
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || len(store.DeadLetters()) != 0 {
		t.Errorf("answered %d %v, with %d dead letters; want 503 with Retry-After", w.Code, w.Header(), len(store.DeadLetters()))
	}
	event := cloudevents.NewEvent()
	event.SetID("1")
	event.SetSource("s")
	event.SetType("t")
	event.SetExtension("key", "k")
	if err := convert.ToCloudFunction(convert.CloudEventToInput, grow(megabyte), opts...)(t.Context(), event); !errors.Is(err, driver.ErrNoMemory) {
		t.Errorf("as a function: %v", err)
	}
	event.DataEncoded = make([]byte, 2*megabyte)
	if err := convert.ToCloudFunction(convert.CloudEventToInput, never(t), opts...)(t.Context(), event); !errors.Is(err, driver.ErrNoMemory) {
		t.Errorf("a large one as a function: %v", err)
	}
	w = serve(convert.ToHTTPHandler(convert.CloudEventToInput, grow(gate.Growth()+1), opts...), old())
	if letters := store.DeadLetters(); w.Code != http.StatusOK || len(letters) != 1 || letters[0].Reason != driver.ReasonTooLarge {
		t.Errorf("answered %d %s, with the dead letters %v; want one that is too large", w.Code, w.Body, letters)
	}
	other.Release()
	if w = serve(convert.ToHTTPHandler(convert.CloudEventToInput, grow(gate.Growth()), opts...), old()); w.Code != http.StatusNoContent {
		t.Errorf("alone: %d %s", w.Code, w.Body)
	}
	if gate.InUse() != 0 {
		t.Errorf("%d bytes are in use in the end", gate.InUse())
	}
}

// A handler that does not end with its context holds the bytes of its event until it ends.
func TestAbandonedHandlerKeepsItsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := admission.New(admission.Least)
		pipeline := driver.New(driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
			time.Sleep(time.Minute) // whatever the context says
			return nil
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := eventtest.Binary(strings.Repeat("1", megabyte)).WithContext(ctx)
		if w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, pipeline, convert.Admission(gate), quiet), r); w.Code/100 != 5 {
			t.Errorf("answered %d", w.Code)
		}
		if gate.InUse() < megabyte {
			t.Errorf("%d bytes are in use while a handler holds the event", gate.InUse())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if gate.InUse() != 0 {
			t.Errorf("%d bytes are in use in the end", gate.InUse())
		}
	})
}

// An event is in memory once as it arrived, and once more if its data has to be decoded: no more
// than what is counted for it.
func TestEventIsHeldOnce(t *testing.T) {
	const size = megabyte
	data := strings.Repeat("0123456789abcdef", size/16)
	coded := base64.StdEncoding.EncodeToString([]byte(data))
	push := `{"message":{"messageId":"1","data":"` + coded + `","attributes":{"key":"k"}},"subscription":"projects/p/subscriptions/s"}`
	structured := func(members string) *http.Request {
		return eventtest.Request([]byte(eventtest.Structured(`,`+members)), "Content-Type", "application/cloudevents+json")
	}
	for name, test := range map[string]struct {
		request *http.Request
		want    int // bytes
	}{
		"binary":                      {eventtest.Binary(data, "Content-Type", "text/plain"), size},
		"binary, JSON":                {eventtest.Binary(`"` + data + `"`), size},
		"a push":                      {eventtest.Request([]byte(push)), len(push) + size},
		"Eventarc's":                  {eventtest.Binary(push, "Ce-Type", eventtest.PubSubType), len(push) + size},
		"structured, JSON":            {structured(`"data":"` + data + `"`), size},
		"structured, text":            {structured(`"datacontenttype":"text/plain","data":"` + data + `"`), size},
		"structured, escaped text":    {structured(`"datacontenttype":"text/plain","data":"\n` + data + `"`), 2 * size},
		"structured, base64 of bytes": {structured(`"data_base64":"` + coded + `"`), len(coded) + size},
	} {
		t.Run(name, func(t *testing.T) {
			handler := convert.ToHTTPHandler(convert.CloudEventToInput, failing(accept), quiet)
			w := httptest.NewRecorder()
			before := eventtest.Allocated()
			handler.ServeHTTP(w, test.request)
			if got := eventtest.Allocated() - before; got > uint64(test.want+size/10) {
				t.Errorf("%d bytes were allocated, want %d at most", got, test.want)
			}
			if w.Code != http.StatusNoContent {
				t.Errorf("answered %d %s", w.Code, w.Body)
			}
		})
	}
}
