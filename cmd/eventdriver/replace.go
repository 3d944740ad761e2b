package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/operate/change"
)

// replace are the flags of replace.
type replace struct {
	*changing
	file, media string
	force       bool
	settle      time.Duration
}

const forcedReplace = "take the key from the run that is under way: that run goes on with the event as it was, may have " +
	"acted or may still act, and the next delivery may act again"

func newReplace(g *globals) *cobra.Command {
	r := &replace{changing: &changing{globals: g}}
	c := &cobra.Command{
		Use:   "replace KEY SOURCE --file=F --reason=TEXT",
		Short: "Put a corrected event in the place of one that is kept",
		Long: "replace puts the file's bytes in the place of the data of the event that is kept for KEY and SOURCE, and\n" +
			"has the next delivery run the key, whatever became of its last run. What was there is kept as well, with\n" +
			"the account, the time and the reason: why shows them. From then on no redelivery of the wrong event\n" +
			"overrides the corrected one, whatever CONFLICT_POLICY says.\n\n" +
			"The data is checked as the function checks what it is sent: JSON must be JSON, CONTENT and BODY_LIMIT\n" +
			"hold, and KEY_POINTER must lead to KEY.\n\n" +
			"The key is claimed before it is changed, and kept for --settle after it, until deliveries that have read\n" +
			"the wrong event before have ended. While a run is under way the command is refused, with the exit code 3;\n" +
			"--force takes the key from the run. A completed key is refused: open it first, with rerun.\n\n" + aboutRun + "\n\n" +
			"An audit line goes to stderr. Exit code 1: there was nothing to change.",
		Example: "  eventdriver replace order-1 event2 --file=event2.json --reason='amount was missing' --service=orders \\\n" +
			"      --region=europe-west1 --project=my-project",
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return r.open(c.Context(), func(f function) error { return r.run(c.Context(), f, args[0], args[1]) })
		},
		PreRunE: func(*cobra.Command, []string) error { return r.needs() },
	}
	r.flags(c)
	flags := c.Flags()
	flags.StringVar(&r.file, "file", "", "the `file` with the data of the corrected event")
	flags.StringVar(&r.media, "content-type", "", "the data's media `type`; the default is that of the event that is there")
	flags.BoolVar(&r.force, "force", false, "replace the event also while a run holds the key: "+forcedReplace)
	addSettle(c, &r.settle)
	r.addNoSweep(c)
	return c
}

// addSettle adds the flag that says how long deliveries under way are waited for.
func addSettle(c *cobra.Command, settle *time.Duration) {
	c.Flags().DurationVar(settle, "settle", change.Settle, "how `long` deliveries that are under way are waited for; they "+
		"may have read the events before")
}

func (r *replace) needs() error {
	switch {
	case r.file == "":
		return errors.New("--file must name the file with the data of the corrected event")
	case r.reason == "":
		return errors.New("--reason must say why the event is replaced: it is kept with the event")
	case len(r.reason) > driver.MaxCorrection || len(r.as) > driver.MaxCorrection:
		return fmt.Errorf("--reason and --as must not have more than %d bytes", driver.MaxCorrection)
	}
	return nil
}

func (r *replace) run(ctx context.Context, f function, key, source string) error {
	content, err := os.ReadFile(r.file)
	if err != nil {
		return fails(err)
	}
	k, err := f.changes(r.as, r.settle)
	if err != nil {
		return fails(err)
	}
	prepared, err := r.prepare(ctx, f, k, key, source, content)
	if err != nil {
		return nothingOr(err)
	}
	fmt.Fprint(r.err, describeReplacement(prepared))
	what := fmt.Sprintf("%s, %s: replace the event, and let the next delivery run the key, though its last run may have acted", plain(key),
		plain(source))
	if r.force {
		what += "; or, while it is held, " + forcedReplace
	}
	may, err := r.may(ctx, what)
	if err != nil || !may {
		return err
	}
	err = r.carryOut(ctx, f, operation{
		action: "replace", within: changeWithin + r.settle,
		about: []any{"key", key, "source", source, "event", prepared.Was.ID, "force", r.force},
		do:    func(ctx context.Context) ([]any, error) { return nil, k.Replace(ctx, prepared, r.reason, r.force) },
	})
	if err != nil {
		return nothingOr(err)
	}
	return r.report(ctx, f, prepared)
}

func (r *replace) prepare(ctx context.Context, f function, k change.Keys, key, source string, content []byte) (change.Replacement, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	return k.Prepare(ctx, key, source, content, r.media, f.config.Corrected)
}

// replacement is what replace prints for programs.
type replacement struct {
	changed
	Source string `json:"source"`
	Was    data   `json:"was"`
	Now    data   `json:"now"`
}

// data describes the data of an event, which is not printed.
type data struct {
	Size      int    `json:"size"`
	MediaType string `json:"mediaType,omitempty"`
	SHA256    string `json:"sha256"`
}

func dataOf(m driver.Message) data { return data{len(m.Content), m.MediaType, digest(m)} }

func digest(m driver.Message) string {
	sum := sha256.Sum256(m.Content)
	return hex.EncodeToString(sum[:])
}

func (r *replace) report(ctx context.Context, f function, p change.Replacement) error {
	says, err := r.haveItRun(ctx, f, p.Was.Key)
	if err != nil {
		return err
	}
	if says.Sweep != nil && p.Letters > 0 {
		says.Next += " Once it is completed, drop its dead letters (letters drop)."
	}
	return r.told(says, replacement{says, p.Was.Source, dataOf(p.Was), dataOf(p.Now)})
}

// describeReplacement is the table of what will change.
func describeReplacement(p change.Replacement) string {
	var b strings.Builder
	table(&b, func(row func(...string)) {
		row("", "SIZE", "MEDIA TYPE", "SHA-256")
		for _, side := range []struct {
			name string
			data data
		}{{"is", dataOf(p.Was)}, {"will be", dataOf(p.Now)}} {
			row(side.name, fmt.Sprint(side.data.Size), dash(side.data.MediaType), side.data.SHA256[:16]+"…")
		}
	})
	return b.String()
}

// nothingOr returns the outcome of a change that failed, or that had nothing to change.
func nothingOr(err error) error {
	if errors.Is(err, change.ErrNothing) {
		return outcome{found, err}
	}
	return fails(err)
}
