package eventdriver

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
)

// Of an order that succeeds, the log has a line for each event, and what the business writes.
func TestLogHasEachEventInCloudLoggingsForm(t *testing.T) {
	var log syncBuffer
	previous := slog.Default()
	slog.SetDefault(NewLogger(&log, slog.LevelInfo))
	t.Cleanup(func() { slog.SetDefault(previous) })
	t.Setenv("GOOGLE_CLOUD_PROJECT", "my-project")

	business := driver.HandlerFunc(func(ctx context.Context, in driver.Message, _ driver.Next) error {
		slog.InfoContext(ctx, "shipped", "key", in.Key)
		return nil
	})
	_, server := serve(t, DefaultConfig(), business)
	for _, source := range []string{"event1", "event2", "event3", "event1"} {
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(`1`))
		for name, value := range map[string]string{"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Type": "t", "Ce-Id": "1",
			"Ce-Source": source, "Ce-Key": "order-1", "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"} {
			request.Header.Set(name, value)
		}
		do(t, request)
	}
	wanted := []map[string]any{
		{"message": "event stored, waiting for others", "source": "event1", "waitsFor": "event2, event3"},
		{"message": "event stored, waiting for others", "source": "event2", "waitsFor": "event3"},
		{"message": "shipped"},
		{"message": "event processed", "source": "event3"},
		{"message": "event processed", "source": "event1"},
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != len(wanted) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(wanted), log.String())
	}
	for i, want := range wanted {
		maps.Copy(want, map[string]any{"severity": "INFO", "key": "order-1",
			"logging.googleapis.com/trace":  "projects/my-project/traces/0af7651916cd43dd8448eb211c80319c",
			"logging.googleapis.com/spanId": "b7ad6b7169203331", "logging.googleapis.com/trace_sampled": true})
		var line map[string]any
		if err := json.Unmarshal([]byte(lines[i]), &line); err != nil {
			t.Fatal(err)
		}
		for name := range want {
			if line[name] != want[name] {
				t.Errorf("%s: %s is %v, want %v", lines[i], name, line[name], want[name])
			}
		}
	}
}

// TestTraceOfARequest is read in both forms, with whether it is sampled.
func TestTraceOfARequest(t *testing.T) {
	const id, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for _, c := range []struct {
		header, value, id, span string
		sampled                 bool
	}{
		{"Traceparent", "00-" + id + "-" + span + "-01", id, span, true},
		{"Traceparent", "00-" + id + "-" + span + "-00", id, span, false},
		{"Traceparent", "01-" + id + "-" + span + "-03-more", id, span, true},
		{"Traceparent", "00-" + id + "-" + span + "-x", id, span, false},
		{"Traceparent", "00-" + id + "-x-01", "", "", false},
		{"X-Cloud-Trace-Context", id + "/1;o=1", id, "", true},
		{"X-Cloud-Trace-Context", id + "/1;o=0", id, "", false},
		{"X-Cloud-Trace-Context", id, id, "", false},
		{"X-Cloud-Trace-Context", "x/1;o=1", "", "", false},
	} {
		gotID, gotSpan, sampled := traceOf(http.Header{c.header: {c.value}})
		if gotID != c.id || gotSpan != c.span || sampled != c.sampled {
			t.Errorf("%s: %s: %q, %q, %v", c.header, c.value, gotID, gotSpan, sampled)
		}
	}
}

// TestTraceIsOutsideOfGroups, where Cloud Logging finds it, and all else is where the logger has put it.
func TestTraceIsOutsideOfGroups(t *testing.T) {
	t.Setenv("GOOGLE_CLOUD_PROJECT", "p")
	logProject.Store(nil)
	const id, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r.Header.Set("Traceparent", "00-"+id+"-"+span+"-01")
	const traced = `"logging.googleapis.com/trace":"projects/p/traces/` + id + `","logging.googleapis.com/spanId":"` + span +
		`","logging.googleapis.com/trace_sampled":true`
	var log bytes.Buffer
	top := NewLogger(&log, slog.LevelInfo).With("a", 1)
	order := top.WithGroup("order").With("b", 2)
	item := order.WithGroup("item")
	order.With("other", 0) // has no effect on the item
	for logger, want := range map[*slog.Logger]string{
		top:   `"message":"m","a":1,"c":3,` + traced + `}`,
		order: `"message":"m","a":1,` + traced + `,"order":{"b":2,"c":3}}`,
		item:  `"message":"m","a":1,` + traced + `,"order":{"b":2,"item":{"c":3}}}`,
	} {
		for ctx, want := range map[context.Context]string{withTrace(r): want, t.Context(): strings.Replace(want, ","+traced, "", 1)} {
			log.Reset()
			logger.InfoContext(ctx, "m", "c", 3)
			if !strings.HasSuffix(log.String(), want+"\n") {
				t.Errorf("logged %s; want it to end with %s", log.String(), want)
			}
		}
	}
}

// What the function logs to a file is written by the caller itself. Any other writer may panic.
func TestLogsToFilesAreReliable(t *testing.T) {
	for name, c := range map[string]struct {
		w    io.Writer
		want bool
	}{"file": {os.Stderr, true}, "other": {io.Discard, false}} {
		logger := NewLogger(c.w, slog.LevelInfo).With("a", 1).WithGroup("g")
		if got := driver.Logger(logger) == logger; got != c.want {
			t.Errorf("%s: called as it is %v, want %v", name, got, c.want)
		}
	}
}
