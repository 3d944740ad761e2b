package convert

import (
	"context"
	"errors"
	"log/slog"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
)

// report logs what became of an event: the one place where its failure is logged.
func (e *edge) report(ctx context.Context, event *cloudevents.Event, o outcome) {
	level, text := slog.LevelDebug, "event processed"
	switch o.verdict {
	case waiting:
		text = "event kept, waiting for others"
	case deadLettered:
		level, text = slog.LevelError, "event set aside as a dead letter"
	case rejected:
		level, text = slog.LevelError, "event rejected, dead letters are off"
	case held:
		level, text = slog.LevelInfo, "event held, to be delivered again"
	case busy:
		level, text = slog.LevelInfo, "no memory is free for the event, to be delivered again"
	case failed:
		level, text = slog.LevelWarn, "event failed, to be delivered again"
		if o.letter != nil {
			level, text = slog.LevelError, "dead letter not kept, event to be delivered again"
		}
	}
	e.log().LogAttrs(ctx, level, text, describe(event, o)...)
}

// log returns the logger, made safe: that a line can't be logged is no reason to fail
// its event.
func (e *edge) log() *slog.Logger {
	logger := e.logger
	if logger == nil {
		logger = slog.Default()
	}
	return slog.New(safeLogs{logger.Handler()})
}

// safeLogs is a handler of log records that neither panics nor ends the goroutine.
type safeLogs struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (h safeLogs) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	_ = driver.Guard(func() error {
		enabled = h.Handler.Enabled(ctx, level)
		return nil
	})
	return enabled
}

// Handle implements [slog.Handler].
func (h safeLogs) Handle(ctx context.Context, r slog.Record) error {
	return driver.Guard(func() error { return h.Handler.Handle(ctx, r) })
}

type loggerKey struct{}

// withLogger returns a context whose logger is that of the edge, for what is to be
// said of an event before its outcome is known.
func withLogger(ctx context.Context, logger *slog.Logger) context.Context {
	return context.WithValue(ctx, loggerKey{}, logger)
}

func loggerFrom(ctx context.Context) *slog.Logger {
	if logger, ok := ctx.Value(loggerKey{}).(*slog.Logger); ok {
		return logger
	}
	return slog.Default()
}

// describe returns what is known of an event and its failure, the payload aside.
func describe(event *cloudevents.Event, o outcome) []slog.Attr {
	var attrs []slog.Attr
	put := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, brief(value)))
		}
	}
	id, source, eventType := o.message.ID, o.message.Source, o.message.Attributes["ce-type"]
	if event != nil && event.Context != nil {
		if eventType == "" {
			eventType = event.Type()
		}
		if id == "" {
			id, source = event.ID(), event.Source()
		}
	} else if o.letter != nil {
		id, source = o.letter.ID, o.letter.Source
	}
	put("event", id)
	put("type", eventType)
	put("key", o.message.Key)
	put("source", source)
	if o.err == nil {
		return attrs
	}
	if where, ok := errors.AsType[*driver.Error](o.err); ok {
		put("handler", where.Handler)
	}
	put("reason", string(reasonOf(o)))
	put("error", o.err.Error())
	if p, ok := errors.AsType[*driver.PanicError](o.err); ok {
		put("stack", string(p.Stack))
	}
	return attrs
}

// reasonOf is the reason of the event's own failure, also where its dead letter
// could not be kept.
func reasonOf(o outcome) driver.Reason {
	if o.letter != nil {
		return o.letter.Reason
	}
	return driver.ReasonOf(o.err)
}
