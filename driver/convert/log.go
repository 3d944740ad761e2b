package convert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
)

// report logs the outcome of an event. Its failure is logged here and nowhere else.
func (e *endpoint) report(ctx context.Context, event *cloudevents.Event, o outcome) {
	level, text := slog.LevelInfo, "event processed"
	switch o.verdict {
	case waiting:
		text = "event stored, waiting for others"
	case deadLettered:
		level, text = slog.LevelError, "event dead-lettered"
	case rejected:
		level, text = slog.LevelError, "event rejected, dead letters are off"
	case held:
		level, text = slog.LevelInfo, "event held, to be redelivered"
	case busy:
		level, text = slog.LevelInfo, "no memory is free for the event, to be redelivered"
	case failed:
		level, text = slog.LevelWarn, "event failed, to be redelivered"
		if o.letter != nil {
			level, text = slog.LevelError, "dead letter not stored, event to be redelivered"
		}
	}
	e.tell(ctx, event, o)
	logger := e.log()
	if !logger.Enabled(ctx, level) {
		return
	}
	var few [8]slog.Attr
	// Without the place in the source, which is this one for all events: to find it takes as long as the rest.
	line := slog.NewRecord(time.Now(), level, text, 0)
	line.AddAttrs(describe(few[:0], event, o)...)
	_ = logger.Handler().Handle(ctx, line) // as a slog.Logger does with the error
}

// log returns the logger: an event must not fail because its log line does.
func (e *endpoint) log() *slog.Logger {
	if e.logger != nil {
		return e.logger
	}
	return driver.Logger(nil)
}

// describe appends what is known of an event and its failure to attrs, except for the payload.
func describe(attrs []slog.Attr, event *cloudevents.Event, o outcome) []slog.Attr {
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
	put("waitsFor", o.waits)
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

// reasonOf returns the reason of the event's own failure, also if its dead letter could not be
// stored.
func reasonOf(o outcome) driver.Reason {
	if o.letter != nil {
		return o.letter.Reason
	}
	return driver.ReasonOf(o.err)
}

// longest is the most bytes of a text in a log line, an answer, or the error of a dead
// letter. Cloud Logging accepts lines of up to 256 KB.
const longest = 32 << 10

// brief returns a text, or the beginning and the length of one that is very long.
func brief(text string) string {
	if len(text) <= longest {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:longest], ""), len(text))
}
