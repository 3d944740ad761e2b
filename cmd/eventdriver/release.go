package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/operate/change"
)

// keyChange is a command that changes one key.
type keyChange struct {
	*changing
	name string
	// what and forced are for the question: what it does to the key, and what it may do to one that is being processed.
	what, forced string
	// check says why do would be refused.
	check func(k change.Keys, ctx context.Context, key string, force bool) error
	do    func(k change.Keys, ctx context.Context, key string, force bool) error
	force bool
	runs  bool // the key is to be run then
}

func newRelease(g *globals) *cobra.Command {
	c := &keyChange{changing: &changing{globals: g}, name: "release",
		what: "let the next delivery run the key, though its last run may have acted",
		forced: "take the key from the run that is under way: it may have acted or may still act, and the next delivery may " +
			"act again",
		check: change.Keys.CheckRelease,
		do:    change.Keys.Release,
		runs:  true,
	}
	return c.command(&cobra.Command{
		Short: "Run a key again that failed, is paused or is quarantined",
		Long: "release clears the mark of a key that failed for good or is quarantined, and of a key whose holder\n" +
			"vanished. It ends the pause that a run has asked for, and the attempts are counted anew. Find out\n" +
			"before whether the last run did act.",
	})
}

func newComplete(g *globals) *cobra.Command {
	c := &keyChange{changing: &changing{globals: g}, name: "complete",
		what: "complete the key, so that no delivery runs it any more",
		forced: "complete the key, which a run holds: that run is not stopped, and if it has not acted and fails, nobody runs " +
			"the key again",
		check: change.Keys.CheckComplete,
		do:    change.Keys.Complete,
	}
	return c.command(&cobra.Command{
		Short: "Complete a key that needs no run any more",
		Long: "complete completes a key with the outcome operator: its events are acknowledged, and not run any more.\n" +
			"Where they can't be joined, since one is corrupt for example, one that comes again is dead-lettered.\n" +
			"Use it when the last run did act, or somebody has done its work by hand.",
	})
}

func newRerun(g *globals) *cobra.Command {
	c := &keyChange{changing: &changing{globals: g}, name: "rerun",
		what:  "open the completed key again, so that the next delivery runs it: what its last run did is done again",
		check: change.Keys.CheckRerun,
		do:    change.Keys.Rerun,
		runs:  true,
	}
	return c.command(&cobra.Command{
		Short: "Run a completed key once more",
		Long: "rerun opens a completed key again, while its events are kept. The run has a greater token, so that what\n" +
			"it acts upon can tell it from the last.",
	})
}

func (c *keyChange) command(command *cobra.Command) *cobra.Command {
	command.Use, command.Args = c.name+" KEY", cobra.ExactArgs(1)
	if c.forced != "" {
		command.Long += "\n\nThe key is claimed before it is changed. While a run is under way it is refused, with the exit code\n" +
			"3; --force takes it from the run."
	}
	if c.runs {
		command.Long += "\n\n" + aboutRun
	}
	command.Long += "\n\nAn audit line goes to stderr, and the owner in the store names the account.\n" +
		"Exit code 1: there was nothing to change."
	command.Example = "  eventdriver " + c.name + " order-1 --service=orders --region=europe-west1 --project=my-project"
	command.RunE = func(command *cobra.Command, args []string) error {
		return c.open(command.Context(), func(f function) error { return c.run(command.Context(), f, args[0]) })
	}
	c.flags(command)
	if c.runs {
		c.addNoSweep(command)
	}
	if c.forced != "" {
		command.Flags().BoolVar(&c.force, "force", false, "change the key also while a run holds it: "+c.forced)
	}
	return command
}

func (c *keyChange) run(ctx context.Context, f function, key string) error {
	store, err := f.state.Inspector()
	if err != nil {
		return fails(err)
	}
	k := change.Keys{Claims: f.state.Claims, Store: store, Scope: f.config.Join().Scope, By: c.as}
	if (c.dryRun || !c.yes) && c.as != "" { // nobody is asked about what can't be done
		if err := c.check(k, ctx, key, c.force); err != nil {
			return nothingOr(err)
		}
	}
	what := c.what
	if c.force {
		what = "while it is free, " + what + "; or, while it is held, " + c.forced
	}
	may, err := c.may(ctx, fmt.Sprintf("%s: %s", plain(key), what))
	if err != nil || !may {
		return err
	}
	err = c.carryOut(ctx, f, operation{action: c.name, about: []any{"key", key, "force", c.force},
		do: func(ctx context.Context) ([]any, error) { return nil, c.do(k, ctx, key, c.force) }})
	switch {
	case err != nil:
		return nothingOr(err)
	case c.runs:
		says, err := c.haveItRun(ctx, f, key)
		if err != nil {
			return err
		}
		return c.told(says, says)
	}
	says, err := c.stands(ctx, f, key)
	if err != nil {
		says = changed{Key: key, State: joiner.Done, Next: fmt.Sprintf("No run begins any more. More can't be said: %v", err)}
	}
	return c.told(says, says)
}
