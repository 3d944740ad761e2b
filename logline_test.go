package eventdriver

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A line in a file is the one that log/slog writes, whether or not the record is plain.
func TestLinesAreThoseOfSlog(t *testing.T) {
	at := time.Date(2026, 11, 26, 12, 0, 0, 123456000, time.FixedZone("", 3600))
	long := strings.Repeat("x", 2*longestBuffer)
	for _, c := range []struct {
		plain bool
		at    time.Time
		text  string
		attrs []slog.Attr
	}{
		{true, at, "m", nil},
		{true, at.UTC(), "event processed", []slog.Attr{
			slog.String("event", "1"), slog.String("key", "<a&b> '~"), slog.Int("n", -7), slog.Bool("b", true),
		}},
		{true, at, "", []slog.Attr{ // more than a record holds in one piece
			slog.String("1", ""), slog.String("2", ""), slog.String("3", ""), slog.String("4", ""), slog.String("5", ""),
			slog.String("6", long),
		}},
		{false, time.Time{}, "m", nil},
		{false, at, "line\nbreak", nil},
		{false, at, "m", []slog.Attr{slog.String("key", `"`)}},
		{false, at, "m", []slog.Attr{slog.String("key", `\`)}},
		{false, at, "m", []slog.Attr{slog.String("key", "\x7f")}},
		{false, at, "m", []slog.Attr{slog.String("key", "\xff")}},
		{false, at, "m", []slog.Attr{slog.String("key", "ü")}},
		{false, at, "m", []slog.Attr{slog.String(`"`, "a")}},
		{false, at, "m", []slog.Attr{slog.String("msg", "a")}},
		{false, at, "m", []slog.Attr{slog.String("level", "a")}},
		{false, at, "m", []slog.Attr{{}}},
		{false, at, "m", []slog.Attr{slog.Group("g", "a", 1)}},
		{false, at, "m", []slog.Attr{
			slog.Float64("f", math.Inf(1)), slog.Any("error", errors.New("oops")), slog.Duration("d", 5),
		}},
	} {
		for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
			r := slog.NewRecord(c.at, level, c.text, 0)
			r.AddAttrs(c.attrs...)
			if _, plain := appendLine(nil, r); plain != c.plain {
				t.Errorf("%q %v is plain: %v", c.text, c.attrs, plain)
			}
			var want bytes.Buffer
			if err := NewLogger(&want, slog.LevelDebug).Handler().Handle(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if got := lineInFile(t, r); got != want.String() {
				t.Errorf("wrote %.500s; slog writes %.500s", got, want.String())
			}
		}
	}
}

func lineInFile(t *testing.T, r slog.Record) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := NewLogger(file, slog.LevelDebug).Handler().Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(line)
}
