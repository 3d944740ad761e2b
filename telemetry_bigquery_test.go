//go:build !notelemetry && !nobigquery

package eventdriver

import (
	"log/slog"
	"net/http"
	"slices"
	"testing"

	"example.com/eventdriver/internal/fake/otlp"
)

// TestBigQueryKeepsTheTraceOfEachEvent: each event comes to an instance of its own, which knows of the others what the
// store has. Another trace is no other content.
func TestBigQueryKeepsTheTraceOfEachEvent(t *testing.T) {
	server := collector(t, "http/protobuf")
	config := onBigQuery(t)
	config.Telemetry = TelemetryOTLP
	before := parents["event1"]
	defer func() { parents["event1"] = before }()
	for i, source := range []string{"event1", "event2", "event1", "event3"} {
		f, url := serve(t, config, count())
		f.logger = slog.New(slog.DiscardHandler)
		want := http.StatusAccepted
		if source == "event3" {
			want = http.StatusNoContent
		}
		if status := sendTraced(t, url.URL, source, "order-1"); status != want {
			t.Errorf("delivery %d, of %s: status %d, want %d", i+1, source, status, want)
		}
		parents["event1"] = "55555555555555555555555555555555" // of the second delivery
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	joined := named(server.Spans(), "process composed-event")
	if len(joined) != 1 || len(joined[0].Links) != 3 {
		t.Fatalf("the joined spans are %+v; want one, with three links", joined)
	}
	for i, source := range []string{"event1", "event2", "event3"} {
		spans := named(server.Spans(), "process "+source)
		if link := joined[0].Links[i]; spans[0].TraceID != link.TraceID || spans[0].SpanID != link.SpanID {
			t.Errorf("link %d is %v; want the first delivery of %s, %+v", i, link, source, spans[0])
		}
		same := func(l otlp.Link) bool { return l.TraceID == joined[0].Links[i].TraceID }
		if slices.ContainsFunc(joined[0].Links[:i], same) {
			t.Errorf("link %d is to a trace for the second time", i)
		}
	}
	if n := server.Total("eventdriver.join.wait"); n != 1 {
		t.Errorf("%v joins have a wait, want 1", n)
	}
}
