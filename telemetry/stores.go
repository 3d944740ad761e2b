package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"example.com/eventdriver/driver"
)

// call is an operation of a store, with its span.
type call struct {
	t         *Telemetry
	ctx       context.Context
	span      trace.Span
	began     time.Time
	store, op string
	err       *error // the operation's result
}

// call begins an operation of the store that is called store, whose result will be err.
func (t *Telemetry) call(ctx context.Context, err *error, store, op, key, source string) (context.Context, call) {
	if !trace.SpanContextFromContext(ctx).IsValid() { // that of a dead letter comes after its handlers
		ctx = trace.ContextWithSpanContext(ctx, SpanOf(ctx))
	}
	ctx, span := t.tracer.Start(ctx, op, asClient...)
	if span.IsRecording() {
		span.SetAttributes(t.ofOperation(store, op, key, source)...)
	}
	*err = errNotReturned
	return ctx, call{t, ctx, span, time.Now(), store, op, err}
}

// asClient is how the span of an operation starts. Its attributes come afterwards, where it is recorded.
var asClient = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)}

func (t *Telemetry) ofOperation(store, op, key, source string) []attribute.KeyValue {
	attrs := t.private(make([]attribute.KeyValue, 0, 4), attrKey, key)
	attrs = append(attrs, attrStore.String(store), attrOperation.String(op))
	if source != "" {
		attrs = append(attrs, t.source(source))
	}
	return attrs
}

// end ends it. To be deferred: what does not return is counted, too.
func (c call) end() {
	outcome := c.t.finish(c.span, *c.err)
	values := operationLabels{c.store, c.op, c.t.reasons.of(outcome)}
	labels := c.t.labeled.operations.of(values, operationLabels.attributes)
	c.t.metrics.operations.Record(c.ctx, time.Since(c.began).Seconds(), labels.record...)
}

// EventStore returns a store that does what s does, with a span for each operation. It is a Replacer,
// a Decider, a Sealer and a KeepLooker where s is. name is what metrics call it.
func (t *Telemetry) EventStore(name string, s driver.EventStore) driver.EventStore {
	e := &eventStore{t, name, s}
	r, canReplace := s.(driver.Replacer)
	d, canDecide := s.(driver.Decider)
	l, canSeal := s.(driver.Sealer)
	re, de, se := replacer{e, r}, decider{e, d}, sealer{e, l}
	type (
		Replacer = driver.Replacer
		Decider  = driver.Decider
		Sealer   = driver.Sealer
	)
	switch [3]bool{canReplace, canDecide, canSeal} {
	case [3]bool{true, true, true}:
		return struct {
			*eventStore
			Replacer
			Decider
			Sealer
		}{e, re, de, se}
	case [3]bool{true, true, false}:
		return struct {
			*eventStore
			Replacer
			Decider
		}{e, re, de}
	case [3]bool{true, false, true}:
		return struct {
			*eventStore
			Replacer
			Sealer
		}{e, re, se}
	case [3]bool{false, true, true}:
		return struct {
			*eventStore
			Decider
			Sealer
		}{e, de, se}
	case [3]bool{true, false, false}:
		return struct {
			*eventStore
			Replacer
		}{e, re}
	case [3]bool{false, true, false}:
		return struct {
			*eventStore
			Decider
		}{e, de}
	case [3]bool{false, false, true}:
		return struct {
			*eventStore
			Sealer
		}{e, se}
	}
	return e
}

type eventStore struct {
	t    *Telemetry
	name string
	next driver.EventStore
}

func (s *eventStore) call(ctx context.Context, err *error, op, key, source string) (context.Context, call) {
	return s.t.call(ctx, err, s.name, op, key, source)
}

// Persist implements [driver.EventStore].
func (s *eventStore) Persist(ctx context.Context, m driver.Message) (err error) {
	ctx, c := s.call(ctx, &err, "persist", m.Key, m.Source)
	defer c.end()
	err = s.next.Persist(ctx, m)
	noteKept(ctx, m, err)
	return err
}

// noteKept notes m, or what is kept instead of it.
func noteKept(ctx context.Context, m driver.Message, err error) {
	if conflict, is := errors.AsType[*driver.ConflictError](err); is {
		runFrom(ctx).note(conflict.Stored)
	} else if err == nil {
		runFrom(ctx).note(m)
	}
}

// LookUp implements [driver.EventStore].
func (s *eventStore) LookUp(ctx context.Context, key, source string) (m driver.Message, err error) {
	ctx, c := s.call(ctx, &err, "look up", key, source)
	defer c.end()
	if m, err = s.next.LookUp(ctx, key, source); err == nil {
		runFrom(ctx).note(m)
	}
	return m, err
}

// LookUpByKey implements [driver.EventStore].
func (s *eventStore) LookUpByKey(ctx context.Context, key string) (messages []driver.Message, err error) {
	ctx, c := s.call(ctx, &err, "look up by key", key, "")
	defer c.end()
	return s.next.LookUpByKey(ctx, key)
}

// ListSourcesByKey implements [driver.EventStore].
func (s *eventStore) ListSourcesByKey(ctx context.Context, key string) (sources []string, err error) {
	ctx, c := s.call(ctx, &err, "list sources by key", key, "")
	defer c.end()
	return s.next.ListSourcesByKey(ctx, key)
}

// KeepAndLook implements [driver.KeepLooker].
func (s *eventStore) KeepAndLook(ctx context.Context, m driver.Message, sources []string) (messages []driver.Message, missing []string, err error) {
	store, can := s.next.(driver.KeepLooker)
	if !can {
		return nil, nil, errors.ErrUnsupported
	}
	ctx, c := s.call(ctx, &err, "keep and look", m.Key, m.Source)
	defer c.end()
	messages, missing, err = store.KeepAndLook(ctx, m, sources)
	noteKept(ctx, m, err)
	runFrom(ctx).note(messages...)
	return messages, missing, err
}

type replacer struct {
	s    *eventStore
	next driver.Replacer
}

// Replace implements [driver.Replacer].
func (r replacer) Replace(ctx context.Context, m driver.Message) (kept driver.Message, err error) {
	ctx, c := r.s.call(ctx, &err, "replace", m.Key, m.Source)
	defer c.end()
	if kept, err = r.next.Replace(ctx, m); err == nil {
		runFrom(ctx).note(kept)
	}
	return kept, err
}

type decider struct {
	s    *eventStore
	next driver.Decider
}

// Decide implements [driver.Decider].
func (d decider) Decide(ctx context.Context, key, name string, sources []string) (decided []string, err error) {
	ctx, c := d.s.call(ctx, &err, "decide", key, "")
	defer c.end()
	return d.next.Decide(ctx, key, name, sources)
}

// ListDecided implements [driver.Decider].
func (d decider) ListDecided(ctx context.Context, key, name string) (sources, decided []string, err error) {
	ctx, c := d.s.call(ctx, &err, "list decided", key, "")
	defer c.end()
	return d.next.ListDecided(ctx, key, name)
}

type sealer struct {
	s    *eventStore
	next driver.Sealer
}

// Seal implements [driver.Sealer].
func (l sealer) Seal(ctx context.Context, key, source string) (sealed bool, err error) {
	ctx, c := l.s.call(ctx, &err, "seal", key, source)
	defer c.end()
	return l.next.Seal(ctx, key, source)
}

// DeadLetterStore returns a store that does what s does, with a span, and counts the letters.
func (t *Telemetry) DeadLetterStore(name string, s driver.DeadLetterStore) driver.DeadLetterStore {
	return letterStore{t, name, s}
}

type letterStore struct {
	t    *Telemetry
	name string
	next driver.DeadLetterStore
}

// AddDeadLetter implements [driver.DeadLetterStore].
func (s letterStore) AddDeadLetter(ctx context.Context, d driver.DeadLetter) (err error) {
	ctx, c := s.t.call(ctx, &err, s.name, "add dead letter", d.Key, d.Source)
	defer c.end()
	if err = s.next.AddDeadLetter(ctx, d); err == nil {
		labels := letterLabels{s.t.reasons.of(string(d.Reason)), s.t.sources.of(d.Source)}
		s.t.labeled.letters.of(labels, letterLabels.attributes).one(ctx, s.t.metrics.letters)
	}
	return err
}
