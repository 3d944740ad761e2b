package telemetry

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"example.com/eventdriver/driver"
)

// run is what is known of the events that are read and kept while one message is processed. The
// methods of a nil run do nothing.
type run struct {
	mu      sync.Mutex
	events  map[string]event // by their sources
	joined  trace.Span       // nil: nothing is joined
	counted string           // the owner whose takeover was counted
}

type event struct {
	span    trace.SpanContext // invalid: the event was not traced
	arrived time.Time         // zero: nobody has noted it
}

type runKey struct{}

func withRun(ctx context.Context) context.Context {
	return context.WithValue(ctx, runKey{}, &run{events: make(map[string]event)})
}

func runFrom(ctx context.Context) *run {
	r, _ := ctx.Value(runKey{}).(*run)
	return r
}

// note notes events that the store keeps.
func (r *run) note(messages ...driver.Message) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range messages {
		r.events[m.Source] = eventOf(m)
	}
}

func eventOf(m driver.Message) (e event) {
	if parent := m.Attributes[traceAttribute]; parent != "" {
		e.span = parsed(parent, "")
	}
	if ms, err := strconv.ParseInt(m.Attributes[arrivedAttribute], 10, 64); err == nil {
		e.arrived = time.UnixMilli(ms)
	}
	return e
}

// links returns links to the spans of the events, ordered by source.
func (r *run) links() (links []trace.Link) {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, source := range slices.Sorted(maps.Keys(r.events)) {
		if span := r.events[source].span; span.IsValid() {
			links = append(links, trace.Link{SpanContext: span})
		}
	}
	return links
}

// begin notes the span of the joined run.
func (r *run) begin(span trace.Span) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.joined = span
}

// claimed notes the claim under which the joined run acts.
func (r *run) claimed(c driver.Claim) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.joined != nil {
		r.joined.SetAttributes(attrToken.Int64(c.Token))
	}
}

// first says that a takeover of this owner was not counted yet.
func (r *run) first(owner string) bool {
	if r == nil {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.counted
	r.counted = owner
	return before != owner
}

// wait returns for how long the first of the events has waited, if that is known.
func (r *run) wait(now time.Time) (wait time.Duration, known bool) {
	if r == nil {
		return 0, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if !e.arrived.IsZero() {
			wait, known = max(wait, now.Sub(e.arrived)), true
		}
	}
	return wait, known
}
