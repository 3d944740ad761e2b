package telemetry

import (
	"context"
	"maps"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// Waiting are the joins that wait, as a sweep has found them. It is safe for concurrent use.
type Waiting struct {
	t *Telemetry

	mu    sync.Mutex
	found map[waits]int64 // by the sweep that is under way
	last  map[waits]int64 // by the last one that came to its end
	ended time.Time       // when that was; zero: never
}

// waits is what a join waits for, and since when.
type waits struct{ source, age string }

// staleAfter is for how long the result of a sweep is shown: another instance may do the next one.
const staleAfter = 30 * time.Minute

// ages are the bounds of the ages that are told apart.
var ages = []struct {
	below time.Duration
	name  string
}{{time.Minute, "<1m"}, {10 * time.Minute, "<10m"}, {time.Hour, "<1h"}, {24 * time.Hour, "<1d"}, {1<<63 - 1, ">=1d"}}

// Waiting returns what a sweep tells of the joins that wait.
func (t *Telemetry) Waiting() *Waiting { return &t.waiting }

func (w *Waiting) register(t *Telemetry) error {
	w.t = t
	_, err := t.meter.Int64ObservableGauge("eventdriver.joins.waiting", metric.WithUnit("{join}"),
		metric.WithDescription("Joins that wait for a source, by that source and their age, as the last sweep has found them."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			w.observe(o)
			return nil
		}))
	return err
}

func (w *Waiting) observe(o metric.Int64Observer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended.IsZero() || time.Since(w.ended) > staleAfter {
		return
	}
	for which, n := range w.last {
		o.Observe(n, metric.WithAttributes(attrMissing.String(which.source), attrAge.String(which.age)))
	}
}

// Begin begins a sweep through all keys.
func (w *Waiting) Begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found = make(map[waits]int64)
}

// Add counts a join of this age that lacks the events of sources, once for each of these.
func (w *Waiting) Add(sources []string, age time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.found == nil { // the sweep has not begun at the first key
		return
	}
	for _, source := range sources {
		w.found[waits{w.t.sources.of(source), ageOf(age)}]++
	}
}

func ageOf(age time.Duration) string {
	for _, a := range ages {
		if age < a.below {
			return a.name
		}
	}
	return ages[len(ages)-1].name
}

// End ends a sweep that has seen all keys. Those that waited before, and do no more, are shown as 0.
func (w *Waiting) End() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.found == nil {
		return
	}
	for which := range w.last {
		w.found[which] += 0
	}
	w.last, w.found, w.ended = maps.Clone(w.found), nil, time.Now()
}
