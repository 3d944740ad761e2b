package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.com/eventdriver/operate/keys"
)

func newWaiting(g *globals) *cobra.Command {
	q := keys.Query{Limit: 20}
	within := 10 * time.Minute
	c := &cobra.Command{
		Use:   "waiting",
		Short: "List the keys that are not completed, and what they wait for",
		Long: "waiting looks at all keys, and counts those that are not completed by their state and what they\n" +
			"wait for. It names the oldest. On Cloud Storage it takes a request for each 1,000 objects.\n\n" +
			"Progress goes to stderr. When the time is over, or after Ctrl-C, it prints what it has found so\n" +
			"far, and the --cursor to go on from. Exit code 1: there are such keys.",
		Example: "  eventdriver waiting --older-than=1h --service=orders --region=europe-west1 --project=my-project\n" +
			"  eventdriver waiting --for=event3 --limit=1000 --json | jq -r '.oldest[].key'",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return g.lookAt(c.Context(), within, func(ctx context.Context, f keys.Function) error { return g.waiting(ctx, f, q) })
		},
	}
	flags := c.Flags()
	flags.DurationVar(&q.OlderThan, "older-than", 0, "only keys whose first event was kept longer `ago`, as in 1h")
	flags.StringVar(&q.For, "for", "", "only keys of which the event of this `source` is missing")
	flags.IntVar(&q.Limit, "limit", q.Limit, "how many of the oldest `keys` are named")
	flags.StringVar(&q.Cursor, "cursor", "", "go on from where an earlier call stopped: the `cursor` that it printed")
	flags.DurationVar(&within, "within", within, "stop after this `time`")
	return c
}

func (g *globals) waiting(ctx context.Context, f keys.Function, q keys.Query) error {
	if q.For != "" && !f.Join.Names(q.For) {
		return fmt.Errorf("--for: the function does not join the source %q", q.For)
	}
	q.Progress = func(l keys.List) {
		fmt.Fprintf(g.err, "looked at %d keys, about %.0f%% of all; found %d\n", l.Seen, 100*l.Share, l.Found)
	}
	l, errList := f.Waiting(ctx, q)
	var err error
	if g.json {
		err = g.printJSON(l)
	} else if l.Seen > 0 || errList == nil {
		err = g.printText(describeList(l, time.Now()))
	}
	switch {
	case err != nil:
		return err
	case errors.Is(errList, context.DeadlineExceeded) && ctx.Err() != nil && l.Cursor == "":
		return fails(errors.New("the time of --within is over, and no page was listed: give it more"))
	case errors.Is(errList, context.DeadlineExceeded) && ctx.Err() != nil:
		return fails(fmt.Errorf("the time of --within is over; go on with --cursor=%s", inShell(l.Cursor)))
	case errList != nil:
		return fails(errList)
	case l.Found > 0:
		return outcome{code: found}
	}
	return nil
}

// describeList says for people what was found.
func describeList(l keys.List, now time.Time) string {
	var b strings.Builder
	if len(l.Counts) > 0 {
		table(&b, func(row func(...string)) {
			row("KEYS", "STATE", "WAITS FOR")
			for _, c := range l.Counts {
				row(fmt.Sprint(c.Keys), string(c.State), dash(c.WaitsFor))
			}
		})
		b.WriteString("\n")
	}
	if len(l.Oldest) > 0 {
		table(&b, func(row func(...string)) {
			row("OLDEST", "STATE", "SINCE", "WAITS FOR")
			for _, k := range l.Oldest {
				name := plain(k.Key)
				if k.Key == "" {
					name = "problem: " + plain(strings.Join(k.Problems, "; "))
				}
				row(name, string(k.State), ago(k.Since, now), dash(k.WaitsFor))
			}
		})
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%d of %d keys are not completed\n", l.Found, l.Seen)
	if l.Cursor != "" {
		fmt.Fprintf(&b, "There are more. Go on with --cursor=%s\n", inShell(l.Cursor))
	}
	return b.String()
}

// inShell quotes a word for a command line: cursors of Cloud Storage have semicolons.
func inShell(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
