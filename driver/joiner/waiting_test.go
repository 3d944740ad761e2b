package joiner_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

// TestWaitingSaysForWhat: the log of an event that does not complete its join.
func TestWaitingSaysForWhat(t *testing.T) {
	a, b, c := joiner.MatchAll("a"), joiner.MatchAll("b"), joiner.MatchAll("c")
	for name, test := range map[string]struct {
		condition joiner.Condition
		arrive    string // one letter for each source
		want      string // of the last
	}{
		"all":                     {joiner.MatchAll("a", "b", "c"), "b", "a, c"},
		"all but one":             {joiner.MatchAll("a", "b", "c"), "bc", "a"},
		"both":                    {joiner.MatchAll("a").And(joiner.MatchAll("b", "c")), "b", "a, c"},
		"any, with another":       {joiner.MatchAny("a", "b").And(c), "c", "one of a, b"},
		"two of four":             {joiner.AtLeast(3, "a", "b", "c", "d"), "b", "2 of a, c, d"},
		"or":                      {joiner.MatchAll("a", "b").Or(c), "a", "b or c"},
		"and within or":           {a.And(joiner.MatchAny("b", "c")).Or(joiner.MatchAll("d", "e")), "d", "(a and one of b, c) or e"},
		"xor":                     {a.XOr(joiner.MatchAll("b", "c")), "b", "a or c"},
		"both sides of an xor":    {a.XOr(b).And(c), "ab", "nothing any more: the condition excludes what has arrived"},
		"excluded":                {joiner.MatchNone("a").And(b), "a", "nothing any more: the condition excludes what has arrived"},
		"not not":                 {a.Not().Not().And(c), "c", "others of a"},
		"neither or both":         {a.XOr(b).Not().And(c), "ac", "others of a, b"},
		"one alternative is gone": {joiner.MatchNone("a").And(b).Or(c), "a", "c"},
		"of a user's":             {own(func(s []string) bool { return len(s) == 2 }), "a", "the condition joiner_test.own"},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, store := range bothStores() {
				var log bytes.Buffer
				logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				p := driver.New(joiner.New(test.condition, store, joiner.Logger(logger)))
				var run *driver.Run
				for _, source := range strings.Split(test.arrive, "") {
					log.Reset()
					var ctx context.Context
					ctx, run = driver.WithRun(t.Context())
					if err := p.Process(ctx, driver.Message{Key: "k", Source: source, Content: []byte(`1`)}); err != nil {
						t.Fatal(err)
					}
				}
				if want := `level=DEBUG msg="waiting for ` + test.want + `" key=k source=`; !strings.Contains(log.String(), want) {
					t.Errorf("%s: it logs %s\nwant %s", kind, log.String(), want)
				}
				if !run.Waiting() || run.WaitsFor() != test.want {
					t.Errorf("%s: the run waits for %q, want %q", kind, run.WaitsFor(), test.want)
				}
			}
		})
	}
}

// TestWaitingForSourcesThatNobodyLookedAt: of many sources, some are looked at.
func TestWaitingForSourcesThatNobodyLookedAt(t *testing.T) {
	store := bothStores()["several calls"]
	p := driver.New(joiner.New(joiner.MatchAll("a", "b", "c", "d", "e"), store, joiner.LookAtAll(1)))
	ctx, run := driver.WithRun(t.Context())
	if err := p.Process(ctx, driver.Message{Key: "k", Source: "a"}); err != nil {
		t.Fatal(err)
	}
	if waits := run.WaitsFor(); !strings.HasSuffix(waits, ", and perhaps others") {
		t.Errorf("it waits for %q", waits)
	}
}

// TestLoggerThatPanics fails no event.
func TestLoggerThatPanics(t *testing.T) {
	p := driver.New(joiner.New(joiner.MatchAll("a", "b"), memstore.New(), joiner.Logger(slog.New(panics{}))))
	for _, content := range []string{"1", "2"} { // waiting, and another content
		if err := p.Process(t.Context(), driver.Message{Key: "k", Source: "a", Content: []byte(content)}); err != nil {
			t.Error(err)
		}
	}
}

type panics struct{}

func (panics) Enabled(context.Context, slog.Level) bool  { return true }
func (panics) Handle(context.Context, slog.Record) error { panic("disk full") }
func (panics) WithAttrs([]slog.Attr) slog.Handler        { return panics{} }
func (panics) WithGroup(string) slog.Handler             { return panics{} }
