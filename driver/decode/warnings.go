package decode

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
)

// Warnings collect what a person should know about an event that is accepted: which optional
// attributes were left out because they are malformed, and that the event contradicts the
// source named by its path. A Warnings is for one event and one goroutine. A nil *Warnings
// collects nothing.
type Warnings struct {
	leftOut []string
	other   string // the source that the event names, where the path names another
}

// maxWarnings bounds the log line of an event with many malformed attributes.
const maxWarnings = 20

// leaveOut notes that an attribute was left out, and why. The reason must not quote the
// value: attributes may be secret, or long.
func (w *Warnings) leaveOut(name string, why error) {
	if w == nil {
		return
	}
	text := fmt.Sprintf("%.100s: %v", name, why)
	if !slices.Contains(w.leftOut, text) && len(w.leftOut) < maxWarnings {
		w.leftOut = append(w.leftOut, text)
	}
}

// Any says whether there are warnings.
func (w *Warnings) Any() bool { return w != nil && (len(w.leftOut) > 0 || w.other != "") }

// Log writes the warnings, each kind as one record that begins with the attributes in about.
func (w *Warnings) Log(ctx context.Context, logger *slog.Logger, about ...slog.Attr) {
	if !w.Any() {
		return
	}
	about = slices.Clip(about)
	if len(w.leftOut) > 0 {
		logger.LogAttrs(ctx, slog.LevelWarn, "malformed attributes left out of an event",
			append(about, slog.Any("attributes", w.leftOut))...)
	}
	if w.other != "" {
		logger.LogAttrs(ctx, slog.LevelWarn, "the event's path and its ce-source name different sources, the path decides",
			append(about, slog.String("other", w.other))...)
	}
}

type warningsKey struct{}

// WithWarnings returns a context with which [Decoder.Message] adds to w, instead of logging
// the warnings with [slog.Default].
func WithWarnings(ctx context.Context, w *Warnings) context.Context {
	return context.WithValue(ctx, warningsKey{}, w)
}

func warningsFrom(ctx context.Context) *Warnings {
	w, _ := ctx.Value(warningsKey{}).(*Warnings)
	return w
}
