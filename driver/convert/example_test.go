package convert_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/admission"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/stores/memstore"
)

var myPipeline = driver.New(driver.HandlerFunc(func(ctx context.Context, m driver.Message, next driver.Next) error {
	fmt.Printf("order %s, %s: %s\n", m.Key, m.Source, m.Content)
	return next.Call(ctx, m)
}))

func ExampleToHTTPHandler() {
	decoder, err := decode.New(
		decode.KeyPointer("/order/id"),
		decode.SourceAliases(map[string][]string{"event1": {"orders-created"}}),
	)
	if err != nil {
		log.Fatal(err)
	}
	handler := convert.ToHTTPHandler(decoder.Message, myPipeline, convert.DeadLetters(memstore.New()))
	functions.HTTP("MyFunction", handler) // the entry point to deploy

	// What Eventarc sends for a message in the topic orders-created:
	body := `{"message": {"data": "eyJvcmRlciI6eyJpZCI6NDJ9fQ=="}}`
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Ce-Specversion", "1.0")
	r.Header.Set("Ce-Id", "3103425958877813")
	r.Header.Set("Ce-Type", "google.cloud.pubsub.topic.v1.messagePublished")
	r.Header.Set("Ce-Source", "//pubsub.googleapis.com/projects/my-project/topics/orders-created")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output:
	// order 42, event1: {"order":{"id":42}}
	// 204
}

func ExampleToKNativeEventHandler() {
	handleKNativeEvent := convert.ToKNativeEventHandler(
		convert.CloudEventToInput, myPipeline, convert.OutputToCloudResult)

	// Usually: cloudEventClient.StartReceiver(ctx, handleKNativeEvent)
	e := cloudevents.NewEvent()
	e.SetID("1")
	e.SetType("dev.knative.kafka.event")
	e.SetSource("/apis/v1/namespaces/default/kafkasources/my-source#event1")
	e.SetExtension("key", "42")
	if err := e.SetData(cloudevents.ApplicationJSON, map[string]any{"paid": true}); err != nil {
		log.Fatal(err)
	}
	_, result := handleKNativeEvent(context.Background(), e)
	fmt.Println(cloudevents.IsACK(result))
	// Output:
	// order 42, event1: {"paid":true}
	// true
}

func ExampleToCloudFunction() {
	functions.CloudEvent("MyCloudEventFunction", convert.ToCloudFunction(convert.CloudEventToInput, myPipeline))
}

// Two triggers on one bucket, whose events have the same ce-source, call two paths.
func ExampleSourcePath() {
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, myPipeline)
	for _, source := range []string{"uploaded", "removed"} {
		body := strings.NewReader(`{"bucket":"parcels","name":"42"}`)
		r := httptest.NewRequest(http.MethodPost, convert.SourcePath(source), body)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Ce-Specversion", "1.0")
		r.Header.Set("Ce-Id", source)
		r.Header.Set("Ce-Type", "google.cloud.storage.object.v1.finalized")
		r.Header.Set("Ce-Source", "//storage.googleapis.com/projects/_/buckets/parcels")
		r.Header.Set("Ce-Key", "42")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(r.URL.Path, w.Code)
	}
	// Output:
	// order 42, uploaded: {"bucket":"parcels","name":"42"}
	// /events/uploaded 204
	// order 42, removed: {"bucket":"parcels","name":"42"}
	// /events/removed 204
}

// postOrder sends the handler an event of order 42, and prints the answer's status.
func postOrder(handler http.Handler, source, content string) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(content))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Ce-Specversion", "1.0")
	r.Header.Set("Ce-Id", "1")
	r.Header.Set("Ce-Type", "placed")
	r.Header.Set("Ce-Source", source)
	r.Header.Set("Ce-Key", "42")
	r.Header.Set("Ce-Time", "2026-01-02T12:00:00Z")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code)
}

// failsWith returns a pipeline that fails with err.
func failsWith(err error) *driver.Pipeline {
	return driver.New(driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { return err }))
}

func ExampleCloudEventToInput() {
	e := cloudevents.NewEvent()
	e.SetID("1")
	e.SetType("placed")
	e.SetSource("event1")
	e.SetExtension("key", "42")
	if err := e.SetData(cloudevents.ApplicationJSON, map[string]any{"paid": true}); err != nil {
		log.Fatal(err)
	}
	m, err := convert.CloudEventToInput(context.Background(), &e)
	fmt.Println(m.Key, m.Source, string(m.Content), err)
	// Output:
	// 42 event1 {"paid":true} <nil>
}

func ExampleOutputToCloudResult() {
	for _, err := range []error{nil, errors.New("out of stock"), driver.Permanent(errors.New("no such item"))} {
		_, result := convert.OutputToCloudResult(context.Background(), err)
		fmt.Println(cloudevents.IsACK(result))
	}
	// Output:
	// true
	// false
	// false
}

// An event that can never succeed is kept for a person, and acknowledged.
func ExampleDeadLetters() {
	letters := memstore.New()
	handler := convert.ToHTTPHandler(convert.CloudEventToInput,
		failsWith(driver.Permanent(errors.New("no such item"))), convert.DeadLetters(letters), quiet)
	postOrder(handler, "event1", `{"item":"unicorn"}`)
	for _, letter := range letters.DeadLetters() {
		fmt.Printf("%s of %s: %s\n%s\n", letter.Source, letter.Key, letter.Reason, letter.Body)
	}
	// Output:
	// 200
	// event1 of 42: permanent-error
	// {"item":"unicorn"}
}

// An event that still fails long after it happened is dead-lettered, before the platform drops it.
func ExampleMaxAge() {
	letters := memstore.New()
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, failsWith(errors.New("out of stock")),
		convert.DeadLetters(letters), convert.MaxAge(20*time.Hour), quiet)
	postOrder(handler, "event1", `{"item":"book"}`)
	for _, letter := range letters.DeadLetters() {
		fmt.Println(letter.Reason)
	}
	// Output:
	// 200
	// too-old
}

// A larger body can never succeed. Without DeadLetters it is answered 4xx.
func ExampleBodyLimit() {
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, myPipeline, convert.BodyLimit(16), quiet)
	postOrder(handler, "event1", `{"n":1}`)
	postOrder(handler, "event1", `{"n":12345678901234567890}`)
	// Output:
	// order 42, event1: {"n":1}
	// 204
	// 400
}

// Clients of a server on the open net get less time to send a body.
func ExampleClientTimeout() {
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, myPipeline, convert.ClientTimeout(5*time.Second))
	postOrder(handler, "event1", `{"n":1}`)
	// Output:
	// order 42, event1: {"n":1}
	// 204
}

// The logger that is passed in gets one record for each event.
func ExampleLogger() {
	short := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "error" {
			return slog.Attr{}
		}
		return a
	}
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: short}))
	pipeline := failsWith(errors.New("out of stock"))
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, pipeline, convert.Logger(logger))
	postOrder(handler, "event1", `{"n":1}`)
	// Output:
	// level=WARN msg="event failed, to be redelivered" event=1 type=placed key=42 source=event1 handler="handler 1"
	// 500
}

// The bytes of all requests together are bounded. A request that does not fit now waits, then is
// answered 503 and delivered again.
func ExampleAdmission() {
	gate := admission.New(256 << 20)
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, myPipeline, convert.Admission(gate))
	postOrder(handler, "event1", `{"n":1}`)
	fmt.Println("largest body:", convert.LargestBody(gate))
	// Output:
	// order 42, event1: {"n":1}
	// 204
	// largest body: 33532586
}

// A program counts what becomes of its events.
func ExampleObserve() {
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, myPipeline, convert.Observe(func(_ context.Context, o convert.Outcome) {
		fmt.Println(o.Source, o.Key, o.Verdict)
	}))
	r := httptest.NewRequest(http.MethodPost, "/events/event1", strings.NewReader(`7`))
	for name, value := range map[string]string{"specversion": "1.0", "id": "1", "type": "t", "source": "shop", "key": "42"} {
		r.Header.Set("Ce-"+name, value)
	}
	handler.ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// order 42, event1: 7
	// event1 42 processed
}
