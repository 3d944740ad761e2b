package otlp

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/api/option"
	htransport "google.golang.org/api/transport/http"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/oauth"
)

const (
	// googleHost is Google's endpoint: https://cloud.google.com/stackdriver/docs/reference/telemetry/overview.
	googleHost = "telemetry.googleapis.com"
	// cloudPlatform is the scope of the credentials; the roles of the account decide what it may do.
	cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"
)

// protocol returns the one that the variables name for a signal, TRACES or METRICS.
func protocol(signal string) (string, error) {
	name := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), "http/protobuf")
	if name != "grpc" && name != "http/protobuf" {
		return "", fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL must be grpc or http/protobuf; it is %q", name)
	}
	return name, nil
}

// atGoogle says that a signal goes to Google's endpoint, not to another that the variables name.
func (c Config) atGoogle(signal string) bool {
	return c.Google && cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT")) == ""
}

// spans returns what sends spans.
func (c Config) spans(ctx context.Context) (trace.SpanExporter, error) {
	name, err := protocol("TRACES")
	switch {
	case err != nil:
		return nil, err
	case name == "grpc":
		var opts []otlptracegrpc.Option
		if c.atGoogle("TRACES") {
			credentials, err := perRequest(ctx)
			if err != nil {
				return nil, err
			}
			opts = append(opts, otlptracegrpc.WithEndpoint(googleHost+":443"), otlptracegrpc.WithDialOption(credentials))
		}
		return otlptracegrpc.New(ctx, opts...)
	}
	var opts []otlptracehttp.Option
	if c.Google {
		client, err := authorized(ctx)
		if err != nil {
			return nil, err
		}
		opts = append(opts, otlptracehttp.WithHTTPClient(client))
	}
	if c.atGoogle("TRACES") {
		opts = append(opts, otlptracehttp.WithEndpointURL("https://"+googleHost+"/v1/traces"))
	}
	return otlptracehttp.New(ctx, opts...)
}

// metrics returns what sends metrics.
func (c Config) metrics(ctx context.Context) (metric.Exporter, error) {
	name, err := protocol("METRICS")
	switch {
	case err != nil:
		return nil, err
	case name == "grpc":
		var opts []otlpmetricgrpc.Option
		if c.atGoogle("METRICS") {
			credentials, err := perRequest(ctx)
			if err != nil {
				return nil, err
			}
			opts = append(opts, otlpmetricgrpc.WithEndpoint(googleHost+":443"), otlpmetricgrpc.WithDialOption(credentials))
		}
		return otlpmetricgrpc.New(ctx, opts...)
	}
	var opts []otlpmetrichttp.Option
	if c.Google {
		client, err := authorized(ctx)
		if err != nil {
			return nil, err
		}
		opts = append(opts, otlpmetrichttp.WithHTTPClient(client))
	}
	if c.atGoogle("METRICS") {
		opts = append(opts, otlpmetrichttp.WithEndpointURL("https://"+googleHost+"/v1/metrics"))
	}
	return otlpmetrichttp.New(ctx, opts...)
}

// perRequest is the dial option by which requests carry the default credentials.
func perRequest(ctx context.Context) (grpc.DialOption, error) {
	credentials, err := oauth.NewApplicationDefault(ctx, cloudPlatform)
	if err != nil {
		return nil, fmt.Errorf("default credentials: %w", err)
	}
	return grpc.WithPerRPCCredentials(credentials), nil
}

// authorized is a client whose requests carry the default credentials, and are no spans themselves.
func authorized(ctx context.Context) (*http.Client, error) {
	client, _, err := htransport.NewClient(ctx, option.WithScopes(cloudPlatform), option.WithTelemetryDisabled())
	if err != nil {
		return nil, fmt.Errorf("default credentials: %w", err)
	}
	return client, nil
}
