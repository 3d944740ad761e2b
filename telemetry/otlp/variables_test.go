package otlp

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/eventdriver/internal/fake/otlp"
)

// set sets variables, NAME=value with blanks between; URL and HOST stand for where the collector is.
func set(t *testing.T, server *otlp.Server, variables string) {
	t.Helper()
	for _, v := range strings.Fields(strings.NewReplacer("URL", server.URL, "HOST", server.Host).Replace(variables)) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
}

// TestStandardVariables: those of the exporters, for both signals and for one, of the resource and of the sampler.
func TestStandardVariables(t *testing.T) {
	for _, c := range []struct {
		name, variables string
		spans           int
		events          float64
		resource        map[string]string
		header          string // of requests over HTTP, with its value
	}{
		{"over HTTP",
			"OTEL_EXPORTER_OTLP_ENDPOINT=URL", 1, 7,
			map[string]string{"service.name": "event-driver"}, "Content-Type: application/x-protobuf"},
		{"over gRPC", "OTEL_EXPORTER_OTLP_ENDPOINT=http://HOST OTEL_EXPORTER_OTLP_PROTOCOL=grpc", 1, 7, nil, ""},
		{"each by its own",
			"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://HOST OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc " +
				"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=URL/v1/metrics", 1, 7, nil, ""},
		{"one for its signal goes first",
			"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=URL/v1/traces " +
				"OTEL_METRICS_EXPORTER=none", 1, 0, nil, ""},
		{"headers",
			"OTEL_EXPORTER_OTLP_ENDPOINT=URL OTEL_EXPORTER_OTLP_HEADERS=api-key=a%20secret", 1, 7, nil, "Api-Key: a secret"},
		{"headers of a signal",
			"OTEL_EXPORTER_OTLP_ENDPOINT=URL OTEL_METRICS_EXPORTER=none " +
				"OTEL_EXPORTER_OTLP_TRACES_HEADERS=api-key=b", 1, 0, nil, "Api-Key: b"},
		{"compressed",
			"OTEL_EXPORTER_OTLP_ENDPOINT=URL OTEL_EXPORTER_OTLP_COMPRESSION=gzip", 1, 7, nil, "Content-Encoding: gzip"},
		{"no traces", "OTEL_EXPORTER_OTLP_ENDPOINT=URL OTEL_TRACES_EXPORTER=none", 0, 7, nil, ""},
		{"no metrics",
			"OTEL_EXPORTER_OTLP_ENDPOINT=URL OTEL_METRICS_EXPORTER=none OTEL_TRACES_EXPORTER=otlp", 1, 0, nil, ""},
		{"no samples", "OTEL_EXPORTER_OTLP_ENDPOINT=URL OTEL_TRACES_SAMPLER=always_off", 0, 7, nil, ""},
		{"a share of samples",
			"OTEL_EXPORTER_OTLP_ENDPOINT=URL OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0", 0, 7, nil, ""},
		{"resource",
			"OTEL_EXPORTER_OTLP_ENDPOINT=URL OTEL_SERVICE_NAME=orders " +
				"OTEL_RESOURCE_ATTRIBUTES=service.name=other,team=a%2Cb,service.instance.id=7", 1, 7,
			map[string]string{"service.name": "orders", "team": "a,b", "service.instance.id": "7"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, err := otlp.Start()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(server.Close)
			set(t, server, c.variables)
			p, err := Open(t.Context(), Config{})
			if err != nil {
				t.Fatal(err)
			}
			record(p, 1)
			counter, _ := p.Meters.Meter("test").Int64Counter("events")
			counter.Add(t.Context(), 7)
			if err := p.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(server.Spans()) != c.spans || server.Total("events") != c.events {
				t.Errorf("received %d spans and %v events; want %d and %v",
					len(server.Spans()), server.Total("events"), c.spans, c.events)
			}
			for name, want := range c.resource {
				if got := server.Resource()[name]; got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			name, want, _ := strings.Cut(c.header, ": ")
			for _, h := range server.Headers() {
				if h.Get(name) != want {
					t.Errorf("a request has %s %q, want %q", name, h.Get(name), want)
				}
			}
			if c.header != "" && len(server.Headers()) == 0 {
				t.Error("no request was received")
			}
		})
	}
}

// TestUnsupportedVariables are errors that name the variable and its value. What was opened before is closed: the
// end of the test waits for all of its goroutines.
func TestUnsupportedVariables(t *testing.T) {
	for _, wrong := range [][2]string{
		{"OTEL_TRACES_EXPORTER", "console"}, {"OTEL_TRACES_EXPORTER", "otlp,console"},
		{"OTEL_METRICS_EXPORTER", "prometheus"}, {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"},
		{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "x"}, {"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "x"},
		{"OTEL_TRACES_SAMPLER", "jaeger_remote"},
	} {
		t.Run(wrong[0], func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")
			t.Setenv(wrong[0], wrong[1])
			synctest.Test(t, func(t *testing.T) {
				_, err := Open(t.Context(), Config{})
				if err == nil || !strings.Contains(err.Error(), wrong[0]) || !strings.Contains(err.Error(), wrong[1]) {
					t.Errorf("%v; want an error that names %s and %s", err, wrong[0], wrong[1])
				}
			})
		})
	}
}

// TestVariablesWithoutEffectAreNamed in the log, when telemetry is opened.
func TestVariablesWithoutEffectAreNamed(t *testing.T) {
	for variables, named := range map[string]string{
		"OTEL_LOGS_EXPORTER=otlp": "OTEL_LOGS_EXPORTER", "OTEL_LOGS_EXPORTER=none": "",
		"OTEL_PROPAGATORS=b3": "OTEL_PROPAGATORS", "OTEL_PROPAGATORS=baggage": "OTEL_PROPAGATORS",
		"OTEL_PROPAGATORS=tracecontext,baggage": "", "OTEL_PROPAGATORS=baggage,tracecontext": "",
		"OTEL_CONFIG_FILE=otel.yaml": "OTEL_CONFIG_FILE",
	} {
		t.Run(variables, func(t *testing.T) {
			server, err := otlp.Start()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(server.Close)
			set(t, server, variables+" OTEL_EXPORTER_OTLP_ENDPOINT=URL")
			var log bytes.Buffer
			p, err := Open(t.Context(), Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if named == "" && log.Len() > 0 || !strings.Contains(log.String(), named) {
				t.Errorf("logged %q; want %q in it", log.String(), named)
			}
		})
	}
}

// TestCredentialsGoToGoogleAlone, not to a collector that the variables name.
func TestCredentialsGoToGoogleAlone(t *testing.T) {
	server, err := otlp.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	defaultCredentials(t, "the-token")
	metadata := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(metadata.Close)
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(metadata.URL, "http://"))
	set(t, server, "OTEL_EXPORTER_OTLP_ENDPOINT=URL")
	p, err := Open(t.Context(), Config{Google: true})
	if err != nil {
		t.Fatal(err)
	}
	record(p, 1)
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, h := range server.Headers() {
		if h.Get("Authorization") != "" {
			t.Errorf("a request has the headers %v", h)
		}
	}
	if len(server.Spans()) != 1 {
		t.Errorf("%d spans", len(server.Spans()))
	}
	for endpoint, want := range map[string]bool{
		"https://telemetry.googleapis.com": true, "https://telemetry.europe-west3.rep.googleapis.com:443": true,
		"http://telemetry.googleapis.com":    false,
		"https://googleapis.com.example.com": false, "https://xgoogleapis.com": false,
		"https://example.com/.googleapis.com": false, "::": false,
	} {
		if got := atGoogle(endpoint); got != want {
			t.Errorf("%s is Google's: %v", endpoint, got)
		}
	}
}
