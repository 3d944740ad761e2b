//go:build notelemetry

package eventdriver

import (
	"strings"
	"testing"
)

func TestTelemetryThatIsLeftOut(t *testing.T) {
	_, err := configFrom(map[string]string{"TELEMETRY": "google"})
	want := "it was left out of this program, which was built with -tags notelemetry"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v; want %s", err, want)
	}
	if c, err := configFrom(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}); err != nil || c.Telemetry != TelemetryOff {
		t.Errorf("%q, %v; want it off", c.Telemetry, err)
	}
}
