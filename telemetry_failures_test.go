//go:build !notelemetry

package eventdriver

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestCollectorThatHangsFailsNoEvent: nor does it keep the function from ending.
func TestCollectorThatHangsFailsNoEvent(t *testing.T) {
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			server := collector(t, protocol)
			server.Hang(true)
			t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1") // milliseconds
			config := onGCS(t)
			config.Telemetry = TelemetryOTLP
			business := count()
			f, err := New(config, business)
			if err != nil {
				t.Fatal(err)
			}
			f.logger = slog.New(slog.DiscardHandler)
			url := httptest.NewServer(f)
			defer url.Close()
			for _, key := range []string{"a", "b", "c"} {
				for _, source := range []string{"event1", "event2", "event3"} {
					if status, answer := post(t, url.URL, source, key, `1`); !taken(status) {
						t.Errorf("%s: %d %s", source, status, answer)
					}
				}
			}
			business.once(t, "a", "b", "c")
			f.flush(time.Now().Add(50 * time.Millisecond)) // the collector never answers
		})
	}
}

// TestCollectorThatHangsDelaysNoAttemptToOpen: events wait for the next one.
func TestCollectorThatHangsDelaysNoAttemptToOpen(t *testing.T) {
	collector(t, "http/protobuf").Hang(true)
	t.Setenv("OTEL_METRIC_EXPORT_TIMEOUT", "5000") // milliseconds; the default is 30 seconds
	config := onGCS(t)
	config.Telemetry = TelemetryOTLP
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent")
	f, err := New(config, count())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	if _, err := f.open(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("opened without credentials: %v, after %v", err, ctx.Err())
	}
}

// TestWrongTelemetryFailsNoEvent: it is logged, and the events are handled.
func TestWrongTelemetryFailsNoEvent(t *testing.T) {
	collector(t, "http/protobuf")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon")
	config := DefaultConfig()
	config.Telemetry = TelemetryOTLP
	var log syncBuffer
	business := count()
	f, err := New(config, business)
	if err != nil {
		t.Fatal(err)
	}
	f.logger = NewLogger(&log, slog.LevelInfo)
	url := httptest.NewServer(f)
	defer url.Close()
	for _, source := range []string{"event1", "event2", "event3"} {
		post(t, url.URL, source, "a", `1`)
	}
	business.once(t, "a")
	if !strings.Contains(log.String(), "carrier-pigeon") || !strings.Contains(log.String(), `"ERROR"`) {
		t.Errorf("the log does not say what is wrong:\n%s", log.String())
	}
}

// TestSDKDisabled turns telemetry off, whatever TELEMETRY says.
func TestSDKDisabled(t *testing.T) {
	server := collector(t, "http/protobuf")
	t.Setenv("OTEL_SDK_DISABLED", "TRUE")
	config := DefaultConfig()
	config.Telemetry = TelemetryOTLP
	if o := openTelemetry(t.Context(), config, nil); o != (unobserved{}) {
		t.Errorf("%T observes", o)
	}
	f, url := serve(t, config, count())
	f.logger = slog.New(slog.DiscardHandler)
	post(t, url.URL, "event1", "a", `1`)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if len(server.Spans()) > 0 || len(server.Headers()) > 0 {
		t.Errorf("%d spans, %d requests", len(server.Spans()), len(server.Headers()))
	}
}
