package telemetry_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
	"example.com/eventdriver/telemetry"
)

// open returns what observes, with where spans and metrics arrive.
func open(t testing.TB, opts ...telemetry.Option) (*telemetry.Telemetry, *tracetest.InMemoryExporter, *metric.ManualReader) {
	t.Helper()
	spans, reader := tracetest.NewInMemoryExporter(), metric.NewManualReader()
	observed, err := telemetry.New(trace.NewTracerProvider(trace.WithSyncer(spans)), metric.NewMeterProvider(metric.WithReader(reader)), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return observed, spans, reader
}

// total sums up a metric, by the value of one of its attributes: of a histogram, how many values it has.
func total(t testing.TB, reader *metric.ManualReader, name, attr string) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	sums := make(map[string]int64)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			var points []metricdata.DataPoint[int64]
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					points = append(points, metricdata.DataPoint[int64]{Attributes: p.Attributes, Value: int64(p.Count)})
				}
			case metricdata.Sum[int64]:
				points = data.DataPoints
			case metricdata.Gauge[int64]:
				points = data.DataPoints
			}
			for _, p := range points {
				for _, a := range p.Attributes.ToSlice() {
					if string(a.Key) == attr {
						sums[a.Value.String()] += p.Value
					}
				}
				if attr == "" {
					sums[""] += p.Value
				}
			}
		}
	}
	return sums
}

// TestPanicsGoOn: a handler's panic is counted, its span ends, and it goes on.
func TestPanicsGoOn(t *testing.T) {
	observed, spans, reader := open(t)
	business := observed.Business(driver.Named("ship", driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { panic("boom") })))
	err := driver.New(observed.Handlers(business)...).Process(t.Context(), driver.Message{Key: "k", Source: "s"})
	if _, panicked := errors.AsType[*driver.PanicError](err); !panicked {
		t.Errorf("%v; want the panic", err)
	}
	if where, named := errors.AsType[*driver.Error](err); !named || where.Handler != "ship" {
		t.Errorf("%v names no handler", err)
	}
	if ended := spans.GetSpans(); len(ended) != 1 || ended[0].Name != "ship" || ended[0].Status.Code.String() != "Error" {
		t.Errorf("spans: %+v", ended)
	}
	if got := total(t, reader, "eventdriver.runs", "eventdriver.outcome"); got["panic"] != 1 {
		t.Errorf("runs: %v", got)
	}
}

// TestBytesTurnedAwayAreCounted, and those of no other delivery.
func TestBytesTurnedAwayAreCounted(t *testing.T) {
	observed, _, reader := open(t)
	for _, o := range []convert.Outcome{
		{Verdict: convert.TurnedAway, Source: "event1", Size: 5},
		{Verdict: convert.TurnedAway, Source: "event1", Size: 7},
		{Verdict: convert.TurnedAway, Source: "event2"},
		{Verdict: convert.Processed, Source: "event1", Size: 11},
	} {
		observed.Observe(t.Context(), o)
	}
	if got := total(t, reader, "eventdriver.memory.turned_away", "eventdriver.source"); got["event1"] != 12 || got["event2"] != 0 {
		t.Errorf("turned away: %v", got)
	}
}

// TestSeriesAreBounded: what events say makes no time series beyond a number.
func TestSeriesAreBounded(t *testing.T) {
	observed, _, reader := open(t, telemetry.Sources("event1"))
	letters := observed.DeadLetterStore("memory", memstore.New())
	for _, source := range []string{"event1", "a", "b", ""} {
		if err := letters.AddDeadLetter(t.Context(), driver.DeadLetter{Reason: driver.ReasonNoKey, Source: source}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 200 {
		_ = letters.AddDeadLetter(t.Context(), driver.DeadLetter{Reason: driver.Reason(time.Duration(i).String()), Source: "event1"})
	}
	if got := total(t, reader, "eventdriver.dead_letters", "eventdriver.source"); got["event1"] != 201 || got["other"] != 2 || got["unknown"] != 1 {
		t.Errorf("by source: %v", got)
	}
	if got := total(t, reader, "eventdriver.dead_letters", "eventdriver.reason"); len(got) > 51 || got["other"] == 0 {
		t.Errorf("%d reasons", len(got))
	}
}

// TestWaitingShowsTheLastWholeSweep.
func TestWaitingShowsTheLastWholeSweep(t *testing.T) {
	observed, _, reader := open(t)
	w := observed.Waiting()
	missing := func() map[string]int64 { return total(t, reader, "eventdriver.joins.waiting", "eventdriver.missing") }
	w.Add([]string{"event1"}, time.Hour) // of a sweep that began elsewhere
	w.End()
	if got := missing(); len(got) != 0 {
		t.Errorf("a sweep that has not seen all keys shows %v", got)
	}
	w.Begin()
	w.Add([]string{"event1", "event2"}, time.Hour)
	w.Add([]string{"event2"}, 25*time.Hour)
	if got := missing(); len(got) != 0 {
		t.Errorf("a sweep that has not ended shows %v", got)
	}
	w.End()
	if got := missing(); !reflect.DeepEqual(got, map[string]int64{"event1": 1, "event2": 2}) {
		t.Errorf("waiting: %v", got)
	}
	if got := total(t, reader, "eventdriver.joins.waiting", "eventdriver.age"); !reflect.DeepEqual(got, map[string]int64{"<1d": 2, ">=1d": 1}) {
		t.Errorf("waiting, by age: %v", got)
	}
	w.Begin()
	w.End()
	if got := missing(); got["event1"] != 0 || got["event2"] != 0 || len(got) != 2 {
		t.Errorf("waiting, after all have come: %v", got)
	}
}

// TestSpansAreSmallAndUTF8, whatever an event says: spans wait in a queue, and one that is not UTF-8
// would keep the exporter from sending the others.
func TestSpansAreSmallAndUTF8(t *testing.T) {
	observed, spans, _ := open(t)
	long := strings.Repeat("x", 1<<20)
	m := driver.Message{Key: "\xff" + long, Source: "\xfe" + long, ID: "\xfd" + long, Content: []byte("1"),
		Attributes: map[string]string{"ce-subject": "\xfc" + long, "ce-type": long, "ce-source": long, "ce-id": long}}
	ctx := observed.Arrive(t.Context(), nil)
	p := observed.Processor(driver.New(observed.Handlers(cache.New(observed.ClaimStore("memory", memstore.New())))...))
	if err := p.Process(ctx, m); err != nil {
		t.Fatal(err)
	}
	observed.Observe(ctx, convert.Outcome{Verdict: convert.Processed, Source: m.Source, Key: m.Key, ID: m.ID})
	for _, s := range spans.GetSpans() {
		texts := []string{s.Name}
		for _, a := range s.Attributes {
			texts = append(texts, a.Value.String())
		}
		for _, text := range texts {
			if len(text) > 2048 || !utf8.ValidString(text) {
				t.Errorf("%.20q has a text of %d bytes: %.20q", s.Name, len(text), text)
			}
		}
	}
	if n := len(spans.GetSpans()); n < 3 {
		t.Errorf("%d spans", n)
	}
}

// TestHandlersWithoutProcessor join, though there is no span of the delivery to link.
func TestHandlersWithoutProcessor(t *testing.T) {
	observed, _, _ := open(t)
	p := driver.New(observed.Handlers(joiner.New(joiner.MatchAll("event1"), memstore.New()))...)
	if err := p.Process(observed.Arrive(t.Context(), nil), driver.Message{Key: "a", Source: "event1", ID: "1"}); err != nil {
		t.Error(err)
	}
}
