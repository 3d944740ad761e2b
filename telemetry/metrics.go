package telemetry

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/metric"
)

// instruments are the metrics. docs/how-to/telemetry.md describes each.
type instruments struct {
	consumed    metric.Int64Counter
	process     metric.Float64Histogram
	joins       metric.Int64Counter
	joinWait    metric.Float64Histogram
	letters     metric.Int64Counter
	runs        metric.Int64Counter
	runDuration metric.Float64Histogram
	takeovers   metric.Int64Counter
	lost        metric.Int64Counter
	fenced      metric.Int64Counter
	operations  metric.Float64Histogram
	requests    metric.Int64Counter
	turnedAway  metric.Int64Counter
}

// Bounds of histograms, in seconds. Those of processing are OpenTelemetry's.
var (
	processBounds = metric.WithExplicitBucketBoundaries(
		0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 300)
	joinBounds = metric.WithExplicitBucketBoundaries(
		0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4*3600, 12*3600, 24*3600, 3*24*3600, 7*24*3600)
)

func newInstruments(m metric.Meter) (i instruments, err error) {
	var errs []error
	counter := func(into *metric.Int64Counter, name, unit, about string) {
		c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(about))
		*into, errs = c, append(errs, err)
	}
	histogram := func(into *metric.Float64Histogram, name, about string, bounds metric.HistogramOption) {
		h, err := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(about), bounds)
		*into, errs = h, append(errs, err)
	}
	counter(&i.consumed, "messaging.client.consumed.messages", "{message}", "Deliveries of events, by source and outcome.")
	histogram(&i.process, "messaging.process.duration", "From a delivery's arrival to its outcome.", processBounds)
	counter(&i.joins, "eventdriver.joins", "{join}", "Keys that were completed, by outcome.")
	histogram(&i.joinWait, "eventdriver.join.wait", "From the arrival of a join's first event to its completion.", joinBounds)
	counter(&i.letters, "eventdriver.dead_letters", "{letter}", "Dead letters that were stored, by reason and source.")
	counter(&i.runs, "eventdriver.runs", "{run}", "Runs of the business handler, by outcome, and whether one had run before.")
	histogram(&i.runDuration, "eventdriver.run.duration", "Runs of the business handler, and of the handlers behind it.", processBounds)
	counter(&i.takeovers, "eventdriver.takeovers", "{claim}", "Claims that took a key over from a holder whose lease had run out.")
	counter(&i.lost, "eventdriver.leases.lost", "{lease}", "Leases that were lost while the handler ran.")
	counter(&i.fenced, "eventdriver.completions.fenced", "{completion}", "Completions that the store refused, since another had taken the key.")
	histogram(&i.operations, "eventdriver.store.operation.duration", "Operations of stores, by store, operation and outcome.", processBounds)
	counter(&i.requests, "eventdriver.store.requests", "{request}", "Requests to Google's services, by service, operation, status and billing class.")
	counter(&i.turnedAway, "eventdriver.memory.turned_away", "By",
		"Bytes of deliveries that found no memory free, as far as their requests told, by source.")
	return i, errors.Join(errs...)
}

// InFlight has the metric of the bytes that are held for events read from bytes, which must be safe
// for concurrent use.
func (t *Telemetry) InFlight(bytes func() int64) error {
	_, err := t.meter.Int64ObservableGauge("eventdriver.memory.in_flight", metric.WithUnit("By"),
		metric.WithDescription("Bytes that are held for events now."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(bytes())
			return nil
		}))
	return err
}
