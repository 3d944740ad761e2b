package driver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/driver/transformer"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
	"example.com/eventdriver/stores/memstore"
)

// MyInput is what the tutorial's business wants of the joined events.
type MyInput struct {
	Event2 json.RawMessage `json:"event2"`
	Event3 json.RawMessage `json:"event3"`
}

type myHandler struct {
	mu     sync.Mutex
	inputs []MyInput
}

func (c *myHandler) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	var myInput MyInput
	if err := json.Unmarshal(in.Content, &myInput); err != nil {
		return err
	}
	c.mu.Lock()
	c.inputs = append(c.inputs, myInput)
	c.mu.Unlock()
	return next.Call(ctx, in)
}

// tutorial is the README's tutorial, with the sources to join.
func tutorial(t *testing.T, server *gcs.Server, businessHandler driver.Handler, sources ...string) *driver.Pipeline {
	t.Helper()
	ctx := t.Context()

	gcsTimeout := time.Second * 5
	gcsConfig := gcsstore.Config("my-bucket").
		WithTimeout(gcsstore.Timeout{Default: &gcsTimeout})
	myEventStore, err := gcsstore.New(ctx, gcsConfig, option.WithoutAuthentication(), option.WithEndpoint(server.Endpoint()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = myEventStore.Close() })

	myJoiner := joiner.New(joiner.MatchAll(sources...), myEventStore)
	idempotencyHandler := cache.New(myEventStore, cache.SkipOnConflict())
	eraseContentOfEvent1 := transformer.EraseContentFromSources("event1")
	eraseContentOfEvent1Handler := transformer.New(eraseContentOfEvent1)

	return driver.New().
		WithNextHandler(eraseContentOfEvent1Handler).
		WithNextHandler(myJoiner).
		WithNextHandler(idempotencyHandler).
		WithNextHandler(businessHandler)
}

// The type that the CloudEvents SDK's receiver calls.
var _ func(context.Context, cloudevents.Event) (*cloudevents.Event, cloudevents.Result) = convert.ToKNativeEventHandler(
	convert.CloudEventToInput, driver.New(), convert.OutputToCloudResult)

func TestTutorialOnCloudStorage(t *testing.T) {
	server := gcs.New(t, "my-bucket")
	business := &myHandler{}
	myPipeline := tutorial(t, server, business, "event1", "event2", "event3")
	handleKNativeEvent := convert.ToKNativeEventHandler(convert.CloudEventToInput, myPipeline, convert.OutputToCloudResult)
	for i, source := range []string{"event2", "event3", "event1", "event2"} {
		event := cloudevents.NewEvent()
		event.SetID(fmt.Sprint(i))
		event.SetType("dev.knative.kafka.event")
		event.SetSource("/apis/v1/namespaces/default/kafkasources/orders#" + source)
		event.SetExtension("key", "order-1")
		if err := event.SetData("application/json", map[string]json.Number{"n": "9007199254740993"}); err != nil {
			t.Fatal(err)
		}
		if _, result := handleKNativeEvent(t.Context(), event); !cloudevents.IsACK(result) {
			t.Fatalf("event %d from %s: %v", i, source, result)
		}
	}
	if len(business.inputs) != 1 || string(business.inputs[0].Event2) != `{"n":9007199254740993}` {
		t.Errorf("processed %s; want the order once, with the number as it was sent", business.inputs)
	}
}

// A join must stay within its budget, whatever the number of sources: what it
// costs, and for how many requests one after another the last event waits.
func TestJoinStaysWithinItsBudget(t *testing.T) {
	for n, maxB := range map[int]int{3: 9, 10: 36} {
		t.Run(fmt.Sprint(n, " sources"), func(t *testing.T) {
			server := gcs.New(t, "my-bucket")
			business := &myHandler{}
			var sources []string
			for i := range n {
				sources = append(sources, fmt.Sprint("event", i+1))
			}
			p := tutorial(t, server, business, sources...)
			event := func(source string) driver.Message {
				return driver.Message{ID: source, Key: "order-1", Source: source, Content: []byte(`{"n":1}`)}
			}
			for _, source := range sources[:n-1] {
				if err := p.Process(t.Context(), event(source)); err != nil {
					t.Fatal(err)
				}
			}
			before := len(server.Requests())
			rounds := roundTrips(t, server, func() error { return p.Process(t.Context(), event(sources[n-1])) })
			counts := server.Counts()
			t.Logf("%d Class A and %d Class B operations; the last event: %d requests in %d round trips",
				counts.A, counts.B, len(server.Requests())-before, rounds)
			if maxA := n + 2; counts.A > maxA || counts.B > maxB {
				t.Errorf("%d Class A and %d Class B operations; want %d and %d at most: %v", counts.A, counts.B, maxA, maxB, server.Requests())
			}
			if rounds > 3 {
				t.Errorf("the last event waits for %d round trips; want 3 at most", rounds)
			}
			if len(business.inputs) != 1 {
				t.Errorf("processed %d times", len(business.inputs))
			}
		})
	}
}

// roundTrips runs do and counts for how many requests it waits one after another:
// it holds requests back until no more come, then lets all of them go at once.
func roundTrips(t *testing.T, server *gcs.Server, do func() error) int {
	t.Helper()
	arrived := make(chan chan struct{})
	server.OnRequest(func(gcs.Request) gcs.Fault {
		hold := make(chan struct{})
		arrived <- hold
		return gcs.Fault{Hold: hold}
	})
	result := make(chan error, 1)
	go func() { result <- do() }()
	rounds := 0
	var held []chan struct{}
	for {
		// Requests that are sent at the same time come within this pause.
		pause := time.NewTimer(time.Second)
		select {
		case hold := <-arrived:
			held = append(held, hold)
			continue
		case err := <-result:
			if err != nil {
				t.Fatal(err)
			}
			return rounds
		case <-pause.C:
		}
		if len(held) == 0 {
			continue
		}
		rounds++
		for _, hold := range held {
			close(hold)
		}
		held = nil
	}
}

// Orders whose three events come all at once, every one twice. The stand-in for
// Cloud Storage slows down with the number of objects, so each round has its own.
func TestManyOrdersAtOnceOnCloudStorage(t *testing.T) {
	for round := range 3 {
		t.Run(fmt.Sprint("round ", round+1), func(t *testing.T) {
			server := gcs.New(t, "my-bucket")
			manyOrdersAtOnce(t, 40, func(business driver.Handler) *driver.Pipeline {
				return tutorial(t, server, business, "event1", "event2", "event3")
			})
		})
	}
}

func TestManyOrdersAtOnceInMemory(t *testing.T) {
	manyOrdersAtOnce(t, 500, func(business driver.Handler) *driver.Pipeline {
		store := memstore.New()
		return driver.New(joiner.New(joiner.MatchAll("event1", "event2", "event3"), store), cache.New(store), business)
	})
}

func manyOrdersAtOnce(t *testing.T, keys int, pipeline func(driver.Handler) *driver.Pipeline) {
	t.Helper()
	processed := make(map[string]int)
	var mu sync.Mutex
	p := pipeline(driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
		mu.Lock()
		defer mu.Unlock()
		processed[in.Key]++
		return nil
	}))
	events := make(chan driver.Message)
	var workers sync.WaitGroup
	for range 48 {
		workers.Go(func() {
			for m := range events {
				for p.Process(t.Context(), m) != nil && t.Context().Err() == nil { // redelivery
				}
			}
		})
	}
	for key := range keys {
		for _, source := range []string{"event1", "event2", "event3", "event3", "event2", "event1"} {
			events <- driver.Message{ID: source, Key: fmt.Sprint("order-", key), Source: source, Content: []byte(`{"n":1}`)}
		}
	}
	close(events)
	workers.Wait()

	if len(processed) != keys {
		t.Errorf("%d of %d orders were processed", len(processed), keys)
	}
	for key, times := range processed {
		if times != 1 {
			t.Errorf("%s was processed %d times", key, times)
		}
	}
}

// Each request of a join fails once: refused before it is served, or its answer
// lost after. Redelivery must bring each order to its end, once.
func TestEachRequestOfAJoinFailsOnce(t *testing.T) {
	for _, fault := range []gcs.Fault{{Status: 503}, {Drop: true}} {
		t.Run(fmt.Sprintf("%+v", fault), func(t *testing.T) {
			server := gcs.New(t, "my-bucket")
			var processed []string
			p := tutorial(t, server, driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
				processed = append(processed, in.Key)
				return nil
			}), "event1", "event2", "event3")
			for n := 0; ; n++ {
				key := fmt.Sprint("order-", n)
				server.Reset()
				injected := false
				server.OnRequest(func(r gcs.Request) gcs.Fault {
					if r.N != n {
						return gcs.Fault{}
					}
					injected = true
					return fault
				})
				for _, source := range []string{"event1", "event2", "event3"} {
					m := driver.Message{ID: source, Key: key, Source: source, Content: []byte(`1`)}
					var errs []error
					for len(errs) < 5 {
						err := p.Process(t.Context(), m)
						if err == nil {
							break
						}
						errs = append(errs, err)
					}
					if len(errs) == 5 {
						t.Fatalf("request %d fails: %s is never acknowledged: %v", n, source, errors.Join(errs...))
					}
				}
				if times := len(slices.DeleteFunc(slices.Clone(processed), func(k string) bool { return k != key })); times != 1 {
					t.Errorf("request %d fails: the order was processed %d times", n, times)
				}
				if !injected {
					t.Logf("%d requests failed, one in each join", n)
					break
				}
			}
		})
	}
}
