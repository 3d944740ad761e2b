package telemetry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
)

// Handlers returns the handlers of a pipeline, each with a span around it. Behind each joiner, the
// joined run begins a trace that links to the spans of its events.
func (t *Telemetry) Handlers(handlers ...driver.Handler) (observed []driver.Handler) {
	for _, h := range handlers {
		observed = append(observed, handler{t, h, nameOf(h)})
		if _, joins := h.(*joiner.Joiner); joins {
			observed = append(observed, joined{t})
		}
	}
	return observed
}

// handler is a handler with a span around it.
type handler struct {
	t    *Telemetry
	next driver.Handler
	name string
}

func nameOf(h driver.Handler) string {
	if s, named := h.(fmt.Stringer); named {
		return s.String()
	}
	return fmt.Sprintf("%T", h)
}

// String is how errors call the handler: as they would without a span.
func (h handler) String() string { return h.name }

// Process implements [driver.Handler].
func (h handler) Process(ctx context.Context, in driver.Message, next driver.Next) (err error) {
	ctx, span := h.t.tracer.Start(ctx, h.name)
	if span.IsRecording() {
		span.SetAttributes(h.t.ofHandler(ctx, in)...)
	}
	err = errNotReturned
	defer func() { h.t.finish(span, err) }()
	return h.next.Process(ctx, in, next)
}

func (t *Telemetry) ofHandler(ctx context.Context, in driver.Message) []attribute.KeyValue {
	attrs := append(make([]attribute.KeyValue, 0, 2), t.source(in.Source))
	if claim, claimed := driver.ClaimFrom(ctx); claimed {
		attrs = append(attrs, attrToken.Int64(claim.Token))
	}
	return attrs
}

// Business returns a handler that counts and times the runs of h.
func (t *Telemetry) Business(h driver.Handler) driver.Handler { return business{t, h, nameOf(h)} }

type business struct {
	t    *Telemetry
	next driver.Handler
	name string
}

// String is how errors call the handler.
func (b business) String() string { return b.name }

// Process implements [driver.Handler].
func (b business) Process(ctx context.Context, in driver.Message, next driver.Next) (err error) {
	claim, _ := driver.ClaimFrom(ctx)
	began := time.Now()
	err = errNotReturned
	defer func() {
		outcome, _ := outcomeOf(err)
		repeated := claim.Takeover || claim.Attempts > 0 || claim.Mark != driver.MarkNone
		labels := b.t.labeled.runs.of(runLabels{b.t.reasons.of(outcome), repeated}, runLabels.attributes)
		labels.one(ctx, b.t.metrics.runs)
		b.t.metrics.runDuration.Record(ctx, time.Since(began).Seconds(), labels.record...)
		if leaseEnded(ctx) {
			b.t.metrics.lost.Add(ctx, 1)
		}
	}()
	return b.next.Process(ctx, in, next)
}

// leaseEnded says that the cache has ended the context of a handler because the lease could not be
// renewed in time. Where the store said that the claim is lost, [claimStore] counts it.
func leaseEnded(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) && !errors.Is(cause, driver.ErrLost)
}

// joined begins the trace of a joined run.
type joined struct{ t *Telemetry }

// String is how errors call the handler.
func (joined) String() string { return "joined" }

// Process implements [driver.Handler].
func (j joined) Process(ctx context.Context, in driver.Message, next driver.Next) (err error) {
	attrs := append(j.t.key(in.Key), j.t.source(in.Source),
		attribute.String("messaging.system", "eventdriver"),
		attribute.String("messaging.operation.name", "process"),
		attribute.String("messaging.operation.type", "process"))
	links := runFrom(ctx).links()
	if attrs = append(attrs, attribute.Int("messaging.batch.message_count", len(links))); len(in.Missing) > 0 {
		attrs = append(attrs, attrMissing.StringSlice(in.Missing))
	}
	attrs = j.t.private(attrs, "messaging.message.id", in.ID)
	joinedCtx, span := j.t.tracer.Start(ctx, j.t.spanName(in.Source),
		trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithLinks(links...), trace.WithAttributes(attrs...))
	deliveryFrom(ctx).completedBy(span)
	runFrom(ctx).begin(span)
	err = errNotReturned
	defer func() { j.t.finish(span, err) }()
	return next.Call(joinedCtx, in)
}
