// Command tutorial uses Event Driver as a library, in a module of its own: see go.mod. It acts
// once when the events event1, event2 and event3 of a key have arrived. Run it in its folder as
//
//	go run .                    # with a store in memory
//	BUCKET=my-bucket go run .   # with a bucket of Cloud Storage
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/driver/transformer"
	"example.com/eventdriver/stores/gcsstore"
	"example.com/eventdriver/stores/memstore"
)

// MyInput is what the business wants of the joined events.
type MyInput struct {
	Event2 json.RawMessage `json:"event2"`
	Event3 json.RawMessage `json:"event3"`
}

// myHandler is the business.
type myHandler struct{ out io.Writer }

func (h myHandler) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	var myInput MyInput
	if err := json.Unmarshal(in.Content, &myInput); err != nil {
		return driver.Permanent(err)
	}
	fmt.Fprintf(h.out, "act for %s on %s and %s\n", in.Key, myInput.Event2, myInput.Event3)
	return next.Call(ctx, in)
}

// store keeps events and claims.
type store interface {
	driver.EventStore
	driver.ClaimStore
}

// open returns a store in the bucket, or in memory where none is given.
func open(ctx context.Context, bucket string) (store, error) {
	if bucket == "" {
		return memstore.New(), nil
	}
	gcsTimeout := time.Second * 5
	return gcsstore.New(ctx, gcsstore.Config(bucket).WithTimeout(gcsstore.Timeout{Default: &gcsTimeout}))
}

func pipeline(myEventStore store, businessHandler driver.Handler) *driver.Pipeline {
	return driver.New().
		WithNextHandler(transformer.New(transformer.EraseContentFromSources("event1"))).
		WithNextHandler(joiner.New(joiner.MatchAll("event1", "event2", "event3"), myEventStore)).
		WithNextHandler(cache.New(myEventStore, cache.SkipOnConflict())).
		WithNextHandler(businessHandler)
}

func main() {
	ctx := context.Background()
	myEventStore, err := open(ctx, os.Getenv("BUCKET"))
	if err != nil {
		log.Fatal(err)
	}
	if err := run(ctx, os.Stdout, myEventStore, fmt.Sprint("order-", time.Now().Unix())); err != nil {
		log.Fatal(err)
	}
}

// run delivers the events of a key as Knative would, in another order and one of them twice.
func run(ctx context.Context, out io.Writer, myEventStore store, key string) error {
	handle := convert.ToKNativeEventHandler(
		convert.CloudEventToInput, pipeline(myEventStore, myHandler{out}), convert.OutputToCloudResult)
	for i, source := range []string{"event3", "event1", "event2", "event3"} {
		event := cloudevents.NewEvent()
		event.SetID(fmt.Sprint(key, "/", i))
		event.SetType("dev.knative.kafka.event")
		event.SetSource("/apis/v1/namespaces/default/kafkasources/orders#" + source)
		event.SetExtension("key", key)
		if err := event.SetData("application/json", map[string]string{"from": source}); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s of %s\n", source, key)
		if _, result := handle(ctx, event); !cloudevents.IsACK(result) {
			return result
		}
	}
	return nil
}
