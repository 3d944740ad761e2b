package telemetry

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// sets are sets of attributes that are made once: K is what tells them apart, and of K there are few values. The zero
// value is ready to use. It is safe for concurrent use.
type sets[K comparable] struct{ made sync.Map }

// set is a set of attributes as the instruments take it.
type set struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

// of returns the set of a key, which attributes makes.
func (s *sets[K]) of(key K, attributes func(K) []attribute.KeyValue) set {
	if made, is := s.made.Load(key); is {
		return made.(set)
	}
	option := metric.WithAttributeSet(attribute.NewSet(attributes(key)...))
	made, _ := s.made.LoadOrStore(key, set{[]metric.AddOption{option}, []metric.RecordOption{option}})
	return made.(set)
}

// one counts one.
func (s set) one(ctx context.Context, c metric.Int64Counter) { c.Add(ctx, 1, s.add...) }

// labels are the values of the attributes that tell a metric's series apart. Their names follow from the metric.
type (
	deliveryLabels  struct{ system, source, outcome, failure string } // failure is "" where nothing failed
	operationLabels struct{ store, operation, outcome string }
	requestLabels   struct{ service, operation, status, class string }
	runLabels       struct {
		outcome  string
		repeated bool
	}
	letterLabels struct{ reason, source string }
)

// labeled are the sets of all metrics.
type labeled struct {
	deliveries sets[deliveryLabels]
	operations sets[operationLabels]
	requests   sets[requestLabels]
	runs       sets[runLabels]
	letters    sets[letterLabels]
	outcomes   sets[string]
	sources    sets[string]
}

func (l deliveryLabels) attributes() []attribute.KeyValue {
	attrs := []attribute.KeyValue{
		attribute.String("messaging.system", l.system), attribute.String("messaging.operation.name", "process"),
		attrSource.String(l.source), attrOutcome.String(l.outcome)}
	if l.failure != "" {
		attrs = append(attrs, attrError.String(l.failure))
	}
	return attrs
}

func (l operationLabels) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{
		attrStore.String(l.store), attrOperation.String(l.operation), attrOutcome.String(l.outcome)}
}

func (l requestLabels) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("eventdriver.service", l.service), attribute.String("eventdriver.operation", l.operation),
		attribute.String("eventdriver.status", l.status), attribute.String("eventdriver.billing_class", l.class)}
}

func (l runLabels) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{attrOutcome.String(l.outcome), attribute.Bool("eventdriver.repeated", l.repeated)}
}

func (l letterLabels) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{attrReason.String(l.reason), attrSource.String(l.source)}
}

func ofOutcome(outcome string) []attribute.KeyValue {
	return []attribute.KeyValue{attrOutcome.String(outcome)}
}

func ofSource(source string) []attribute.KeyValue {
	return []attribute.KeyValue{attrSource.String(source)}
}
