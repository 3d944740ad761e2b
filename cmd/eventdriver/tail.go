package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"example.com/eventdriver/operate/cloudlog"
	"example.com/eventdriver/operate/lines"
)

func newTail(g *globals) *cobra.Command {
	var q cloudlog.Query
	since := time.Minute
	c := &cobra.Command{
		Use:   "tail",
		Short: "Show what happens now, a line for each event",
		Long: "tail shows the log of the service as it grows, from Cloud Logging, where it arrives some seconds later:\n" +
			"a line for each event, with the time, the key, the source and what became of it; what Cloud Run says of\n" +
			"the instances; and what operators change. With --json, each line is an entry as Cloud Logging has it.\n\n" +
			"It ends at Ctrl-C, with the exit code 0. You need roles/logging.viewer on the project.",
		Example: "  eventdriver tail --service=orders --region=europe-west1 --project=my-project\n" +
			"  eventdriver tail --key=order-1 --since=1h --service=orders --region=europe-west1",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if g.target.Service == "" {
				return errors.New("tail needs --service and --region; a function that runs elsewhere logs to its stderr")
			}
			if err := g.check(); err != nil {
				return err
			}
			q.Since = time.Now().Add(-since)
			return g.tail(c.Context(), q)
		},
	}
	c.Flags().StringVar(&q.Key, "key", "", "only lines about this `key`")
	c.Flags().DurationVar(&since, "since", since, "begin this long `ago`, as in 1h")
	return c
}

func (g *globals) tail(ctx context.Context, q cloudlog.Query) error {
	f, err := g.settings(ctx)
	if err != nil {
		return fails(err)
	}
	if f.config.LogLevel > slog.LevelInfo {
		fmt.Fprintf(g.err, "LOG_LEVEL is %v: the function logs nothing of events that go well\n", f.config.LogLevel)
	}
	log, err := cloudlog.Open(ctx, g.endpoint, g.target)
	if err != nil {
		return fails(err)
	}
	q.Trouble = func(err error) { fmt.Fprintf(g.err, "the log can't be read, and is tried again: %v\n", err) }
	colour := g.colour()
	err = log.Follow(ctx, q, func(entry []byte) error {
		line, ok := lines.Format(entry, colour)
		if g.json || !ok {
			line = string(entry)
		}
		_, err := io.WriteString(g.out, line+"\n")
		return err
	})
	if ctx.Err() != nil {
		return nil
	}
	return fails(err)
}

// colour says whether the output is a terminal whose user wants colours.
func (g *globals) colour() bool {
	file, is := g.out.(*os.File)
	if !is || g.variables()["NO_COLOR"] != "" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
