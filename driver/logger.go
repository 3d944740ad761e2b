package driver

import (
	"context"
	"fmt"
	"log/slog"
)

// Logger returns logger, or [slog.Default] for nil, for handlers that log: a record that
// can't be written, whatever the logger's handler does, is no reason to fail an event.
func Logger(logger *slog.Logger) *slog.Logger {
	if logger == nil {
		logger = slog.Default()
	}
	switch handler := logger.Handler().(type) {
	case safeLogs:
		return logger
	case ReliableLogs:
		if handler.Reliable() {
			return logger
		}
	}
	return slog.New(safeLogs{logger.Handler()})
}

// ReliableLogs is a handler of log records that may say that it neither panics nor ends its
// goroutine. [Logger] calls any other in a goroutine of its own, which costs more than most records.
type ReliableLogs interface {
	slog.Handler
	// Reliable says so.
	Reliable() bool
}

// LogsDebug says whether [Logger] of logger writes debug records: for handlers that have one for
// each event, which mostly nobody wants. A panic of the logger's handler counts as no.
func LogsDebug(ctx context.Context, logger *slog.Logger) bool {
	if logger == nil {
		logger = slog.Default()
	}
	handler := logger.Handler()
	if handler == standardLogs {
		return handler.Enabled(ctx, slog.LevelDebug)
	}
	return Logger(logger).Enabled(ctx, slog.LevelDebug)
}

// standardLogs is what [slog.Default] has until a program sets another; nil where one has already. It
// is safe to ask whether it is enabled.
var standardLogs = func() slog.Handler {
	handler := slog.Default().Handler()
	if fmt.Sprintf("%T", handler) != "*slog.defaultHandler" {
		return nil
	}
	return handler
}()

// safeLogs is a handler of log records that neither panics nor ends the goroutine.
type safeLogs struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (h safeLogs) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	_ = Guard(func() error {
		enabled = h.Handler.Enabled(ctx, level)
		return nil
	})
	return enabled
}

// Handle implements [slog.Handler].
func (h safeLogs) Handle(ctx context.Context, r slog.Record) error {
	return Guard(func() error { return h.Handler.Handle(ctx, r) })
}

// WithAttrs implements [slog.Handler].
func (h safeLogs) WithAttrs(attrs []slog.Attr) slog.Handler {
	return safeLogs{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h safeLogs) WithGroup(name string) slog.Handler { return safeLogs{h.Handler.WithGroup(name)} }
