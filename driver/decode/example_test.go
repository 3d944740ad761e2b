package decode_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/decode"
)

// show decodes an event with the options, and prints its message.
func show(source, contentType, data string, opts ...decode.Option) {
	d, err := decode.New(opts...)
	if err != nil {
		fmt.Println(err)
		return
	}
	e := cloudevents.NewEvent()
	e.SetID("1")
	e.SetType("placed")
	e.SetSource(source)
	e.SetExtension("key", "1")
	if err := e.SetData(contentType, []byte(data)); err != nil {
		fmt.Println(err)
		return
	}
	m, err := d.Message(context.Background(), &e)
	if err != nil {
		fmt.Println("rejected:", driver.ReasonOf(err))
		return
	}
	fmt.Printf("key %s, source %s, %s: %s\n", m.Key, m.Source, m.MediaType, m.Content)
}

func ExampleNew() {
	show("orders-created", "application/json", `{"order":{"id":42}}`,
		decode.KeyPointer("/order/id"),
		decode.SourceAliases(map[string][]string{"event1": {"orders-created"}}))
	// Output:
	// key 42, source event1, application/json: {"order":{"id":42}}
}

func ExampleKeyPointer() {
	show("event1", "application/json", `{"order":{"id":42}}`, decode.KeyPointer("/order/id"))
	show("event1", "application/json", `{"order":{}}`, decode.KeyPointer("/order/id"))
	// Output:
	// key 42, source event1, application/json: {"order":{"id":42}}
	// rejected: no-key
}

// The key stands at another place in the events of one source.
func ExampleKeyPointers() {
	pointers := decode.KeyPointers(map[string]string{"event2": "/orderId"})
	show("event1", "application/json", `{"id":"42"}`, decode.KeyPointer("/id"), pointers)
	show("event2", "application/json", `{"orderId":"42","id":"7"}`, decode.KeyPointer("/id"), pointers)
	// Output:
	// key 42, source event1, application/json: {"id":"42"}
	// key 42, source event2, application/json: {"orderId":"42","id":"7"}
}

func ExampleSourceAliases() {
	const topic = "//pubsub.googleapis.com/projects/p/topics/orders-v2"
	aliases := decode.SourceAliases(map[string][]string{"event1": {"orders", topic}})
	show("orders", "application/json", `1`, aliases)
	show(topic, "application/json", `2`, aliases)
	// Output:
	// key 1, source event1, application/json: 1
	// key 1, source event1, application/json: 2
}

// A publisher that declares JSON and sends text.
func ExampleContent() {
	show("event1", "application/json", `42 books`)
	kinds := map[string]decode.ContentKind{"event1": decode.ContentText}
	show("event1", "application/json", `42 books`, decode.Content(kinds))
	// Output:
	// rejected: undecodable
	// key 1, source event1, text/plain: 42 books
}

// The JSON that is made of an event in protobuf may have 1 MiB.
func ExampleContentLimit() {
	show("event1", "application/json", `{"n":1}`, decode.ContentLimit(1<<20))
	// Output:
	// key 1, source event1, application/json: {"n":1}
}

// A router of one's own says by the context which source a request is of.
func ExampleWithSource() {
	pipeline := driver.New(driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
		fmt.Printf("%s of %s: %s\n", in.Source, in.Key, in.Content)
		return nil
	}))
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, pipeline)
	router := http.NewServeMux()
	router.HandleFunc("POST /hooks/{source}", func(w http.ResponseWriter, r *http.Request) {
		handler(w, r.WithContext(decode.WithSource(r.Context(), r.PathValue("source"))))
	})

	event := `{"specversion":"1.0","id":"1","source":"/bank","type":"paid","key":"42","data":1}`
	r := httptest.NewRequest(http.MethodPost, "/hooks/paid", strings.NewReader(event))
	r.Header.Set("Content-Type", "application/cloudevents+json")
	router.ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// paid of 42: 1
}

// An attribute that is no printable ASCII is percent-encoded in a header.
func ExampleEncodeHeader() {
	value := decode.EncodeHeader("key", "Bücher 7")
	text, err := decode.DecodeHeader("key", value)
	fmt.Println(value, text, err)
	// Output:
	// B%C3%BCcher%207 Bücher 7 <nil>
}
