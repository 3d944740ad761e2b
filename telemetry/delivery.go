package telemetry

import (
	"context"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
)

// The attributes of a message by which its event is known again when it is joined. They replace
// what a producer has put there.
const (
	traceAttribute   = "eventdriver-traceparent"
	arrivedAttribute = "eventdriver-arrived" // milliseconds since 1970
)

// delivery is one event on its way from its arrival to its outcome.
type delivery struct {
	began  time.Time
	parent trace.SpanContext // of the request; invalid: it has none

	mu   sync.Mutex
	span trace.Span // nil: the event is not known yet
}

type deliveryKey struct{}

func deliveryFrom(ctx context.Context) *delivery {
	d, _ := ctx.Value(deliveryKey{}).(*delivery)
	return d
}

var w3c propagation.TraceContext

// Arrive returns the context of a delivery that begins now. header is the request's; nil: there is
// none. Observe, which must be an option of the adapter, ends it.
func (t *Telemetry) Arrive(ctx context.Context, header http.Header) context.Context {
	parent := trace.SpanContextFromContext(ctx)
	if !parent.IsValid() && header != nil {
		parent = trace.SpanContextFromContext(w3c.Extract(context.Background(), propagation.HeaderCarrier(header)))
	}
	return context.WithValue(ctx, deliveryKey{}, &delivery{began: time.Now(), parent: parent})
}

// SpanOf returns the span in which a line is logged: the context's, or that of the delivery. It is
// not valid where there is none.
func SpanOf(ctx context.Context) trace.SpanContext {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		return span
	}
	d := deliveryFrom(ctx)
	if d == nil {
		return trace.SpanContext{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.span == nil {
		return d.parent
	}
	return d.span.SpanContext()
}

// Processor returns a processor that passes each message on to p, in the span of its delivery.
// Without [Telemetry.Arrive] the message is a delivery of its own, which ends with p: so are those
// of a sweep.
func (t *Telemetry) Processor(p convert.Processor) convert.Processor { return processor{t, p} }

type processor struct {
	t    *Telemetry
	next convert.Processor
}

// Process implements [convert.Processor].
func (p processor) Process(ctx context.Context, m driver.Message) (err error) {
	d := deliveryFrom(ctx)
	own := d == nil || isSweep(ctx, m)
	if own {
		request := d
		ctx = p.t.Arrive(ctx, nil)
		if d = deliveryFrom(ctx); request != nil {
			d.parent = request.parent
		}
	}
	span := p.t.begin(ctx, d, m)
	ctx = withRun(trace.ContextWithSpan(ctx, span))
	if m.Source != "" {
		m = stamped(m, span.SpanContext(), d.began)
	}
	err = errNotReturned
	defer func() {
		if own {
			p.t.finish(span, err)
		}
	}()
	return p.next.Process(ctx, m)
}

func isSweep(ctx context.Context, m driver.Message) bool {
	_, sweep := driver.SweepFrom(ctx)
	return sweep && m.Source == ""
}

// begun says that the delivery has a span.
func (d *delivery) begun() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.span != nil
}

// begin returns the span of a delivery, which began when it arrived.
func (t *Telemetry) begin(ctx context.Context, d *delivery, m driver.Message) trace.Span {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.span != nil {
		return d.span
	}
	if isSweep(ctx, m) {
		_, d.span = t.tracer.Start(trace.ContextWithSpanContext(ctx, d.parent), "sweep", trace.WithAttributes(t.key(m.Key)...))
		return d.span
	}
	opts := []trace.SpanStartOption{trace.WithTimestamp(d.began), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(t.describe(m)...)}
	parent, producer := d.parent, producerOf(m.Attributes)
	switch {
	case !parent.IsValid():
		parent = producer
	case producer.IsValid() && producer.TraceID() != parent.TraceID():
		opts = append(opts, trace.WithLinks(trace.Link{SpanContext: producer}))
	}
	_, d.span = t.tracer.Start(trace.ContextWithSpanContext(ctx, parent), t.spanName(m.Source), opts...)
	return d.span
}

// producerOf returns the span that has published an event, as far as the event says.
func producerOf(attributes map[string]string) trace.SpanContext {
	for _, prefix := range []string{"ce-", "googclient_"} {
		if parent := attributes[prefix+"traceparent"]; parent != "" {
			if span := parsed(parent, attributes[prefix+"tracestate"]); span.IsValid() {
				return span
			}
		}
	}
	return trace.SpanContext{}
}

// parsed reads a trace context as W3C writes it.
func parsed(parent, state string) trace.SpanContext {
	return trace.SpanContextFromContext(w3c.Extract(context.Background(), carried{parent, state}))
}

// carried is a trace context as W3C writes it.
type carried struct{ parent, state string }

// Get implements [propagation.TextMapCarrier].
func (c carried) Get(name string) string {
	switch name {
	case "traceparent":
		return c.parent
	case "tracestate":
		return c.state
	}
	return ""
}

// Set implements [propagation.TextMapCarrier]. Nobody calls it.
func (carried) Set(string, string) {}

// Keys implements [propagation.TextMapCarrier].
func (carried) Keys() []string { return []string{"traceparent", "tracestate"} }

// written is the traceparent of a span; "": it has none.
func written(span trace.SpanContext) string {
	if !span.IsValid() {
		return ""
	}
	flags := span.TraceFlags() & (trace.FlagsSampled | trace.FlagsRandom)
	return "00-" + span.TraceID().String() + "-" + span.SpanID().String() + "-" + flags.String()
}

// completedBy has the span of a delivery link to that of the joined run which it began.
func (d *delivery) completedBy(joined trace.Span) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.span != nil { // otherwise there is no Processor
		d.span.AddLink(trace.Link{SpanContext: joined.SpanContext()})
	}
}

// stamped returns m with its trace context and the time of its arrival.
func stamped(m driver.Message, span trace.SpanContext, arrived time.Time) driver.Message {
	attributes := make(map[string]string, len(m.Attributes)+2)
	maps.Copy(attributes, m.Attributes)
	if attributes[traceAttribute] = written(span); attributes[traceAttribute] == "" {
		delete(attributes, traceAttribute)
	}
	attributes[arrivedAttribute] = strconv.FormatInt(arrived.UnixMilli(), 10)
	m.Attributes = attributes
	return m
}

const pubsubType = "google.cloud.pubsub.topic.v1.messagePublished"

// describe returns the attributes of a delivery's span.
func (t *Telemetry) describe(m driver.Message) []attribute.KeyValue {
	eventType := m.Attributes["ce-type"]
	attrs := append(t.private(make([]attribute.KeyValue, 0, 13), attrKey, m.Key),
		t.source(m.Source),
		attribute.String("messaging.system", systemOf(eventType)),
		attribute.String("messaging.operation.name", "process"),
		attribute.String("messaging.operation.type", "process"),
		attribute.Int("messaging.message.body.size", len(m.Content)),
		attribute.String("faas.trigger", "pubsub"),
		attribute.Bool("faas.coldstart", t.warm.CompareAndSwap(false, true)))
	if eventType != "" {
		attrs = append(attrs, attribute.String("cloudevents.event_type", shown(eventType)))
	}
	attrs = t.private(attrs, "messaging.message.id", m.ID)
	attrs = t.private(attrs, "cloudevents.event_id", m.ID)
	attrs = t.private(attrs, "cloudevents.event_source", m.Attributes["ce-source"])
	return t.private(attrs, "cloudevents.event_subject", m.Attributes["ce-subject"])
}

// systemOf is how OpenTelemetry calls what an event of this type has come through.
func systemOf(eventType string) string {
	if eventType == pubsubType {
		return "gcp_pubsub"
	}
	return "cloudevents"
}

// Observe counts a delivery, and ends its span. It is a [convert.Observer].
func (t *Telemetry) Observe(ctx context.Context, o convert.Outcome) {
	source := t.sources.of(o.Source)
	values := deliveryLabels{systemOf(o.Type), source, string(o.Verdict), ""}
	if o.Err != nil {
		name, _ := errorType(o.Err)
		values.failure = t.reasons.of(name)
	}
	labels := t.labeled.deliveries.of(values, deliveryLabels.attributes)
	d := deliveryFrom(ctx)
	if d != nil {
		t.end(ctx, d, o)
		if span := d.span.SpanContext(); span.IsSampled() {
			ctx = trace.ContextWithSpanContext(ctx, span) // for exemplars
		}
		t.metrics.process.Record(ctx, time.Since(d.began).Seconds(), labels.record...)
	}
	labels.one(ctx, t.metrics.consumed)
	if o.Verdict == convert.TurnedAway {
		t.metrics.turnedAway.Add(ctx, o.Size, t.labeled.sources.of(source, ofSource).add...)
	}
}

// end ends the span of a delivery, which may have begun with no message.
func (t *Telemetry) end(ctx context.Context, d *delivery, o convert.Outcome) {
	m := driver.Message{ID: o.ID, Source: o.Source, Key: o.Key}
	if !d.begun() {
		m.Attributes = map[string]string{"ce-type": o.Type, "ce-source": o.Origin}
	}
	span := t.begin(ctx, d, m)
	defer span.End()
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(attrOutcome.String(string(o.Verdict)))
	if o.Reason != "" {
		span.SetAttributes(attrReason.String(shown(string(o.Reason))))
	}
	switch o.Verdict {
	case convert.Failed, convert.DeadLettered, convert.Rejected:
		name, _ := errorType(o.Err)
		span.SetStatus(codes.Error, "")
		span.SetAttributes(attrError.String(shown(name)))
	}
}
