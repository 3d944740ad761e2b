package convert_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
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
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"message": {"data": "eyJvcmRlciI6eyJpZCI6NDJ9fQ=="}}`))
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
		r := httptest.NewRequest(http.MethodPost, convert.SourcePath(source), strings.NewReader(`{"bucket":"parcels","name":"42"}`))
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
