package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/operate/change"
)

// purge are the flags of purge.
type purge struct {
	*changing
	force  bool
	settle time.Duration
}

const forcedPurge = "complete it for the run that is under way, which is not stopped, may have acted or may still act; if it " +
	"ends later than this command, the key may be completed again, and events that come later are not run"

func newPurge(g *globals) *cobra.Command {
	p := &purge{changing: &changing{globals: g}}
	c := &cobra.Command{
		Use:   "purge KEY",
		Short: "Delete all that is kept of a key",
		Long: "purge deletes the events of a key with what they were corrected from, its decisions, seals and dead letters,\n" +
			"and its claims and completions in all scopes. Nothing brings them back. Letters in a topic's subscription\n" +
			"stay: drop these with letters drop.\n\n" +
			"The key is claimed and completed first, so that nobody acts upon what is left of it. Its claims and\n" +
			"completions are deleted last, --settle after the events, when deliveries that have read these have ended.\n" +
			"Where the command fails, the key stays completed: purge it again. While a run is under way the command is\n" +
			"refused, with the exit code 3; --force completes the key all the same.\n\n" +
			"An event that comes later begins the key anew.\n\n" +
			"An audit line goes to stderr. Exit code 1: there was nothing to delete.",
		Example: "  eventdriver purge order-1 --service=orders --region=europe-west1 --project=my-project",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.open(c.Context(), func(f function) error { return p.run(c.Context(), f, args[0]) })
		},
	}
	p.flags(c)
	c.Flags().BoolVar(&p.force, "force", false, "purge the key also while a run holds it: "+forcedPurge)
	addSettle(c, &p.settle)
	return c
}

func (p *purge) run(ctx context.Context, f function, key string) error {
	k, err := f.changes(p.as, p.settle)
	if err != nil {
		return fails(err)
	}
	all, err := p.look(ctx, k, key)
	if err != nil {
		return nothingOr(err)
	}
	fmt.Fprint(p.err, all.table())
	what := plain(key) + ": delete all that is kept of it, for good"
	if p.force {
		what += "; and, while it is held, " + forcedPurge
	}
	may, err := p.may(ctx, what)
	if err != nil || !may {
		return err
	}
	err = p.carryOut(ctx, f, operation{
		action: "purge", within: changeWithin + p.settle,
		about: []any{"key", key, "events", len(all.Events), "letters", all.Letters, "force", p.force},
		do:    func(ctx context.Context) ([]any, error) { return nil, k.Purge(ctx, key, p.force) },
	})
	if err != nil {
		return nothingOr(err)
	}
	now, err := p.look(ctx, k, key)
	if err != nil && !errors.Is(err, change.ErrNothing) {
		fmt.Fprintf(p.err, "%s: whether events have come meanwhile is not known: %v\n", plain(key), err)
	}
	all.Since = now.Events
	if p.json {
		return p.printJSON(all)
	}
	text := plain(key) + ": all that was kept of it is deleted; an event that comes now begins it anew\n"
	if len(all.Since) > 0 {
		text += fmt.Sprintf("Of %s, events have come meanwhile. They may have been acknowledged as if the key were "+
			"completed: purge it again, or publish one of them again.\n", strings.Join(all.Since, ", "))
	}
	return p.printText(text)
}

// purged is what purge prints for programs: what it has deleted.
type purged struct {
	Key         string   `json:"key"`
	Events      []string `json:"events"` // their sources
	Corrections int      `json:"corrections"`
	Sealed      []string `json:"sealed,omitempty"`
	Decisions   int      `json:"decisions"`
	Scopes      int      `json:"scopes"` // in which the key was claimed
	Letters     int      `json:"letters"`
	Since       []string `json:"since,omitempty"` // the sources of events that have come meanwhile, and are kept
}

func (p *purge) look(ctx context.Context, k change.Keys, key string) (purged, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	state, err := k.Store.Inspect(ctx, key)
	switch {
	case errors.Is(err, driver.ErrNotFound):
		return purged{}, fmt.Errorf("nothing is kept of key %q: %w", key, change.ErrNothing)
	case err != nil:
		return purged{}, err
	}
	all := purged{Key: key, Events: state.Sources(), Sealed: state.Sealed, Decisions: len(state.Decided), Scopes: len(state.Claims),
		Letters: len(state.Letters)}
	for _, e := range state.Events {
		all.Corrections += len(e.Corrections)
	}
	return all, nil
}

// table says what is there to be deleted.
func (p purged) table() string {
	var b strings.Builder
	table(&b, func(row func(...string)) {
		row("EVENTS", "CORRECTIONS", "SEALED", "DECISIONS", "CLAIMED IN", "LETTERS")
		row(dash(strings.Join(p.Events, ",")), fmt.Sprint(p.Corrections), dash(strings.Join(p.Sealed, ",")), fmt.Sprint(p.Decisions),
			fmt.Sprintf("%d scopes", p.Scopes), fmt.Sprint(p.Letters))
	})
	return b.String()
}
