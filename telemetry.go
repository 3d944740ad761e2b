//go:build !notelemetry

package eventdriver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"google.golang.org/api/option"
	htransport "google.golang.org/api/transport/http"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/admission"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/publish"
	"example.com/eventdriver/telemetry"
	"example.com/eventdriver/telemetry/otlp"
)

// telemetryLeftOut is the build tag that left package telemetry out of this program; "": it is here.
const telemetryLeftOut = ""

// observed is the observer that package telemetry is for.
type observed struct {
	*telemetry.Telemetry
	providers *otlp.Providers
}

// openTelemetry returns the observer that config names. Events are handled whatever is wrong with it:
// then nobody observes them.
func openTelemetry(ctx context.Context, c Config, logger *slog.Logger) observer {
	if c.Telemetry == TelemetryOff || strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return unobserved{}
	}
	o, err := newObserved(ctx, c, logger)
	if err != nil {
		driver.Logger(logger).ErrorContext(ctx, "there are no traces and metrics: TELEMETRY is "+c.Telemetry, "error", err)
		return unobserved{}
	}
	return o
}

func newObserved(ctx context.Context, c Config, logger *slog.Logger) (observer, error) {
	providers, err := otlp.Open(ctx, otlp.Config{
		Google: c.Telemetry == TelemetryGoogle, Detect: inCloud(), Throttled: inCloud(), Logger: logger})
	if err != nil {
		return nil, err
	}
	t, err := telemetry.New(providers.Tracers, providers.Meters,
		telemetry.ShowKeys(telemetry.Keys(c.TelemetryKeys)), telemetry.Sources(c.Sources...))
	if err != nil {
		return nil, errors.Join(err, providers.Shutdown(ctx))
	}
	logProject.Store(&providers.Project)
	return observed{t, providers}, nil
}

func (o observed) arrive(ctx context.Context, header http.Header) context.Context {
	return o.Arrive(ctx, header)
}

func (o observed) options() []convert.Option                       { return []convert.Option{convert.Observe(o.Observe)} }
func (o observed) processor(p convert.Processor) convert.Processor { return o.Processor(p) }
func (o observed) handlers(handlers []driver.Handler) []driver.Handler {
	return o.Handlers(handlers...)
}
func (o observed) business(h driver.Handler) driver.Handler { return o.Business(h) }
func (o observed) output() []publish.Option {
	return []publish.Option{publish.Attributes(o.PublishAttributes)}
}
func (o observed) inFlight(g *admission.Gate) error   { return o.InFlight(g.InUse) }
func (o observed) waiting() waitingJoins              { return o.Waiting() }
func (o observed) idle(ctx context.Context)           { o.providers.Idle(ctx) }
func (o observed) shutdown(ctx context.Context) error { return o.providers.Shutdown(ctx) }

// stores returns the stores as the pipeline is to use them.
func (o observed) stores(c Config, s stores) stores {
	letters := c.EventStore
	if c.DeadLetterTopic != "" {
		letters = "pubsub"
	}
	s.events, s.claims = o.EventStore(c.EventStore, s.events), o.ClaimStore(c.ClaimStore, s.claims)
	s.deadLetters = o.DeadLetterStore(letters, s.deadLetters)
	return s
}

// emulators are the variables that name a stand-in for a service, which takes no credentials.
var emulators = map[string]string{telemetry.CloudStorage: "STORAGE_EMULATOR_HOST", telemetry.BigQuery: "BIGQUERY_EMULATOR_HOST"}

// client implements observer. The clients' own telemetry would show the names of objects.
func (o observed) client(ctx context.Context, service string, scopes ...string) ([]option.ClientOption, error) {
	opts := []option.ClientOption{option.WithScopes(scopes...), option.WithTelemetryDisabled()}
	if os.Getenv(emulators[service]) != "" {
		opts = []option.ClientOption{option.WithoutAuthentication(), option.WithTelemetryDisabled()}
	}
	client, _, err := htransport.NewClient(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("client of %s: %w", service, err)
	}
	client.Transport = o.Transport(service, client.Transport)
	return []option.ClientOption{option.WithHTTPClient(client)}, nil
}

// spanOf returns the trace and the span in which a line is logged; "": none.
func spanOf(ctx context.Context) (trace, span string, sampled bool) {
	if s := telemetry.SpanOf(ctx); s.IsValid() {
		return s.TraceID().String(), s.SpanID().String(), s.IsSampled()
	}
	return "", "", false
}
