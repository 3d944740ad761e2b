package eventdriver

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

func TestOrderIsOneLogLineInCloudLoggingsForm(t *testing.T) {
	var log syncBuffer
	previous := slog.Default()
	slog.SetDefault(NewLogger(&log, slog.LevelInfo))
	t.Cleanup(func() { slog.SetDefault(previous) })
	t.Setenv("GOOGLE_CLOUD_PROJECT", "my-project")

	_, server := serve(t, DefaultConfig(), Business())
	for _, source := range []string{"event1", "event2", "event3", "event1"} {
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(`{"card":"4111"}`))
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
	for name, want := range map[string]any{"message": "order processed", "severity": "INFO", "key": "order-1", "token": 1.0,
		"logging.googleapis.com/trace":  "projects/my-project/traces/0af7651916cd43dd8448eb211c80319c",
		"logging.googleapis.com/spanId": "b7ad6b7169203331"} {
		if line[name] != want {
			t.Errorf("%s is %v, want %v", name, line[name], want)
		}
	}
	if strings.Contains(lines[0], "4111") {
		t.Errorf("the log line has the payload: %s", lines[0])
	}
}
