//go:build notelemetry

package main

import "context"

func linkTelemetry(context.Context) {}
