package convert

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
)

// notes collects what a person should know of an event that is processed all the
// same: the optional attributes that were left out, since they are malformed. It is
// for one goroutine. All methods work on nil, which collects nothing.
type notes struct{ leftOut []string }

// leaveOut notes that an attribute was left out, and why. The why must not quote
// it: attributes may be secret, or long.
func (n *notes) leaveOut(name string, why error) {
	if n == nil {
		return
	}
	text := fmt.Sprintf("%.100s: %v", name, why)
	if !slices.Contains(n.leftOut, text) && len(n.leftOut) < maxNotes {
		n.leftOut = append(n.leftOut, text)
	}
}

// maxNotes bounds the log line of an event with many attributes that are malformed.
const maxNotes = 20

type notesKey struct{}

func withNotes(ctx context.Context, n *notes) context.Context {
	return context.WithValue(ctx, notesKey{}, n)
}

// notesFrom returns the notes of the edge, or nil where a converter is called by
// somebody else.
func notesFrom(ctx context.Context) *notes {
	n, _ := ctx.Value(notesKey{}).(*notes)
	return n
}

// log writes the notes as one warning.
func (n *notes) log(ctx context.Context, logger *slog.Logger, about ...slog.Attr) {
	if n == nil || len(n.leftOut) == 0 {
		return
	}
	logger.LogAttrs(ctx, slog.LevelWarn, "malformed attributes left out of an event",
		append(about, slog.Any("attributes", n.leftOut))...)
}
