//go:build notelemetry

package eventdriver

import (
	"context"
	"log/slog"
)

// telemetryLeftOut is the build tag that left package telemetry out of this program.
const telemetryLeftOut = "notelemetry"

func openTelemetry(context.Context, Config, *slog.Logger) observer { return unobserved{} }

func spanOf(context.Context) (trace, span string, sampled bool) { return "", "", false }
