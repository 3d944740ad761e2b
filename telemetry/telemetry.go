// Package telemetry shows in OpenTelemetry what a pipeline does: a trace of each event and of each
// join, and metrics. It wraps what a program is made of: handlers, stores, the processor of
// events. The packages under driver know nothing of it.
//
// It only uses the interfaces of OpenTelemetry. Package otlp beside it makes the providers that send
// what is recorded; any others do as well.
//
// # Traces
//
// A delivery of an event is a span of kind consumer, "process SOURCE". Its parent is the request's
// span; where the request has none, it is the producer's, which the event names in ce-traceparent or
// in the Pub/Sub attribute googclient_traceparent. Where both are known and differ, the producer's is
// linked. Below it are the spans of the handlers and of the operations of stores.
//
// The trace context of an event, and when it arrived, are kept with it as two of its attributes. So
// the joined run knows those of all its events without a request of its own. It is a trace of its own,
// whose first span links to the spans of the events, and the span of the event that completed the
// join links to it.
//
// Spans and metrics hold neither contents nor the texts of errors: the log has these, with the trace
// and the span of each line.
package telemetry

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
)

// Name is the instrumentation scope of all spans and metrics.
const Name = "example.com/eventdriver/telemetry"

// Keys says how spans show keys. Metrics never have them.
type Keys string

// The ways to show keys.
const (
	KeysPlain  Keys = "plain"
	KeysHashed Keys = "hashed" // the first 16 hexadecimal digits of the SHA-256
	KeysOff    Keys = "off"
)

// Telemetry observes one pipeline. Create it with [New]. It is safe for concurrent use.
type Telemetry struct {
	tracer  trace.Tracer
	meter   metric.Meter
	metrics instruments
	labeled labeled
	keys    Keys
	sources bounded
	reasons bounded
	warm    atomic.Bool // an event has come
	waiting Waiting
}

// Option is an option of [New].
type Option func(*Telemetry)

// ShowKeys says how spans show keys, and what often holds a key: the event's ID, source and subject, and
// the ID of a joined message. The default is [KeysPlain]. With another, the sources of a pipeline are told apart
// as metrics tell them apart: see [Sources].
func ShowKeys(keys Keys) Option { return func(t *Telemetry) { t.keys = keys } }

// Sources are the sources that metrics tell apart, beside that of joined messages; others are "other" there.
// Without it, these are the first 100 that come.
func Sources(sources ...string) Option {
	return func(t *Telemetry) { t.sources = only(append(slices.Clone(sources), joiner.ComposedSource)) }
}

// New returns what observes a pipeline with the tracers and meters of these providers.
func New(tracers trace.TracerProvider, meters metric.MeterProvider, opts ...Option) (*Telemetry, error) {
	t := &Telemetry{tracer: tracers.Tracer(Name), meter: meters.Meter(Name), keys: KeysPlain, sources: upTo(100), reasons: upTo(50)}
	for _, opt := range opts {
		opt(t)
	}
	var err error
	t.metrics, err = newInstruments(t.meter)
	return t, errors.Join(err, t.waiting.register(t))
}

// The names of attributes. Those of OpenTelemetry's conventions are used where they exist.
const (
	attrKey       = attribute.Key("eventdriver.key")
	attrSource    = attribute.Key("eventdriver.source")
	attrToken     = attribute.Key("eventdriver.fencing_token")
	attrOutcome   = attribute.Key("eventdriver.outcome")
	attrReason    = attribute.Key("eventdriver.reason")
	attrStore     = attribute.Key("eventdriver.store")
	attrOperation = attribute.Key("eventdriver.store.operation")
	attrMissing   = attribute.Key("eventdriver.missing")
	attrAge       = attribute.Key("eventdriver.age")
	attrError     = attribute.Key("error.type")
)

// key is the attribute of a key, if it is shown.
func (t *Telemetry) key(key string) []attribute.KeyValue { return t.private(nil, attrKey, key) }

// private appends an attribute that is a key, or may hold one, as it is shown.
func (t *Telemetry) private(to []attribute.KeyValue, name attribute.Key, value string) []attribute.KeyValue {
	switch {
	case value == "" || t.keys == KeysOff:
		return to
	case t.keys == KeysHashed:
		sum := sha256.Sum256([]byte(value))
		value = hex.EncodeToString(sum[:8])
	}
	return append(to, name.String(shown(value)))
}

// source is the attribute of a source in a span. Where keys are hidden, one that an event has made up is, too.
func (t *Telemetry) source(source string) attribute.KeyValue {
	return attrSource.String(t.sourceName(source))
}

func (t *Telemetry) sourceName(source string) string {
	if t.keys != KeysPlain && source != "" {
		return t.sources.of(source)
	}
	return shown(source)
}

// spanName is the name of the span in which an event of a source, or a joined message, is processed.
func (t *Telemetry) spanName(source string) string {
	return "process " + cmp.Or(t.sourceName(source), "event")
}

// longestText is how many bytes of a text of an event a span shows: spans wait in a queue, where no
// admission counts what they hold.
const longestText = 1024

// shown returns a text of an event as a span can have it. One that is not UTF-8 would keep the exporter
// from sending all the spans beside it.
func shown(text string) string {
	if len(text) > longestText {
		text = strings.Clone(text[:longestText]) // the rest can be collected
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// errNotReturned stands for the error of a call that has not returned: it panicked, or ended its goroutine.
var errNotReturned = errors.New("panic")

// errorTypes are words for errors that callers tell apart, in the order in which they are looked for.
var errorTypes = []struct {
	err      error
	name     string
	expected bool // nothing is wrong
}{
	{driver.ErrHeld, "held", true},
	{driver.ErrLater, "later", true},
	{driver.ErrDone, "done", true},
	{driver.ErrNotFound, "not-found", true},
	{driver.ErrConflict, "conflict", true},
	{driver.ErrSealed, "too-late", true},
	{errors.ErrUnsupported, "unsupported", true},
	{driver.ErrLost, "lost", false},
	{driver.ErrNoMemory, "no-memory", false},
	{context.DeadlineExceeded, "timeout", false},
	{context.Canceled, "canceled", false},
}

// errorType is a word for err, one of few, and says whether such an error is expected.
func errorType(err error) (name string, expected bool) {
	if err == errNotReturned {
		return "panic", false
	}
	err = driver.Recover(func() error { return err }) // its methods may be anybody's
	if _, panicked := errors.AsType[*driver.PanicError](err); panicked {
		return "panic", false
	}
	if reason := driver.ReasonOf(err); reason != "" && !errors.Is(err, driver.ErrConflict) && !errors.Is(err, driver.ErrSealed) {
		return string(reason), false
	}
	for _, t := range errorTypes {
		if errors.Is(err, t.err) {
			return t.name, t.expected
		}
	}
	return "_OTHER", false
}

// outcomeOf is "ok", or the word for an error. It says whether such an outcome is expected.
func outcomeOf(err error) (outcome string, expected bool) {
	if err == nil {
		return "ok", true
	}
	return errorType(err)
}

// finish ends a span with the outcome of what it is of.
func (t *Telemetry) finish(span trace.Span, err error) (outcome string) {
	defer span.End()
	outcome, expected := outcomeOf(err)
	if err != nil {
		span.SetAttributes(attrOutcome.String(shown(outcome)))
	}
	if !expected {
		span.SetStatus(codes.Error, "")
		span.SetAttributes(attrError.String(t.reasons.of(outcome)))
	}
	return outcome
}
