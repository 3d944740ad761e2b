package otlp_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"example.com/eventdriver/telemetry"
	"example.com/eventdriver/telemetry/otlp"
)

// Where to send to is in the standard variables, such as OTEL_EXPORTER_OTLP_ENDPOINT.
func ExampleOpen() {
	ctx := context.Background()
	_ = os.Setenv("OTEL_TRACES_EXPORTER", "none") // an example has no collector
	_ = os.Setenv("OTEL_METRICS_EXPORTER", "none")
	providers, err := otlp.Open(ctx, otlp.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = providers.Shutdown(ctx) }()
	observed, err := telemetry.New(providers.Tracers, providers.Meters)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(observed != nil)
	// Output:
	// true
}
