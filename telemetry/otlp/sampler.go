package otlp

import (
	"fmt"
	"slices"
	"strconv"

	"go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"
)

// sampler returns what OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG name.
func sampler(name, arg string) (trace.Sampler, error) {
	ratio := 1.0
	if arg != "" {
		var err error
		if ratio, err = strconv.ParseFloat(arg, 64); err != nil || ratio < 0 || ratio > 1 {
			return nil, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1; it is %q", arg)
		}
	}
	switch name {
	case "always_on":
		return trace.AlwaysSample(), nil
	case "always_off":
		return trace.NeverSample(), nil
	case "traceidratio":
		return trace.TraceIDRatioBased(ratio), nil
	case "", "parentbased_always_on":
		return trace.ParentBased(trace.AlwaysSample()), nil
	case "parentbased_always_off":
		return trace.ParentBased(trace.NeverSample()), nil
	case "parentbased_traceidratio":
		return trace.ParentBased(trace.TraceIDRatioBased(ratio)), nil
	}
	return nil, fmt.Errorf("OTEL_TRACES_SAMPLER is %q, which is not one of OpenTelemetry's samplers", name)
}

// linked samples a trace that begins with links, as that of a joined run does, where one of the spans
// that it links to is sampled. Others it leaves to next.
type linked struct{ next trace.Sampler }

// ShouldSample implements [trace.Sampler].
func (l linked) ShouldSample(p trace.SamplingParameters) trace.SamplingResult {
	if len(p.Links) == 0 || api.SpanContextFromContext(p.ParentContext).IsValid() {
		return l.next.ShouldSample(p)
	}
	decision := trace.Drop
	if slices.ContainsFunc(p.Links, func(link api.Link) bool { return link.SpanContext.IsSampled() }) {
		decision = trace.RecordAndSample
	}
	return trace.SamplingResult{Decision: decision}
}

// Description implements [trace.Sampler].
func (l linked) Description() string { return "Linked{" + l.next.Description() + "}" }
