package otlp

import (
	"strings"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"
)

// shared is what the rest of the program traces with. Google's client libraries are left out: their
// spans show errors, which have the names of objects, and those the keys of events.
type shared struct {
	embedded.TracerProvider
	next trace.TracerProvider
}

// Tracer implements [trace.TracerProvider].
func (s shared) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	if strings.HasPrefix(name, "cloud.google.com/go") {
		return noop.NewTracerProvider().Tracer(name)
	}
	return s.next.Tracer(name, opts...)
}
