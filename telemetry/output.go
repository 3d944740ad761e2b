package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

// PublishAttributes returns the attributes by which a message that is published carries the trace of
// its run on, for CloudEvents and for Google's clients of Pub/Sub: see publish.Attributes.
func (t *Telemetry) PublishAttributes(ctx context.Context) map[string]string {
	parent := written(trace.SpanContextFromContext(ctx))
	if parent == "" {
		return nil
	}
	return map[string]string{"ce-traceparent": parent, "googclient_traceparent": parent}
}
