package eventdriver

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
)

// Of an order that succeeds, the log has what the business writes, and nothing else.
func TestLogIsTheBusinesssAloneInCloudLoggingsForm(t *testing.T) {
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
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 1 {
		t.Fatalf("%d lines, want 1:\n%s", len(lines), log.String())
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"message": "shipped", "severity": "INFO", "key": "order-1",
		"logging.googleapis.com/trace":  "projects/my-project/traces/0af7651916cd43dd8448eb211c80319c",
		"logging.googleapis.com/spanId": "b7ad6b7169203331"} {
		if line[name] != want {
			t.Errorf("%s is %v, want %v", name, line[name], want)
		}
	}
}
