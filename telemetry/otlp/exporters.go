package otlp

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

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

// The signals, as the variables name them.
const (
	ofTraces  = "TRACES"
	ofMetrics = "METRICS"
)

// sends says whether a signal is sent.
func sends(signal string) (bool, error) {
	variable := "OTEL_" + signal + "_EXPORTER"
	switch name := cmp.Or(os.Getenv(variable), "otlp"); name {
	case "otlp":
		return true, nil
	case "none":
		return false, nil
	default:
		return false, fmt.Errorf("%s must be otlp or none; it is %q", variable, name)
	}
}

// setting returns a variable of the exporters, and its value: the one for a signal goes before the one for both.
func setting(signal, name string) (variable, value string) {
	variable = "OTEL_EXPORTER_OTLP_" + signal + "_" + name
	if value = os.Getenv(variable); value == "" {
		variable = "OTEL_EXPORTER_OTLP_" + name
		value = os.Getenv(variable)
	}
	return variable, value
}

// overGRPC says whether a signal is sent over gRPC.
func overGRPC(signal string) (bool, error) {
	variable, name := setting(signal, "PROTOCOL")
	switch name {
	case "grpc":
		return true, nil
	case "http/protobuf", "":
		return false, nil
	}
	return false, fmt.Errorf("%s must be grpc or http/protobuf; it is %q", variable, name)
}

// destination is where a signal is sent to.
type destination struct {
	grpc       bool
	google     string          // the host, where no variable names another; "": as the variables say
	authorized bool            // with the default credentials, which nobody but Google is to see
	perRequest grpc.DialOption // with gRPC
	client     *http.Client    // with HTTP
}

func (c Config) destination(ctx context.Context, signal string) (d destination, err error) {
	if d.grpc, err = overGRPC(signal); err != nil {
		return d, err
	}
	_, named := setting(signal, "ENDPOINT")
	if c.Google && named == "" {
		d.google = cmp.Or(c.google, "https://"+googleHost)
	}
	if d.authorized = c.Google && (named == "" || atGoogle(named)); !d.authorized {
		return d, nil
	}
	if d.grpc {
		d.perRequest, err = perRequest(ctx)
	} else {
		d.client, err = authorized(ctx)
	}
	if err != nil {
		return d, fmt.Errorf("default credentials: %w", err)
	}
	return d, nil
}

// atGoogle says that an endpoint is Google's own, a regional one for example.
func atGoogle(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && u.Scheme == "https" && strings.HasSuffix(u.Hostname(), ".googleapis.com")
}

// spans returns what sends spans.
func (c Config) spans(ctx context.Context) (trace.SpanExporter, error) {
	d, err := c.destination(ctx, ofTraces)
	switch {
	case err != nil:
		return nil, err
	case d.grpc:
		var opts []otlptracegrpc.Option
		if d.google != "" {
			opts = append(opts, otlptracegrpc.WithEndpointURL(d.google))
		}
		if d.authorized {
			opts = append(opts, otlptracegrpc.WithDialOption(d.perRequest))
		}
		return otlptracegrpc.New(ctx, opts...)
	}
	var opts []otlptracehttp.Option
	if d.google != "" {
		opts = append(opts, otlptracehttp.WithEndpointURL(d.google+"/v1/traces"))
	}
	if d.authorized {
		opts = append(opts, otlptracehttp.WithHTTPClient(d.client))
	}
	return otlptracehttp.New(ctx, opts...)
}

// metrics returns what sends metrics.
func (c Config) metrics(ctx context.Context) (metric.Exporter, error) {
	d, err := c.destination(ctx, ofMetrics)
	switch {
	case err != nil:
		return nil, err
	case d.grpc:
		var opts []otlpmetricgrpc.Option
		if d.google != "" {
			opts = append(opts, otlpmetricgrpc.WithEndpointURL(d.google))
		}
		if d.authorized {
			opts = append(opts, otlpmetricgrpc.WithDialOption(d.perRequest))
		}
		return otlpmetricgrpc.New(ctx, opts...)
	}
	var opts []otlpmetrichttp.Option
	if d.google != "" {
		opts = append(opts, otlpmetrichttp.WithEndpointURL(d.google+"/v1/metrics"))
	}
	if d.authorized {
		opts = append(opts, otlpmetrichttp.WithHTTPClient(d.client))
	}
	return otlpmetrichttp.New(ctx, opts...)
}

// perRequest is the dial option by which requests carry the default credentials.
func perRequest(ctx context.Context) (grpc.DialOption, error) {
	credentials, err := oauth.NewApplicationDefault(ctx, cloudPlatform)
	if err != nil {
		return nil, err
	}
	return grpc.WithPerRPCCredentials(credentials), nil
}

// authorized is a client whose requests carry the default credentials, and are no spans themselves.
func authorized(ctx context.Context) (*http.Client, error) {
	client, _, err := htransport.NewClient(ctx, option.WithScopes(cloudPlatform), option.WithTelemetryDisabled())
	return client, err
}

// unread are the variables of OpenTelemetry that are set and have no effect here.
func unread() (names []string) {
	for _, v := range []struct {
		name string
		done []string // values that ask for what is done anyway
	}{
		{"OTEL_LOGS_EXPORTER", []string{"none"}},
		{"OTEL_PROPAGATORS", []string{"tracecontext,baggage", "baggage,tracecontext"}},
		{"OTEL_CONFIG_FILE", nil},
		{"OTEL_EXPERIMENTAL_CONFIG_FILE", nil},
	} {
		if value := os.Getenv(v.name); value != "" && !slices.Contains(v.done, value) {
			names = append(names, v.name)
		}
	}
	return names
}
