package telemetry_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
	"example.com/eventdriver/telemetry"
)

// A program of its own wraps what it is made of.
func ExampleNew() {
	spans := tracetest.NewInMemoryExporter() // or those of package otlp
	observed, err := telemetry.New(trace.NewTracerProvider(trace.WithSyncer(spans)), metric.NewMeterProvider())
	if err != nil {
		log.Fatal(err)
	}
	memory := memstore.New()
	ship := driver.Named("ship", driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { return nil }))
	pipeline := driver.New(observed.Handlers(
		joiner.New(joiner.MatchAll("paid", "packed"), observed.EventStore("memory", memory)),
		cache.New(observed.ClaimStore("memory", memory)),
		observed.Business(ship),
	)...)
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, observed.Processor(pipeline), convert.Observe(observed.Observe))
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler(w, r.WithContext(observed.Arrive(r.Context(), r.Header)))
	})

	for _, source := range []string{"paid", "packed"} {
		send(server, source)
	}
	for _, span := range spans.GetSpans() {
		if strings.HasPrefix(span.Name, "process ") {
			fmt.Println(span.Name, "links to", len(span.Links))
		}
	}
	// Output:
	// process paid links to 0
	// process composed-event links to 2
	// process packed links to 1
}

func send(server http.Handler, source string) {
	r := httptest.NewRequest(http.MethodPost, convert.SourcePath(source), strings.NewReader(`{}`))
	for name, value := range map[string]string{"specversion": "1.0", "id": "1", "type": "t", "source": "shop", "key": "order-1"} {
		r.Header.Set("Ce-"+name, value)
	}
	server.ServeHTTP(httptest.NewRecorder(), r)
}

func ExampleShowKeys() {
	spans := tracetest.NewInMemoryExporter()
	observed, err := telemetry.New(trace.NewTracerProvider(trace.WithSyncer(spans)), metric.NewMeterProvider(),
		telemetry.ShowKeys(telemetry.KeysHashed))
	if err != nil {
		log.Fatal(err)
	}
	store := observed.EventStore("memory", memstore.New())
	if _, err := store.LookUpByKey(context.Background(), "order-1"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(spans.GetSpans()[0].Attributes[0].Value.String())
	// Output:
	// 0bafe22156d2698c
}

// A source that nobody expects makes no time series.
func ExampleSources() {
	observed, err := telemetry.New(trace.NewTracerProvider(), metric.NewMeterProvider(), telemetry.Sources("paid", "packed"))
	if err != nil {
		log.Fatal(err)
	}
	observed.Observe(context.Background(), convert.Outcome{Verdict: convert.DeadLettered, Source: "unheard of"}) // counts as "other"
	fmt.Println("counted")
	// Output:
	// counted
}
