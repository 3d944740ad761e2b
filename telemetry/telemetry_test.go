package telemetry_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/drivertest"
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

// store is a memory store, observed.
type store struct {
	driver.EventStore
	driver.ClaimStore
	driver.DeadLetterStore
	driver.Replacer
	driver.Decider
	driver.Sealer
	driver.KeepLooker
	memory *memstore.Store
}

// TestObservedStoreKeepsItsContract by the conformance suite of stores.
func TestObservedStoreKeepsItsContract(t *testing.T) {
	h := drivertest.Harness[store]{
		Open: func(t *testing.T) store {
			observed, _, _ := open(t)
			memory := memstore.New()
			events := observed.EventStore("memory", memory)
			return store{events, observed.ClaimStore("memory", memory), observed.DeadLetterStore("memory", memory),
				events.(driver.Replacer), events.(driver.Decider), events.(driver.Sealer), events.(driver.KeepLooker), memory}
		},
		FakeTime: true, Exclusive: true,
	}
	drivertest.TestEventStore(t, h)
	drivertest.TestClaimStore(t, h)
	drivertest.TestDeadLetterStore(t, h, func(s store) []driver.DeadLetter { return s.memory.DeadLetters() })
}

// TestObservedStoreCanWhatTheStoreCan, and nothing else.
func TestObservedStoreCanWhatTheStoreCan(t *testing.T) {
	observed, _, _ := open(t)
	memory := memstore.New()
	type (
		E = driver.EventStore
		R = driver.Replacer
		D = driver.Decider
		S = driver.Sealer
	)
	kinds := []reflect.Type{reflect.TypeFor[R](), reflect.TypeFor[D](), reflect.TypeFor[S]()}
	for _, s := range []E{
		struct{ E }{memory},
		struct {
			E
			R
		}{memory, memory},
		struct {
			E
			D
		}{memory, memory},
		struct {
			E
			S
		}{memory, memory},
		struct {
			E
			R
			D
		}{memory, memory, memory},
		struct {
			E
			R
			S
		}{memory, memory, memory},
		struct {
			E
			D
			S
		}{memory, memory, memory},
		memory,
	} {
		wrapped := observed.EventStore("memory", s)
		for _, kind := range kinds {
			if can, want := reflect.TypeOf(wrapped).Implements(kind), reflect.TypeOf(s).Implements(kind); can != want {
				t.Errorf("%T as %v: %v, want %v", s, kind, can, want)
			}
		}
		if _, _, err := wrapped.(driver.KeepLooker).KeepAndLook(t.Context(), driver.Message{Key: "k", Source: "s"}, []string{"s"}); errors.Is(err, errors.ErrUnsupported) != (s != E(memory)) {
			t.Errorf("%T: KeepAndLook: %v", s, err)
		}
	}
}

// TestTakeoversAndFencedCompletionsAreCounted, of claims whose leases run out.
func TestTakeoversAndFencedCompletionsAreCounted(t *testing.T) {
	observed, _, reader := open(t)
	claims := observed.ClaimStore("memory", memstore.New())
	old, err := claims.Acquire(t.Context(), driver.NewClaim("k"), time.Nanosecond)
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	business := observed.Business(driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
		runs++
		return nil
	}))
	if err := driver.New(cache.New(claims), business).Process(t.Context(), driver.Message{Key: "k", Source: "s"}); err != nil || runs != 1 {
		t.Fatalf("%v, %d runs", err, runs)
	}
	if err := claims.Complete(t.Context(), old, ""); !errors.Is(err, driver.ErrLost) {
		t.Errorf("the old holder: %v", err)
	}
	if _, err := claims.Renew(t.Context(), old, time.Hour); !errors.Is(err, driver.ErrLost) {
		t.Errorf("the old holder: %v", err)
	}
	for name, want := range map[string]int64{"eventdriver.takeovers": 1, "eventdriver.completions.fenced": 1, "eventdriver.leases.lost": 1, "eventdriver.joins": 1} {
		if got := total(t, reader, name, "")[""]; got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	if got := total(t, reader, "eventdriver.runs", "eventdriver.repeated"); got["true"] != 1 || len(got) != 1 {
		t.Errorf("runs, by whether one was before: %v", got)
	}
}

// TestLostLeaseIsCountedOnce, whether the store says that it is lost or it can't be renewed in time; one that is kept is
// not counted.
func TestLostLeaseIsCountedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		renew error
		want  int64
	}{"the store says so": {driver.ErrLost, 1}, "it can't be renewed": {errors.New("unavailable"), 1}, "it is renewed": {nil, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				observed, _, reader := open(t)
				claims := observed.ClaimStore("memory", renewing{memstore.New(), c.renew})
				business := observed.Business(driver.HandlerFunc(func(ctx context.Context, _ driver.Message, _ driver.Next) error {
					select {
					case <-ctx.Done():
						return context.Cause(ctx)
					case <-time.After(5 * time.Minute):
						return nil
					}
				}))
				err := driver.New(cache.New(claims, cache.Lease(time.Minute)), business).Process(t.Context(), driver.Message{Key: "k", Source: "s"})
				if (err != nil) != (c.want > 0) {
					t.Errorf("the run ends with %v", err)
				}
				if got := total(t, reader, "eventdriver.leases.lost", "")[""]; got != c.want {
					t.Errorf("%d leases are lost, want %d", got, c.want)
				}
			})
		})
	}
}

// renewing is a store whose claims can be renewed, unless err is not nil.
type renewing struct {
	driver.ClaimStore
	err error
}

func (r renewing) Renew(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	if r.err != nil {
		return c, r.err
	}
	return r.ClaimStore.Renew(ctx, c, ttl)
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

// TestOperationThatDoesNotReturn, since it panics or ends its goroutine, is counted as a failure, and its span is
// one.
func TestOperationThatDoesNotReturn(t *testing.T) {
	for name, leave := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			observed, spans, reader := open(t)
			events := observed.EventStore("memory", leaving{memstore.New(), leave})
			err := driver.Guard(func() error { return events.Persist(t.Context(), driver.Message{Key: "k", Source: "s"}) })
			if _, panicked := errors.AsType[*driver.PanicError](err); !panicked {
				t.Errorf("%v; want the failure", err)
			}
			if got := total(t, reader, "eventdriver.store.operation.duration", "eventdriver.outcome"); len(got) != 1 || got["panic"] != 1 {
				t.Errorf("operations: %v", got)
			}
			if ended := spans.GetSpans(); len(ended) != 1 || ended[0].Status.Code.String() != "Error" {
				t.Errorf("spans: %+v", ended)
			}
		})
	}
}

// leaving is a store whose Persist does not return.
type leaving struct {
	driver.EventStore
	leave func()
}

func (l leaving) Persist(context.Context, driver.Message) error {
	l.leave()
	return nil
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

// TestRequestsHaveTheirBillingClass, as Google's price lists name it.
func TestRequestsHaveTheirBillingClass(t *testing.T) {
	observed, _, reader := open(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodDelete:
			http.NotFound(w, r)
		case strings.HasSuffix(r.URL.Path, "/again"): // and is sent again
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Query().Has("ifGenerationMatch"):
			w.WriteHeader(http.StatusPreconditionFailed)
		case strings.HasSuffix(r.URL.Path, "/moved"):
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	}))
	defer server.Close()
	send := func(service, method, path string) {
		client := http.Client{Transport: observed.Transport(service, http.DefaultTransport)}
		r, _ := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		if answer, err := client.Do(r); err == nil {
			_ = answer.Body.Close()
		}
	}
	for _, r := range [][3]string{
		{telemetry.CloudStorage, "POST", "/upload/storage/v1/b/bucket/o?uploadType=multipart"},
		{telemetry.CloudStorage, "GET", "/storage/v1/b/bucket/o?prefix=x"},
		{telemetry.CloudStorage, "GET", "/storage/v1/b/bucket/o/a%2Fb?alt=media"},
		{telemetry.CloudStorage, "DELETE", "/storage/v1/b/bucket/o/a%2Fb"},
		{telemetry.CloudStorage, "PATCH", "/storage/v1/b/bucket/o/a%2Fb"},
		{telemetry.CloudStorage, "POST", "/storage/v1/b/bucket/o/a/rewriteTo/b/bucket/o/c"},
		{telemetry.CloudStorage, "GET", "/storage/v1/b/bucket/o/again"},
		{telemetry.CloudStorage, "GET", "/storage/v1/b/bucket/o/moved"},
		{telemetry.CloudStorage, "POST", "/upload/storage/v1/b/bucket/o?uploadType=multipart&ifGenerationMatch=0"},
		{telemetry.BigQuery, "POST", "/bigquery/v2/projects/p/queries"},
		{telemetry.BigQuery, "POST", "/bigquery/v2/projects/p/datasets/d/tables/t/insertAll"},
		{telemetry.BigQuery, "GET", "/bigquery/v2/projects/p/queries/job"},
		{telemetry.BigQuery, "GET", "/bigquery/v2/projects/p/datasets/d/tables/t/data"},
	} {
		send(r[0], r[1], r[2])
	}
	server.Close()
	send(telemetry.CloudStorage, "GET", "/storage/v1/b/bucket/o/gone")
	for attr, want := range map[string]map[string]int64{
		"eventdriver.billing_class": {"A": 4, "B": 2, "free": 6, "bytes read": 1, "bytes inserted": 1},
		"eventdriver.status":        {"200": 9, "307": 1, "404": 1, "412": 1, "503": 1, "no-answer": 1},
		"eventdriver.operation":     {"insert": 3, "list": 1, "get": 4, "delete": 1, "update": 1, "copy": 1, "query": 1, "job": 1, "list rows": 1},
	} {
		if got := total(t, reader, "eventdriver.store.requests", attr); !reflect.DeepEqual(got, want) {
			t.Errorf("by %s: %v, want %v", attr, got, want)
		}
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
