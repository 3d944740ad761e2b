//go:build !notelemetry

package main

import (
	"context"

	gcpdetector "go.opentelemetry.io/contrib/detectors/gcp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// linkTelemetry opens OpenTelemetry's SDK with its exporters, both by gRPC and by HTTP.
func linkTelemetry(ctx context.Context) {
	about, _ := resource.New(ctx, resource.WithDetectors(gcpdetector.NewDetector()))
	traces, metrics := []trace.TracerProviderOption{trace.WithResource(about)}, []metric.Option{metric.WithResource(about)}
	if exporter, err := otlptracegrpc.New(ctx); err == nil {
		traces = append(traces, trace.WithBatcher(exporter))
	}
	if exporter, err := otlptracehttp.New(ctx); err == nil {
		traces = append(traces, trace.WithBatcher(exporter))
	}
	if exporter, err := otlpmetricgrpc.New(ctx); err == nil {
		metrics = append(metrics, metric.WithReader(metric.NewPeriodicReader(exporter)))
	}
	if exporter, err := otlpmetrichttp.New(ctx); err == nil {
		metrics = append(metrics, metric.WithReader(metric.NewPeriodicReader(exporter)))
	}
	otel.SetTracerProvider(trace.NewTracerProvider(traces...))
	otel.SetMeterProvider(metric.NewMeterProvider(metrics...))
}
