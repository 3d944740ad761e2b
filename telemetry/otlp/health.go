package otlp

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"

	"example.com/eventdriver/driver"
)

// health is how the last export went. The zero value is that of a collector of which nothing is known.
type health struct {
	mu   sync.Mutex
	good bool
}

func (h *health) note(took time.Duration, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.good = err == nil && took <= prompt
}

func (h *health) prompt() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.good
}

type timedSpans struct {
	trace.SpanExporter
	health *health
}

// ExportSpans implements [trace.SpanExporter].
func (t timedSpans) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	began := time.Now()
	err := t.SpanExporter.ExportSpans(ctx, spans)
	t.health.note(time.Since(began), err)
	return err
}

type timedMetrics struct {
	metric.Exporter
	health *health
}

// Export implements [metric.Exporter].
func (t timedMetrics) Export(ctx context.Context, m *metricdata.ResourceMetrics) error {
	began := time.Now()
	err := t.Exporter.Export(ctx, m)
	t.health.note(time.Since(began), err)
	return err
}

// failures logs what could not be sent, once a minute.
type failures struct {
	logger *slog.Logger

	mu   sync.Mutex
	last time.Time
}

// Handle implements otel.ErrorHandler. The logger may send by OpenTelemetry, too, and fail here again.
func (f *failures) Handle(err error) {
	if f.due() {
		driver.Logger(f.logger).Warn("telemetry could not be sent", "error", err)
	}
}

// due says that a minute has passed since it last said so.
func (f *failures) due() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.last) < time.Minute {
		return false
	}
	f.last = time.Now()
	return true
}
