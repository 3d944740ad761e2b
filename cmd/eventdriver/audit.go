package main

import (
	"context"
	"log/slog"
)

// audit leaves the record of a change: a line on stderr.
func (c *changing) audit(ctx context.Context, f function, action string, about []any) {
	record := []any{"action", action, "by", c.as}
	if c.reason != "" {
		record = append(record, "why", c.reason)
	}
	slog.New(slog.NewJSONHandler(c.err, nil)).InfoContext(ctx, "audit", append(record, about...)...)
}
