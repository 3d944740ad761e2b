package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"example.com/eventdriver/operate/cloudlog"
)

// auditWithin bounds writing a record to Cloud Logging.
const auditWithin = 10 * time.Second

// audit leaves the record of a change: a line on stderr, and of a service also an entry in Cloud
// Logging, if that takes it.
func (c *changing) audit(ctx context.Context, f function, action string, about []any) {
	record := []any{"action", action, "by", c.as}
	if c.reason != "" {
		record = append(record, "why", c.reason)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditWithin) // Ctrl-C may have ended the change
	defer cancel()
	if f.google != nil {
		if account := c.caller(ctx, f); account != "" {
			record = append(record, "account", account)
		}
	}
	record = append(record, about...)
	slog.New(slog.NewJSONHandler(c.err, nil)).InfoContext(ctx, "audit", record...)
	if f.google == nil {
		return
	}
	if err := c.report(ctx, record); err != nil {
		fmt.Fprintf(c.err, "eventdriver: Cloud Logging has no record of this change, only the line above: %v\n", err)
	}
}

// caller returns the account of the credentials; "": it can't be told.
func (c *changing) caller(ctx context.Context, f function) string {
	if !c.asked {
		c.asked = true
		c.credentials, _ = f.google.Caller(ctx) // the record goes without
	}
	return c.credentials
}

// report writes a record to Cloud Logging.
func (c *changing) report(ctx context.Context, record []any) error {
	log, err := cloudlog.Open(ctx, c.endpoint, c.target)
	if err != nil {
		return err
	}
	fields := map[string]any{"message": "audit"}
	for i := 0; i+1 < len(record); i += 2 {
		fields[record[i].(string)] = record[i+1]
	}
	return log.WriteAudit(ctx, fields)
}
