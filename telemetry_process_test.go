//go:build !notelemetry

package eventdriver

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/internal/fake/otlp"
	"example.com/eventdriver/internal/repo/prove"
	"example.com/eventdriver/proof/instances"
)

// TestTraceInTheLogNamesTheDetectedProject: the lines of a delivery and of the joined run name their span, in the
// project that the metadata server names, and whether it is sampled.
func TestTraceInTheLogNamesTheDetectedProject(t *testing.T) {
	server, err := otlp.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Metadata-Flavor", "Google")
		if strings.HasSuffix(r.URL.Path, "/project/project-id") {
			_, _ = io.WriteString(w, "detected-project")
		}
	}))
	t.Cleanup(metadata.Close)
	p := start(t, "K_SERVICE=orders", "K_CONFIGURATION=orders", "K_REVISION=orders-1", "GOMEMLIMIT=512MiB", "EVENT_SOURCES=event1,event2",
		"GCE_METADATA_HOST="+strings.TrimPrefix(metadata.URL, "http://"), "OTEL_EXPORTER_OTLP_ENDPOINT="+server.URL)
	flags := map[string]string{"event1": "00", "event2": "01"}
	for _, source := range []string{"event1", "event2"} {
		r := event(t, p.URL+"events/"+source, source, "order-1", `1`)
		r.Header.Set("Traceparent", "00-"+parents[source]+"-"+parentSpan+"-"+flags[source])
		if status, answer := do(t, r); !taken(status) {
			t.Errorf("%s: %d %s", source, status, answer)
		}
	}
	p.Terminate()
	lines := make(map[string]map[string]any)
	for line := range p.lines {
		lines[fmt.Sprint(line["message"])] = line
	}
	joined, completing := named(server.Spans(), "process composed-event"), named(server.Spans(), "process event2")
	if len(joined) != 1 || len(completing) != 1 || len(named(server.Spans(), "process event1")) != 0 {
		t.Fatalf("the spans are %+v", server.Spans())
	}
	for message, want := range map[string][3]any{
		"event stored, waiting for others": {parents["event1"], nil, false},
		"event processed":                  {parents["event2"], completing[0].SpanID, true},
		instances.Acted:                    {joined[0].TraceID, nil, true},
	} {
		line := lines[message]
		if line["logging.googleapis.com/trace"] != fmt.Sprint("projects/detected-project/traces/", want[0]) ||
			line["logging.googleapis.com/trace_sampled"] != want[2] || want[1] != nil && line["logging.googleapis.com/spanId"] != want[1] {
			t.Errorf("%s: %v; want the trace %v", message, line, want)
		}
		if span := fmt.Sprint(line["logging.googleapis.com/spanId"]); len(span) != 16 || span == parentSpan {
			t.Errorf("%s: the span is %s", message, span)
		}
	}
}

// load is what is sent to processes of the function, and what they answer.
type load struct {
	targets []string     // where to, by instance
	answer  func(of int) // called for each answer of an instance

	mu      sync.Mutex
	answers map[string]map[int]int     // by instance and status
	traces  map[string]map[string]bool // those of the deliveries of each key
}

// deliver sends an event, each time in a trace of its own, until an instance takes it, and then once more.
func (l *load) deliver(ctx context.Context, source, key, body string) {
	for taken := 0; taken < 2 && ctx.Err() == nil; {
		i := rand.IntN(len(l.targets))
		trace := fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
		status, _ := send(ctx, l.targets[i]+"events/"+source, body, map[string]string{
			"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Type": "t", "Ce-Source": "shop", "Ce-Id": source + key, "Ce-Key": key,
			"Traceparent": "00-" + trace + "-" + parentSpan + "-01"})
		if status/100 == 2 {
			taken++
		}
		l.note(fmt.Sprint("instance", i), key, trace, status)
		l.answer(i)
	}
}

func (l *load) note(instance, key, trace string, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.answers[instance] == nil {
		l.answers[instance] = make(map[int]int)
	}
	if l.traces[key] == nil {
		l.traces[key] = make(map[string]bool)
	}
	l.answers[instance][status]++
	l.traces[key][trace] = true
}

// wave sends orders at once, each with the others' events, and one event that can never succeed.
func (l *load) wave(ctx context.Context, name string, orders int) (keys []string) {
	var wait sync.WaitGroup
	for n := range orders {
		key := fmt.Sprint(name, n)
		keys = append(keys, key)
		for _, source := range []string{"event1", "event2", "event3"} {
			wait.Go(func() { l.deliver(ctx, source, key, `{"secret":1}`) })
		}
		wait.Go(func() { l.deliver(ctx, "event1", "", `{`) })
	}
	wait.Wait()
	return keys
}

// TestCountersAgreeWithTheLedger: of three processes under load, with duplicates, failures of the store
// and events that can never succeed, one is killed. What those counted that ended by SIGTERM is what
// they answered and did.
func TestCountersAgreeWithTheLedger(t *testing.T) {
	prove.Only(t, "starts, kills and ends three processes under load")
	server, err := otlp.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	bucket := gcs.New(t, "bucket")
	bucket.OnRequest(func(gcs.Request) gcs.Fault {
		switch rand.IntN(100) {
		case 0:
			return gcs.Fault{Drop: true}
		case 1:
			return gcs.Fault{Status: 403} // which no client repeats
		}
		return gcs.Fault{}
	})
	l := &load{answers: make(map[string]map[int]int), traces: make(map[string]map[string]bool)}
	var processes []instance
	for i := range 3 {
		p := start(t, "EVENT_STORE=gcs", "GCS_BUCKET=bucket", "LEASE=3s", "STORAGE_EMULATOR_HOST="+bucket.Host(),
			"OTEL_EXPORTER_OTLP_ENDPOINT="+server.URL, "OTEL_BSP_SCHEDULE_DELAY=50", fmt.Sprint("OTEL_RESOURCE_ATTRIBUTES=service.instance.id=instance", i))
		processes, l.targets = append(processes, p), append(l.targets, p.URL)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	const orders = 30
	var answers atomic.Int64
	l.answer = func(of int) {
		if of == 2 && answers.Add(1) == 20 {
			processes[2].Kill()
		}
	}
	keys := l.wave(ctx, "a", orders)
	if code := processes[2].ExitCode(); code != -1 {
		t.Errorf("the third process has ended with %d, and was to be killed", code)
	}
	l.targets = l.targets[:2]
	keys = append(keys, l.wave(ctx, "b", orders)...)
	acted := 0
	for _, p := range processes[:2] {
		acted += len(p.terminate(t))
	}
	checkLedger(t, server, l, acted)
	checkLinks(t, server, l, keys)
	byKilled := len(processes[2].orders())
	of := func(metric string) float64 {
		return server.Total(metric, "service", "instance0") + server.Total(metric, "service", "instance1")
	}
	if joins := of("eventdriver.joins"); joins > 2*orders || joins < float64(2*orders-byKilled) {
		t.Errorf("%v joins of %d, of which the killed one ran %d", joins, 2*orders, byKilled)
	}
}

// checkLedger compares the counters of the two processes that ended by SIGTERM with what they answered.
func checkLedger(t *testing.T, server *otlp.Server, l *load, acted int) {
	t.Helper()
	deliveries := 0
	for _, name := range []string{"instance0", "instance1"} {
		counted := make(map[int]int) // by status
		for _, p := range server.Points("messaging.client.consumed.messages") {
			status := map[string]int{"processed": 204, "waiting": 202, "dead-lettered": 200, "held": 503, "turned-away": 503, "failed": 500}
			if p.Instance == name {
				counted[status[p.Attributes["eventdriver.outcome"]]] += int(p.Value)
			}
		}
		for status, n := range l.answers[name] {
			deliveries += n
			if counted[status] != n {
				t.Errorf("%s answered %d with status %d, and counted %d", name, n, status, counted[status])
			}
		}
		if letters := server.Total("eventdriver.dead_letters", "service", name); int(letters) != l.answers[name][200] {
			t.Errorf("%s answered %d with a dead letter, and counted %v", name, l.answers[name][200], letters)
		}
	}
	if runs := server.Total("eventdriver.runs", "service", "instance0") + server.Total("eventdriver.runs", "service", "instance1"); int(runs) != acted {
		t.Errorf("the business ran %d times, and %v are counted", acted, runs)
	}
	t.Logf("telemetry: %d deliveries and %d runs of two processes counted exactly, beside one that was killed", deliveries, acted)
}

// checkLinks: the joined run of each order of the last wave links to three events, of three of the
// traces in which the order's events were delivered.
func checkLinks(t *testing.T, server *otlp.Server, l *load, keys []string) {
	t.Helper()
	linked := make(map[string]bool)
	for _, s := range named(server.Spans(), "process composed-event") {
		key := s.Attributes["eventdriver.key"]
		var traces []string
		for _, link := range s.Links {
			if !l.traces[key][link.TraceID] {
				t.Errorf("the joined run of %s links to a trace of something else", key)
			}
			traces = append(traces, link.TraceID)
		}
		slices.Sort(traces)
		if len(slices.Compact(traces)) != 3 || slices.Contains(traces, s.TraceID) {
			t.Errorf("the joined run of %s links to the traces %v, and is in %s", key, traces, s.TraceID)
		}
		linked[key] = true
	}
	for _, key := range keys {
		if strings.HasPrefix(key, "b") && !linked[key] {
			t.Errorf("no joined run of %s was sent", key)
		}
	}
}
