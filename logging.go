package eventdriver

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"example.com/eventdriver/driver"
)

// NewLogger returns a logger in the form that Cloud Logging understands: JSON
// lines with severity, message and, within a request, its trace. See
// https://cloud.google.com/logging/docs/structured-logging.
func NewLogger(w io.Writer, level slog.Level) *slog.Logger {
	var lines slog.Handler = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: cloudLogging})
	file, isFile := w.(*os.File) // another may panic
	if isFile {
		lines = plainLines{lines, file}
	}
	return slog.New(traced{Handler: lines, reliable: isFile})
}

// cloudLogging gives attributes the names that Cloud Logging knows.
func cloudLogging(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.MessageKey:
		a.Key = "message"
	case slog.LevelKey:
		level, _ := a.Value.Any().(slog.Level)
		return slog.String("severity", severity(level))
	}
	return a
}

func severity(level slog.Level) string {
	switch {
	case level < slog.LevelInfo:
		return "DEBUG"
	case level < slog.LevelWarn:
		return "INFO"
	case level < slog.LevelError:
		return "WARNING"
	}
	return "ERROR"
}

// traced is a handler that adds the trace of the context's span, or else of its request, outside of all groups:
// Cloud Logging does not look for it inside of one.
type traced struct {
	slog.Handler
	reliable bool
	top      slog.Handler                      // before the first group
	inner    []func(slog.Handler) slog.Handler // what makes the handler of top, from the first group on
}

var _ driver.ReliableLogs = traced{}

// Reliable implements [driver.ReliableLogs].
func (t traced) Reliable() bool { return t.reliable }

func (t traced) Handle(ctx context.Context, r slog.Record) error {
	attrs := traceIn(ctx)
	if len(t.inner) == 0 {
		r.AddAttrs(attrs...)
	}
	if len(t.inner) == 0 || len(attrs) == 0 {
		return t.Handler.Handle(ctx, r)
	}
	h := t.top.WithAttrs(attrs)
	for _, add := range t.inner {
		h = add(h)
	}
	return h.Handle(ctx, r)
}

// traceIn returns the attributes of the trace in which a line is logged; nil: it is logged in no trace.
func traceIn(ctx context.Context) []slog.Attr {
	if id, span, sampled := spanOf(ctx); id != "" {
		return traceAttrs(id, span, sampled)
	}
	of, _ := ctx.Value(traceKey{}).(trace)
	return of.attrs
}

func (t traced) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(t.inner) > 0 {
		return t.with(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })
	}
	t.Handler = t.Handler.WithAttrs(attrs)
	return t
}

func (t traced) WithGroup(name string) slog.Handler {
	if len(t.inner) == 0 {
		t.top = t.Handler
	}
	return t.with(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (t traced) with(add func(slog.Handler) slog.Handler) slog.Handler {
	t.Handler, t.inner = add(t.Handler), append(slices.Clip(t.inner), add)
	return t
}

type traceKey struct{}

type trace struct{ attrs []slog.Attr }

// withTrace returns the request's context with its trace, by which Cloud Logging
// groups the lines of a request.
func withTrace(r *http.Request) context.Context {
	id, span, sampled := traceOf(r.Header)
	if id == "" {
		return r.Context()
	}
	return context.WithValue(r.Context(), traceKey{}, trace{traceAttrs(id, span, sampled)})
}

// logProject is the project that telemetry has detected; nil or empty: it has not.
var logProject atomic.Pointer[string]

// traceAttrs are the attributes of a line by which Cloud Logging knows its trace, its span, and whether the trace is
// kept.
func traceAttrs(id, span string, sampled bool) []slog.Attr {
	project := os.Getenv("GOOGLE_CLOUD_PROJECT")
	if detected := logProject.Load(); detected != nil && *detected != "" {
		project = *detected
	}
	if project != "" {
		id = "projects/" + project + "/traces/" + id
	}
	attrs := []slog.Attr{slog.String("logging.googleapis.com/trace", id)}
	if span != "" {
		attrs = append(attrs, slog.String("logging.googleapis.com/spanId", span))
	}
	return append(attrs, slog.Bool("logging.googleapis.com/trace_sampled", sampled))
}

// traceOf reads the W3C's traceparent (version-trace-span-flags), or else the
// older X-Cloud-Trace-Context (trace/span;options).
func traceOf(h http.Header) (id, span string, sampled bool) {
	if parent := h.Get("Traceparent"); parent != "" {
		if parts := strings.Split(parent, "-"); len(parts) >= 4 && isHex(parts[1], 32) && isHex(parts[2], 16) {
			flags, err := strconv.ParseUint(parts[3], 16, 8)
			return parts[1], parts[2], err == nil && flags&1 == 1
		}
	}
	id, rest, _ := strings.Cut(h.Get("X-Cloud-Trace-Context"), "/")
	if isHex(id, 32) {
		return id, "", strings.HasSuffix(rest, ";o=1") // its span is a decimal number, not the form that logs want
	}
	return "", "", false
}

func isHex(s string, length int) bool {
	return len(s) == length && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
