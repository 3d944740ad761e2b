//go:build unix

package eventdriver

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/eventdriver/driver/convert"
)

// BenchmarkTelemetry has the function handle orders of three events with its stores in memory, without
// a collector, with one that answers, and with one that hangs; -tags notelemetry is for comparison.
func BenchmarkTelemetry(b *testing.B) {
	hang := make(chan struct{})
	defer close(hang)
	answers := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer answers.Close()
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	for _, c := range []struct{ name, endpoint, sampler string }{
		{"off", "", ""},
		{"on", answers.URL, "always_on"},
		{"on, unsampled", answers.URL, "always_off"},
		{"on, dead collector", hangs.URL, "always_on"},
	} {
		b.Run(c.name, func(b *testing.B) {
			config := DefaultConfig()
			if c.endpoint != "" && telemetryLeftOut != "" {
				b.Skip("telemetry is left out of this program")
			}
			if c.endpoint != "" {
				b.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.endpoint)
				b.Setenv("OTEL_TRACES_SAMPLER", c.sampler)
				config.Telemetry = TelemetryOTLP
			}
			benchmarkOrders(b, config)
		})
	}
}

func benchmarkOrders(b *testing.B, config Config) {
	f, err := New(config, count())
	if err != nil {
		b.Fatal(err)
	}
	f.logger = slog.New(slog.DiscardHandler)
	defer f.flush(time.Now())
	var orders atomic.Int64
	before := cpu(b)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			key := fmt.Sprint("order-", orders.Add(1))
			for _, source := range config.Sources {
				r := httptest.NewRequest(http.MethodPost, convert.SourcePath(source), strings.NewReader(`{"n":1}`))
				for name, value := range map[string]string{"specversion": "1.0", "id": "1", "type": "t", "source": "shop", "key": key} {
					r.Header.Set("Ce-"+name, value)
				}
				f.ServeHTTP(httptest.NewRecorder(), r)
			}
		}
	})
	events := float64(3 * b.N)
	b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/events, "CPU-µs/event")
}

// cpu is how much CPU the process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
