package decode_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/decode"
)

// printed is a pipeline that prints its messages.
var printed = driver.New(driver.HandlerFunc(func(ctx context.Context, m driver.Message, next driver.Next) error {
	fmt.Printf("order %s, %s: %s (%s)\n", m.Key, m.Source, m.Content, m.MediaType)
	return next.Call(ctx, m)
}))

// deliver sends what a Pub/Sub push subscription of the topic orders-created sends for data.
func deliver(handler http.Handler, data string) {
	body := `{"message":{"messageId":"1","data":"` + data + `"},"subscription":"projects/p/subscriptions/s"}`
	r := httptest.NewRequest(http.MethodPost, "/projects/p/topics/orders-created", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code)
}

// The key is in the content, the source has a name of its own, and its publisher declares nothing.
func ExampleNew() {
	decoder, err := decode.New(
		decode.KeyPointer("/order/id"),
		decode.SourceAliases(map[string][]string{"created": {"orders-created"}}),
		decode.Content(map[string]decode.ContentKind{"created": decode.ContentJSON}),
	)
	if err != nil {
		log.Fatal(err)
	}
	deliver(convert.ToHTTPHandler(decoder.Message, printed), "eyJvcmRlciI6eyJpZCI6NDJ9fQ==")
	// Output:
	// order 42, created: {"order":{"id":42}} (application/json)
	// 204
}

// Each source has its key in another place.
func ExampleKeyPointers() {
	decoder, err := decode.New(decode.KeyPointers(map[string]string{"orders-created": "/order/id", "payments": "/reference"}))
	if err != nil {
		log.Fatal(err)
	}
	deliver(convert.ToHTTPHandler(decoder.Message, printed), "eyJvcmRlciI6eyJpZCI6NDJ9fQ==")
	// Output:
	// order 42, orders-created: {"order":{"id":42}} ()
	// 204
}

// A router of your own names the source of a request by the context.
func ExampleWithSource() {
	handler := convert.ToHTTPHandler(new(decode.Decoder).Message, printed)
	router := http.NewServeMux()
	router.HandleFunc("POST /hooks/{source}", func(w http.ResponseWriter, r *http.Request) {
		handler(w, r.WithContext(decode.WithSource(r.Context(), r.PathValue("source"))))
	})

	body := `{"specversion":"1.0","id":"1","source":"/bank","type":"paid","key":"42","data":1}`
	r := httptest.NewRequest(http.MethodPost, "/hooks/paid", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/cloudevents+json")
	router.ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// order 42, paid: 1 (application/json)
}
