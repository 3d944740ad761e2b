//go:build !notelemetry

package eventdriver

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/otlp"
)

// collector starts a stand-in for a collector, which the function finds by its variables.
func collector(t *testing.T, protocol string) *otlp.Server {
	t.Helper()
	server, err := otlp.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", map[string]string{"grpc": "http://" + server.Host, "http/protobuf": server.URL}[protocol])
	return server
}

// The traces of three events, which their requests name.
var parents = map[string]string{
	"event1": "11111111111111111111111111111111", "event2": "22222222222222222222222222222222", "event3": "33333333333333333333333333333333"}

const parentSpan = "b7ad6b7169203331"

// traced sends an event with its trace.
func sendTraced(t *testing.T, url, source, key string) int {
	t.Helper()
	r := event(t, url+"/events/"+source, source, key, `{"secret":"`+source+`"}`)
	r.Header.Set("Traceparent", "00-"+parents[source]+"-"+parentSpan+"-01")
	status, _ := do(t, r)
	return status
}

func named(spans []otlp.Span, name string) (found []otlp.Span) {
	return slices.DeleteFunc(slices.Clone(spans), func(s otlp.Span) bool { return s.Name != name })
}

// TestJoinedRunLinksToItsEvents: over both protocols, in each store.
func TestJoinedRunLinksToItsEvents(t *testing.T) {
	for name, config := range map[string]Config{"http/protobuf": DefaultConfig(), "grpc": onGCS(t)} {
		t.Run(name, func(t *testing.T) {
			server := collector(t, name)
			config.Telemetry = TelemetryOTLP
			var log syncBuffer
			logger := NewLogger(&log, slog.LevelInfo)
			f, url := serve(t, config, driver.HandlerFunc(func(ctx context.Context, _ driver.Message, _ driver.Next) error {
				logger.InfoContext(ctx, "acted")
				return nil
			}))
			f.logger = logger
			for _, source := range []string{"event1", "event2", "event3"} {
				sendTraced(t, url.URL, source, "order-1")
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			spans := server.Spans()
			joined := named(spans, "process composed-event")
			if len(joined) != 1 || len(joined[0].Links) != 3 || joined[0].Parent != "" {
				t.Fatalf("the joined spans are %+v; want one, with three links and no parent", joined)
			}
			for i, source := range []string{"event1", "event2", "event3"} {
				consumer := named(spans, "process "+source)
				if len(consumer) != 1 || consumer[0].TraceID != parents[source] || consumer[0].Parent != parentSpan ||
					consumer[0].Kind != tracepb.Span_SPAN_KIND_CONSUMER || consumer[0].Attributes["eventdriver.key"] != "order-1" {
					t.Fatalf("%s: %+v", source, consumer)
				}
				if link := joined[0].Links[i]; link.TraceID != parents[source] || link.SpanID != consumer[0].SpanID || link.TraceID == joined[0].TraceID {
					t.Errorf("link %d is %v; want the span of %s", i, link, source)
				}
				outcome := map[bool]string{true: "processed", false: "waiting"}[source == "event3"]
				if consumer[0].Attributes["eventdriver.outcome"] != outcome {
					t.Errorf("%s: %v", source, consumer[0].Attributes)
				}
			}
			if joined[0].Attributes["eventdriver.fencing_token"] == "" || joined[0].Attributes["messaging.batch.message_count"] != "3" {
				t.Errorf("the joined span has %v", joined[0].Attributes)
			}
			last := named(spans, "process event3")[0]
			if len(last.Links) != 1 || last.Links[0].SpanID != joined[0].SpanID {
				t.Errorf("the completing event links to %v; want the joined run", last.Links)
			}
			checkSpans(t, spans)
			checkJoinMetrics(t, server, config)
			if !strings.Contains(log.String(), `"message":"acted","logging.googleapis.com/trace":"`+joined[0].TraceID) ||
				!strings.Contains(log.String(), `"logging.googleapis.com/trace_sampled":true`) {
				t.Errorf("the business does not log with the trace of the joined run %s:\n%s", joined[0].TraceID, log.String())
			}
			if line := `"logging.googleapis.com/trace":"` + parents["event3"] + `","logging.googleapis.com/spanId":"` + last.SpanID; !strings.Contains(log.String(), line) {
				t.Errorf("the outcome is not logged with the span of its delivery %s:\n%s", last.SpanID, log.String())
			}
		})
	}
}

// checkSpans: each handler and each operation of a store has a span, and none shows a content.
func checkSpans(t *testing.T, spans []otlp.Span) {
	t.Helper()
	ids := make(map[string]bool)
	for _, s := range spans {
		ids[s.SpanID] = true
		text, _ := json.Marshal(s)
		if strings.Contains(string(text), "secret") {
			t.Errorf("a span shows a content: %s", text)
		}
	}
	for _, name := range []string{"transformer", "joiner", "cache", "business", "acquire", "complete"} {
		if len(named(spans, name)) == 0 {
			t.Errorf("there is no span %q", name)
		}
	}
	for _, s := range spans {
		if s.Parent != "" && s.Parent != parentSpan && !ids[s.Parent] {
			t.Errorf("the parent of %q is missing", s.Name)
		}
	}
}

func checkJoinMetrics(t *testing.T, server *otlp.Server, config Config) {
	t.Helper()
	for _, want := range []struct {
		metric     string
		attributes []string
		value      float64
	}{
		{"messaging.client.consumed.messages", []string{"eventdriver.source", "event1", "eventdriver.outcome", "waiting"}, 1},
		{"messaging.client.consumed.messages", []string{"eventdriver.source", "event3", "eventdriver.outcome", "processed"}, 1},
		{"messaging.client.consumed.messages", nil, 3},
		{"messaging.process.duration", nil, 3},
		{"eventdriver.joins", []string{"eventdriver.outcome", "processed"}, 1},
		{"eventdriver.join.wait", nil, 1},
		{"eventdriver.runs", []string{"eventdriver.outcome", "ok", "eventdriver.repeated", "false"}, 1},
		{"eventdriver.store.operation.duration", []string{"eventdriver.store.operation", "acquire", "eventdriver.outcome", "ok"}, 1},
		{"eventdriver.dead_letters", nil, 0},
	} {
		if got := server.Total(want.metric, want.attributes...); got != want.value {
			t.Errorf("%s %v is %v, want %v", want.metric, want.attributes, got, want.value)
		}
	}
	for _, p := range append(server.Points("eventdriver.store.operation.duration"), server.Points("messaging.client.consumed.messages")...) {
		for name, value := range p.Attributes {
			if strings.Contains(value, "order-1") {
				t.Errorf("%s has the key, in %s", p.Metric, name)
			}
		}
	}
	if requests := server.Total("eventdriver.store.requests", "eventdriver.billing_class", "A"); config.EventStore == StoreGCS && requests != 5 {
		t.Errorf("%v requests of class A, want 5 for a join of three", requests)
	}
}

// TestKeysInTracesCanBeHidden: hashed or off, no span has the key anywhere.
// Its events have it in all that they say of themselves.
func TestKeysInTracesCanBeHidden(t *testing.T) {
	for _, keys := range []string{"hashed", "off"} {
		t.Run(keys, func(t *testing.T) {
			server := collector(t, "http/protobuf")
			config := onGCS(t)
			config.Telemetry, config.TelemetryKeys = TelemetryOTLP, keys
			f, url := serve(t, config, driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
				return driver.Permanent(errors.New("order-1 is wrong"))
			}))
			f.logger = slog.New(slog.DiscardHandler)
			for _, source := range []string{"event1", "event2", "event3"} {
				r := event(t, url.URL+"/events/"+source, source, "order-1", `1`)
				r.Header.Set("Ce-Subject", "order-1")
				r.Header.Set("Ce-Id", "order-1")
				r.Header.Set("Ce-Source", "/orders/order-1")
				do(t, r)
			}
			do(t, event(t, url.URL, "order-1", "order-1", `1`)) // its source is none of ours
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			hashes := 0
			for _, s := range server.Spans() {
				text, _ := json.Marshal(s)
				if strings.Contains(string(text), "order-1") {
					t.Errorf("a span shows the key: %s", text)
				}
				if s.Attributes["eventdriver.key"] == "0bafe22156d2698c" {
					hashes++
				}
				if id := s.Attributes["cloudevents.event_id"]; s.Kind == tracepb.Span_SPAN_KIND_CONSUMER && s.Name != "process composed-event" &&
					(id == "0bafe22156d2698c") != (keys == "hashed") && s.Name != "process other" {
					t.Errorf("%s has the event's ID as %q", s.Name, id)
				}
			}
			if (hashes > 0) != (keys == "hashed") {
				t.Errorf("%d spans have the hash of the key", hashes)
			}
			if n := server.Total("eventdriver.dead_letters", "eventdriver.reason", "permanent-error"); n != 1 {
				t.Errorf("%v dead letters, want 1", n)
			}
		})
	}
}

// TestTracesOfProducers: where the request has no trace, the event's own is the parent; else it is linked.
func TestTracesOfProducers(t *testing.T) {
	server := collector(t, "http/protobuf")
	config := DefaultConfig()
	config.Telemetry = TelemetryOTLP
	f, url := serve(t, config, count())
	own := "00-44444444444444444444444444444444-" + parentSpan + "-01"
	send := func(source string, header map[string]string) {
		r := event(t, url.URL+"/events/"+source, source, "order-1", `1`)
		for name, value := range header {
			r.Header.Set(name, value)
		}
		do(t, r)
	}
	send("event1", map[string]string{"Ce-Traceparent": own})
	send("event2", map[string]string{"Ce-Traceparent": own, "Traceparent": "00-" + parents["event2"] + "-" + parentSpan + "-01"})
	push, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url.URL+"/events/event3", strings.NewReader(
		`{"message":{"data":"MQ==","messageId":"7","attributes":{"key":"order-1","googclient_traceparent":"`+own+`"}},"subscription":"projects/p/subscriptions/s"}`))
	push.Header.Set("Content-Type", "application/json")
	do(t, push)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]string{"event1": own[3:35], "event2": parents["event2"], "event3": own[3:35]} {
		spans := named(server.Spans(), "process "+source)
		if len(spans) != 1 || spans[0].TraceID != want || spans[0].Parent != parentSpan {
			t.Errorf("%s: %+v; want the trace %s", source, spans, want)
			continue
		}
		if linked := len(spans[0].Links) > 0 && spans[0].Links[0].TraceID == own[3:35]; linked != (source == "event2") {
			t.Errorf("%s links to %v", source, spans[0].Links)
		}
	}
}

// TestSweepShowsWhatWaits, by source and age.
func TestSweepShowsWhatWaits(t *testing.T) {
	server := collector(t, "http/protobuf")
	config := onGCS(t)
	config.Telemetry = TelemetryOTLP
	f, url := serve(t, config, count())
	f.logger = slog.New(slog.DiscardHandler)
	post(t, url.URL, "event1", "a", `1`)
	post(t, url.URL, "event1", "b", `1`)
	post(t, url.URL, "event2", "b", `1`)
	if r, err := f.Sweep(t.Context(), ""); err != nil || !r.Finished {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]float64{"event1": 0, "event2": 1, "event3": 2} {
		if n := server.Total("eventdriver.joins.waiting", "eventdriver.missing", source, "eventdriver.age", "<1m"); n != want {
			t.Errorf("%v joins wait for %s, want %v", n, source, want)
		}
	}
}

// TestPublishedMessageCarriesTheTrace of the joined run.
func TestPublishedMessageCarriesTheTrace(t *testing.T) {
	server := collector(t, "http/protobuf")
	config, topics := withTopics(t)
	config.Telemetry = TelemetryOTLP
	f, url := serve(t, config, count())
	for _, source := range []string{"event1", "event2", "event3"} {
		sendTraced(t, url.URL, source, "order-1")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	joined := named(server.Spans(), "process composed-event")
	messages := topics.Messages()
	if len(messages) != 1 || len(joined) != 1 {
		t.Fatalf("%d messages, %d joined spans", len(messages), len(joined))
	}
	for _, name := range []string{"ce-traceparent", "googclient_traceparent"} {
		if !strings.HasPrefix(messages[0].Attributes[name], "00-"+joined[0].TraceID+"-") {
			t.Errorf("%s is %q, want the trace %s", name, messages[0].Attributes[name], joined[0].TraceID)
		}
	}
}

func init() {
	good = append(good, []goodVariables{
		{"TELEMETRY=google", func(c Config) any { return c.Telemetry }, "google"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318", func(c Config) any { return c.Telemetry }, "otlp"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://localhost:4318", func(c Config) any { return c.Telemetry }, "otlp"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 TELEMETRY=off", func(c Config) any { return c.Telemetry }, "off"},
		{"TELEMETRY_KEYS=hashed", func(c Config) any { return c.TelemetryKeys }, "hashed"},
	}...)
	bad = append(bad, []badVariable{
		{"TELEMETRY", "prometheus", "off, otlp or google", ""},
		{"TELEMETRY_KEYS", "secret", "plain, hashed or off", ""},
	}...)
}
