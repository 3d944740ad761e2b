package otlp

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	api "go.opentelemetry.io/otel/trace"

	"example.com/eventdriver/internal/fake/otlp"
)

// slowly is an exporter that takes a while, or as long as it is let.
type slowly struct {
	takes    atomic.Int64 // nanoseconds
	exported atomic.Int64
}

func exporterThat(takes time.Duration) *slowly {
	s := new(slowly)
	s.takes.Store(int64(takes))
	return s
}

func (s *slowly) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	select {
	case <-time.After(time.Duration(s.takes.Load())):
		s.exported.Add(int64(len(spans)))
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slowly) Shutdown(context.Context) error { return nil }

// throttled returns providers whose process gets no CPU between requests.
func throttled(exporter trace.SpanExporter) *Providers {
	p := &Providers{config: Config{Throttled: true}, Meters: metric.NewMeterProvider()}
	p.Tracers = trace.NewTracerProvider(trace.WithBatcher(timedSpans{exporter, &p.health}))
	return p
}

func record(p *Providers, spans int) {
	for range spans {
		_, span := p.Tracers.Tracer("test").Start(context.Background(), "span")
		span.End()
	}
}

// idle returns how long Idle took.
func idle(p *Providers) time.Duration {
	began := time.Now()
	p.Idle(context.Background())
	return time.Since(began)
}

// TestIdleWaitsForPromptCollectorsAlone: never before the first export was prompt, and once for a
// collector that no longer is.
func TestIdleWaitsForPromptCollectorsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exporter := exporterThat(20 * time.Millisecond)
		p := throttled(exporter)
		defer func() { _ = p.Shutdown(context.Background()) }()
		record(p, 1)
		if took := idle(p); took != 0 || exporter.exported.Load() != 0 {
			t.Errorf("waited for %v, for a collector of which nothing is known", took)
		}
		time.Sleep(10 * time.Second) // the batch is due
		record(p, 1)
		if took := idle(p); took != 20*time.Millisecond || exporter.exported.Load() != 2 {
			t.Errorf("waited for %v, and %d spans are sent; want 20ms and 2", took, exporter.exported.Load())
		}
		record(p, 1)
		if took := idle(p); took != 0 {
			t.Errorf("waited for %v, twice in ten seconds", took)
		}
		time.Sleep(10 * time.Second)
		exporter.takes.Store(int64(time.Hour)) // it hangs
		record(p, 1)
		if took := idle(p); took != idleWithin {
			t.Errorf("waited for %v; want %v at most", took, idleWithin)
		}
		for range 100 {
			time.Sleep(time.Second)
			record(p, 1)
			if took := idle(p); took != 0 {
				t.Fatalf("waited for %v for a collector that hangs", took)
			}
		}
	})
}

// TestQueueIsBounded: more spans than it holds are dropped, and nobody waits for room.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := throttled(exporterThat(time.Hour))
		began := time.Now()
		record(p, 20_000)
		if took := time.Since(began); took != 0 {
			t.Errorf("recording waits for %v", took)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := p.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v; want the end of the time", err, time.Since(began))
		}
		time.Sleep(time.Hour) // by then all exports have given up
	})
}

// TestFailuresAreLoggedOnceAMinute.
func TestFailuresAreLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := &failures{logger: slog.New(slog.NewTextHandler(&log, nil))}
		for range 120 {
			f.Handle(errors.New("no collector"))
			time.Sleep(time.Second)
		}
		if n := strings.Count(log.String(), "no collector"); n != 2 {
			t.Errorf("%d lines in two minutes", n)
		}
	})
}

// TestSampler: a joined run is sampled where one of its events is.
func TestSampler(t *testing.T) {
	span := func(flags api.TraceFlags) api.Link {
		return api.Link{SpanContext: api.NewSpanContext(api.SpanContextConfig{TraceID: api.TraceID{1}, SpanID: api.SpanID{2}, TraceFlags: flags})}
	}
	for _, c := range []struct {
		name, arg string
		links     []api.Link
		want      bool
	}{
		{"", "", nil, true},
		{"always_off", "", nil, false},
		{"parentbased_traceidratio", "0", nil, false},
		{"parentbased_always_off", "", []api.Link{span(0), span(api.FlagsSampled)}, true},
		{"always_on", "", []api.Link{span(0), span(0)}, false},
	} {
		s, err := sampler(c.name, c.arg)
		if err != nil {
			t.Fatal(err)
		}
		recorder := tracetest.NewInMemoryExporter()
		p := trace.NewTracerProvider(trace.WithSyncer(recorder), trace.WithSampler(linked{s}))
		_, one := p.Tracer("test").Start(t.Context(), "span", api.WithLinks(c.links...))
		one.End()
		if got := len(recorder.GetSpans()) == 1; got != c.want {
			t.Errorf("%s with %d links: sampled %v", c.name, len(c.links), got)
		}
	}
	for _, wrong := range [][2]string{{"sometimes", ""}, {"traceidratio", "7"}, {"traceidratio", "x"}} {
		if _, err := sampler(wrong[0], wrong[1]); err == nil {
			t.Errorf("%v is taken", wrong)
		}
	}
}

// TestGoogleClientsDoNotTrace: their spans would show keys.
func TestGoogleClientsDoNotTrace(t *testing.T) {
	recorder := tracetest.NewInMemoryExporter()
	s := shared{next: trace.NewTracerProvider(trace.WithSyncer(recorder))}
	for _, name := range []string{"cloud.google.com/go/storage", "cloud.google.com/go", "example.com/shop"} {
		_, span := s.Tracer(name).Start(t.Context(), name)
		span.End()
	}
	if spans := recorder.GetSpans(); len(spans) != 1 || spans[0].Name != "example.com/shop" {
		t.Errorf("traced %+v", spans)
	}
}

// defaultCredentials are those of a service account, whose tokens a server of this test gives away.
func defaultCredentials(t *testing.T, token string) {
	t.Helper()
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"`+token+`","token_type":"Bearer","expires_in":3600}`)
	}))
	t.Cleanup(tokens.Close)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	account, _ := json.Marshal(map[string]string{"type": "service_account", "project_id": "my-project", "private_key_id": "1",
		"private_key": string(private), "client_email": "function@my-project.iam.gserviceaccount.com", "token_uri": tokens.URL})
	file := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(file, account, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
}

// TestGoogle sends with the default credentials, and says which project it is of.
func TestGoogle(t *testing.T) {
	server, err := otlp.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	defaultCredentials(t, "the-token")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	t.Setenv("GOOGLE_CLOUD_PROJECT", "my-project")
	t.Setenv("K_SERVICE", "orders")
	t.Setenv("K_REVISION", "orders-1")
	t.Setenv("K_CONFIGURATION", "orders")
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(metadata(t).URL, "http://"))
	p, err := Open(t.Context(), Config{Google: true, google: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	record(p, 1)
	counter, err := p.Meters.Meter("test").Int64Counter("events")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 7)
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(server.Spans()) != 1 || server.Total("events") != 7 {
		t.Errorf("received %d spans, %v events", len(server.Spans()), server.Total("events"))
	}
	for _, h := range server.Headers() {
		if h.Get("Authorization") != "Bearer the-token" {
			t.Errorf("a request has the headers %v", h)
		}
	}
	resource := server.Resource()
	for name, want := range map[string]string{"gcp.project_id": "my-project", "service.name": "orders", "service.version": "orders-1",
		"cloud.platform": "gcp_cloud_run", "cloud.region": "europe-west3", "faas.instance": "instance-7", "deployment.environment.name": "test"} {
		if resource[name] != want {
			t.Errorf("%s is %q, want %q", name, resource[name], want)
		}
	}
	if zone := resource["cloud.availability_zone"]; zone != "" {
		t.Errorf("the location of the metrics is the zone %s; the dashboard asks for the region", zone)
	}
	if p.Project != "my-project" || resource["service.instance.id"] == "" {
		t.Errorf("project %q, instance %q", p.Project, resource["service.instance.id"])
	}
}

// metadata is a stand-in for Google's metadata server, as Cloud Run has it.
func metadata(t *testing.T) *httptest.Server {
	t.Helper()
	answers := map[string]string{"project/project-id": "my-project", "project/numeric-project-id": "123", "instance/id": "instance-7",
		"instance/region": "projects/123/regions/europe-west3", "instance/zone": "projects/123/zones/europe-west3-1"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Metadata-Flavor", "Google")
		answer, known := answers[strings.TrimPrefix(r.URL.Path, "/computeMetadata/v1/")]
		if !known && r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return server
}

// again is a handler of log records that fails to send them.
type again struct {
	slog.Handler
	failures *failures
}

func (a *again) Handle(context.Context, slog.Record) error {
	a.failures.Handle(errors.New("the log could not be sent"))
	return nil
}

// TestLoggerThatSendsByOpenTelemetry, and fails as well, does not end in a deadlock.
func TestLoggerThatSendsByOpenTelemetry(t *testing.T) {
	synctest.Test(t, func(*testing.T) { // a deadlock fails it
		a := &again{Handler: slog.DiscardHandler, failures: new(failures)}
		a.failures.logger = slog.New(enabled{a})
		a.failures.Handle(errors.New("spans could not be sent"))
	})
}

type enabled struct{ slog.Handler }

func (enabled) Enabled(context.Context, slog.Level) bool { return true }
