// Package otlp makes the providers of OpenTelemetry that send spans and metrics by OTLP: to a collector,
// as the standard variables OTEL_* say, or to Google's own endpoint.
//
// Nothing waits for what is sent, but for [Providers.Idle], which has a bound: spans are held in a
// queue of a bounded length, and dropped where it is full; metrics are sums, and what one export
// loses the next one has.
package otlp

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	gcpdetector "go.opentelemetry.io/contrib/detectors/gcp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"

	"example.com/eventdriver/driver"
)

// Config says where to send to, beside the variables OTEL_*. The zero value sends to the collector
// that these name, or to one on this machine.
type Config struct {
	// Google sends to telemetry.googleapis.com, unless OTEL_EXPORTER_OTLP_ENDPOINT names another endpoint. The
	// default credentials go to endpoints of googleapis.com alone.
	Google bool
	// Detect asks Google's metadata server where the process runs. Google implies it.
	Detect bool
	// Throttled says that the process gets no CPU between requests: see [Providers.Idle].
	Throttled bool
	// Logger is where failures to send are logged, once a minute; nil: [slog.Default].
	Logger *slog.Logger

	google string // the URL of Google's endpoint, for tests; "": the real one
}

// Providers send spans and metrics. Open them with [Open].
type Providers struct {
	Tracers *trace.TracerProvider
	Meters  *metric.MeterProvider
	// Project is Google's project in which the process runs, or "".
	Project string

	config Config
	health health
	one    sync.Mutex // of Idle
	idled  time.Time  // when Idle has sent last
}

// detectWithin bounds the questions to Google's metadata server.
const detectWithin = 2 * time.Second

// Open returns the providers, and makes them those of the process: see [otel.SetTracerProvider]. It
// sends nothing. An error says what is wrong with the variables or the credentials.
func Open(ctx context.Context, c Config) (*Providers, error) {
	p := &Providers{config: c}
	about, err := p.resource(ctx)
	if err != nil {
		return nil, err
	}
	traces := []trace.TracerProviderOption{trace.WithResource(about)}
	if sampler, err := sampler(os.Getenv("OTEL_TRACES_SAMPLER"), os.Getenv("OTEL_TRACES_SAMPLER_ARG")); err != nil {
		return nil, err
	} else {
		traces = append(traces, trace.WithSampler(linked{sampler}))
	}
	metrics := []metric.Option{metric.WithResource(about)}
	spans, points, err := c.exporters(ctx)
	if err != nil {
		return nil, err
	}
	if spans != nil {
		traces = append(traces, trace.WithBatcher(timedSpans{spans, &p.health}))
	}
	if points != nil {
		metrics = append(metrics, metric.WithReader(metric.NewPeriodicReader(timedMetrics{points, &p.health})))
	}
	if names := unread(); names != nil {
		driver.Logger(c.Logger).WarnContext(ctx, "variables of OpenTelemetry have no effect here", "variables", names)
	}
	p.Tracers, p.Meters = trace.NewTracerProvider(traces...), metric.NewMeterProvider(metrics...)
	otel.SetErrorHandler(&failures{logger: c.Logger})
	otel.SetTracerProvider(shared{next: p.Tracers})
	otel.SetMeterProvider(p.Meters)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	return p, nil
}

// exporters returns what sends the signals; nil: one is not sent.
func (c Config) exporters(ctx context.Context) (spans trace.SpanExporter, points metric.Exporter, err error) {
	sendsTraces, errTraces := sends(ofTraces)
	sendsMetrics, errMetrics := sends(ofMetrics)
	if err := errors.Join(errTraces, errMetrics); err != nil {
		return nil, nil, err
	}
	if sendsTraces {
		if spans, err = c.spans(ctx); err != nil {
			return nil, nil, fmt.Errorf("traces: %w", err)
		}
	}
	if !sendsMetrics {
		return spans, nil, nil
	}
	if points, err = c.metrics(ctx); err != nil {
		err = fmt.Errorf("metrics: %w", err)
		if spans != nil {
			err = errors.Join(err, spans.Shutdown(ctx)) // it has connections
		}
		return nil, nil, err
	}
	return spans, points, nil
}

// resource says which process this is. Each is another one, so that its sums are not taken for those
// of an instance before.
func (p *Providers) resource(ctx context.Context) (*resource.Resource, error) {
	ctx, cancel := context.WithTimeout(ctx, detectWithin)
	defer cancel()
	opts := []resource.Option{resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", cmp.Or(os.Getenv("K_SERVICE"), "event-driver")),
		attribute.String("service.instance.id", rand.Text()),
	)}
	if revision := os.Getenv("K_REVISION"); revision != "" {
		opts = append(opts, resource.WithAttributes(attribute.String("service.version", revision)))
	}
	if p.config.Google || p.config.Detect {
		opts = append(opts, resource.WithDetectors(gcpdetector.NewDetector()))
	}
	about, err := resource.New(ctx, append(opts, resource.WithFromEnv())...)
	if about == nil {
		return nil, fmt.Errorf("resource: %w", err)
	} // otherwise a part is better than nothing
	for _, name := range []attribute.Key{"gcp.project_id", "cloud.account.id"} {
		if v, ok := about.Set().Value(name); ok && p.Project == "" {
			p.Project = v.AsString()
		}
	}
	p.Project = cmp.Or(p.Project, os.Getenv("GOOGLE_CLOUD_PROJECT"))
	if p.config.Google && p.Project != "" {
		return resource.Merge(about, resource.NewSchemaless(attribute.String("gcp.project_id", p.Project)))
	}
	return about, nil
}

const (
	// idleEvery is how often Idle sends at most: Google takes a point of a time series every few seconds.
	idleEvery = 10 * time.Second
	// idleWithin is how long Idle may take.
	idleWithin = 250 * time.Millisecond
	// prompt is how long the last export took at most for Idle to wait for one.
	prompt = 100 * time.Millisecond
)

// Idle sends what is there, where the process is about to be without CPU, since the last request is
// about to be answered. It does nothing unless the process is Throttled, the last export was
// prompt and successful, and Idle has not sent for ten seconds. What it leaves is sent while the next
// request is handled, or by Shutdown. It takes a quarter of a second at most, and then not again
// until an export was prompt.
func (p *Providers) Idle(ctx context.Context) {
	if !p.config.Throttled || !p.health.prompt() || !p.one.TryLock() {
		return
	}
	defer p.one.Unlock()
	if time.Since(p.idled) < idleEvery {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), idleWithin)
	defer cancel()
	if p.both(ctx, p.Tracers.ForceFlush, p.Meters.ForceFlush) != nil {
		p.health.note(idleWithin, context.DeadlineExceeded)
	}
	p.idled = time.Now()
}

// Shutdown sends what is there, until ctx ends, and stops.
func (p *Providers) Shutdown(ctx context.Context) error {
	return p.both(ctx, p.Tracers.Shutdown, p.Meters.Shutdown)
}

// both calls the functions at once, and returns when they have, or ctx has ended.
func (p *Providers) both(ctx context.Context, functions ...func(context.Context) error) error {
	results := make(chan error, len(functions))
	for _, f := range functions {
		go func() { results <- driver.Guard(func() error { return f(ctx) }) }()
	}
	var errs []error
	for range functions {
		select {
		case err := <-results:
			errs = append(errs, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(errs...)
}
