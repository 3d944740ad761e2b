package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/operate/letters"
)

// lettersOf are the flags that say where the letters are.
type lettersOf struct {
	*globals
	from, subscription string
}

func newLetters(g *globals) *cobra.Command {
	of := &lettersOf{globals: g}
	c := &cobra.Command{
		Use:   "letters",
		Short: "Find dead letters, and send them again",
		Long: "letters finds the dead letters of a function. Where DEAD_LETTER_TOPIC is set, they are those in the\n" +
			"subscription to that topic, else those in the event store. What did not fit into a message is in the\n" +
			"store all the same: see --from.\n\n" +
			"Looking into a subscription takes some seconds, and keeps the messages from others meanwhile.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	flags := c.PersistentFlags()
	flags.StringVar(&of.from, "from", "", "where the letters are: `store` or topic; the default follows from DEAD_LETTER_TOPIC")
	flags.StringVar(&of.subscription, "subscription", "", "the `subscription` to the topic of dead letters; the default has "+
		"the topic's name, as both deployments make it")
	c.AddCommand(newLettersList(of), newLettersShow(of), newLettersResend(of), newLettersDrop(of))
	return c
}

// lettersWithin bounds looking at letters.
const lettersWithin = 10 * time.Minute

// look calls use with the letters of the function, and a context that ends within a time.
func (of *lettersOf) look(ctx context.Context, use func(context.Context, driver.LetterBox) error) error {
	return of.open(ctx, func(_ function, box driver.LetterBox) error {
		ctx, cancel := context.WithTimeout(ctx, lettersWithin)
		defer cancel()
		return use(ctx, box)
	})
}

// open calls use with the letters of the function.
func (of *lettersOf) open(ctx context.Context, use func(function, driver.LetterBox) error) error {
	if of.from != "" && of.from != "store" && of.from != "topic" {
		return fmt.Errorf("--from must be store or topic, not %q", of.from)
	}
	if of.from == "store" && of.subscription != "" {
		return errors.New("--subscription names where letters of the topic are: leave it out, or --from=store")
	}
	return of.globals.open(ctx, func(f function) error {
		return of.use(ctx, f, func(box driver.LetterBox) error { return use(f, box) })
	})
}

// use calls do with the letters of an open function.
func (of *lettersOf) use(ctx context.Context, f function, do func(driver.LetterBox) error) error {
	box, err := of.box(ctx, f)
	if err != nil {
		return fails(err)
	}
	err = do(box)
	if closer, is := box.(*letters.Subscription); is {
		if closing := closer.Close(); closing != nil {
			return errors.Join(err, fails(closing))
		}
	}
	return err
}

func (of *lettersOf) box(ctx context.Context, f function) (driver.LetterBox, error) {
	topic := f.config.DeadLetterTopic
	if of.from == "store" || of.from == "" && of.subscription == "" && topic == "" {
		box, can := f.state.DeadLetters.(driver.LetterBox)
		if !can {
			return nil, fmt.Errorf("the letters of the event store, %T, can't be listed", f.state.DeadLetters)
		}
		return box, nil
	}
	name := of.subscription
	if name == "" {
		if topic == "" {
			return nil, errors.New("DEAD_LETTER_TOPIC is not set: name the --subscription")
		}
		name = path.Join(path.Dir(path.Dir(topic)), "subscriptions", path.Base(topic))
	}
	if !strings.Contains(name, "/") {
		if of.target.Project == "" {
			return nil, errNoProject
		}
		name = "projects/" + of.target.Project + "/subscriptions/" + name
	}
	return letters.OpenSubscription(ctx, name)
}

func newLettersList(of *lettersOf) *cobra.Command {
	q := letters.Query{Limit: 100}
	var reason string
	c := &cobra.Command{
		Use:   "list",
		Short: "Count the dead letters by reason, and list them",
		Long: "list counts the dead letters by reason, and names the first of them. It reads none.\n\n" +
			"Exit code 1: there are letters.",
		Example: "  eventdriver letters list --reason=permanent-error --limit=1000 --json | jq -r '.letters[].ref'",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if q.Reason = driver.Reason(reason); reason == "" && c.Flags().Changed("reason") {
				return errors.New("--reason is empty: give it a value, or leave it out")
			}
			return of.look(c.Context(), func(ctx context.Context, box driver.LetterBox) error {
				return of.list(ctx, box, q)
			})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "only letters with this `reason`")
	c.Flags().StringVar(&q.Key, "key", "", "only letters of this `key`")
	c.Flags().IntVar(&q.Limit, "limit", q.Limit, "how many `letters` are named")
	return c
}

func (of *lettersOf) list(ctx context.Context, box driver.LetterBox, q letters.Query) error {
	q.Progress = func(l letters.List) { fmt.Fprintf(of.err, "looked at %d letters; found %d\n", l.Seen, l.Found) }
	l, errFind := letters.Find(ctx, box, q)
	if errors.Is(errFind, letters.ErrNoReason) { // handlers may have reasons of their own
		fmt.Fprintln(of.err, "--reason:", errFind)
		errFind = nil
	}
	var err error
	if of.json {
		err = of.printJSON(l)
	} else if l.Seen > 0 || errFind == nil {
		err = of.printText(describeLetters(l, time.Now()))
	}
	switch {
	case err != nil:
		return err
	case errFind != nil:
		return fails(errFind)
	case l.Found > 0:
		return outcome{code: found}
	}
	return nil
}

func describeLetters(l letters.List, now time.Time) string {
	var b strings.Builder
	if l.Found > 0 {
		table(&b, func(row func(...string)) {
			row("LETTERS", "REASON")
			for _, c := range l.Counts {
				row(fmt.Sprint(c.Letters), plain(string(c.Reason)))
			}
		})
		b.WriteString("\n")
		table(&b, func(row func(...string)) {
			row("LETTER", "REASON", "KEY", "SOURCE", "EVENT", "ADDED")
			for _, d := range l.Letters {
				row(plain(d.Ref), plain(string(d.Reason)), dash(d.Key), dash(d.Source), dash(d.ID), ago(d.Added, now))
			}
		})
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%d of %d letters\n", l.Found, l.Seen)
	return b.String()
}

func newLettersShow(of *lettersOf) *cobra.Command {
	payload := false
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show a dead letter",
		Long:  "show prints all that a letter says. Its payload, the event's own data, only with --payload.",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return of.look(c.Context(), func(ctx context.Context, box driver.LetterBox) error {
				d, err := box.ReadLetter(ctx, args[0])
				if err != nil {
					return fails(elsewhere(err))
				}
				if of.json {
					return of.printJSON(letters.Describe(args[0], d, payload))
				}
				return of.show(args[0], d, payload)
			})
		},
	}
	c.Flags().BoolVar(&payload, "payload", false, "print the event's data, too")
	return c
}

func (of *lettersOf) show(ref string, d driver.DeadLetter, payload bool) error {
	var b strings.Builder
	l := letters.Describe(ref, d, false)
	table(&b, func(row func(...string)) {
		row("letter", plain(l.Ref))
		row("reason", plain(string(l.Reason)))
		row("error", dash(l.Error))
		row("handler", dash(l.Handler))
		row("key", dash(l.Key))
		row("source", dash(l.Source))
		row("event", dash(l.ID))
		row("path", dash(l.Path))
		row("delivery", fmt.Sprint(l.Attempt))
		row("time", at(l.Time))
		for _, name := range slices.Sorted(maps.Keys(l.Header)) {
			row("header", plain(name+": "+strings.Join(l.Header[name], ", ")))
		}
		row("size", fmt.Sprint(l.Size))
	})
	if err := of.printText(b.String()); err != nil || !payload {
		return err
	}
	if _, err := io.WriteString(of.out, "\n"+string(d.Body)+"\n"); err != nil {
		return fails(err)
	}
	return nil
}

func newLettersDrop(of *lettersOf) *cobra.Command {
	ch := &changing{globals: of.globals}
	c := &cobra.Command{
		Use:   "drop ID…",
		Short: "Delete dead letters",
		Long:  "drop deletes letters for good. An audit line for each goes to stderr.",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, refs []string) error {
			return of.open(c.Context(), func(f function, box driver.LetterBox) error {
				named, refused := ch.mayEach(c.Context(), "delete for good: ", refs, func(ref string) error {
					return deletable(c.Context(), box, ref)
				})
				return andRefused(eachLetter(named, func(ref string) error {
					if err := ch.drop(c.Context(), f, box, ref); err != nil {
						return err
					}
					return ch.dropped(ref)
				}), refused)
			})
		},
	}
	ch.flags(c)
	return c
}

// deletable says why a letter can't be deleted: one that can't be read can.
func deletable(ctx context.Context, box driver.LetterBox, ref string) error {
	ctx, cancel := context.WithTimeout(ctx, lettersWithin)
	defer cancel()
	_, err := box.ReadLetter(ctx, ref)
	if driver.IsPermanent(err) {
		return nil
	}
	return err
}

// mayEach asks whether to do to letters what the sentence says, and returns those to do it to: no other than the question
// names. It names those for which check returns nil; refused is the error of the others, or of the question.
func (c *changing) mayEach(
	ctx context.Context, sentence string, refs []string, check func(ref string) error,
) (named []string, refused error) {
	named = refs
	if (c.dryRun || !c.yes) && c.as != "" { // nobody is asked about what can't be done
		named = nil
		refused = eachLetter(refs, func(ref string) error {
			err := check(ref)
			if err == nil {
				named = append(named, ref)
			}
			return err
		})
		if len(named) == 0 {
			return nil, refused
		}
	}
	switch may, err := c.may(ctx, sentence+listOf(named)); {
	case err != nil:
		return nil, err
	case !may:
		return nil, refused
	}
	return named, refused
}

// andRefused returns the outcome of what was done to some letters, after others were refused.
func andRefused(err, refused error) error {
	if refused == nil {
		return err
	}
	return fails(errors.Join(refused, err))
}

// listOf names letters for a question.
func listOf(refs []string) string {
	var all []string
	for _, ref := range refs {
		all = append(all, plain(ref))
	}
	return strings.Join(all, ", ")
}

// eachLetter calls do with each letter. After one that can't succeed, or that is gone, it goes on; any other
// failure would meet the letters after it, too.
func eachLetter(refs []string, do func(ref string) error) error {
	var all []error
	for i, ref := range refs {
		err := do(ref)
		if err != nil {
			all = append(all, fmt.Errorf("letter %s: %w", plain(ref), elsewhere(err)))
		}
		if err != nil && !driver.IsPermanent(err) && !errors.Is(err, driver.ErrNotFound) {
			if left := len(refs) - i - 1; left > 0 {
				all = append(all, fmt.Errorf("nothing was done about the %d letters after it", left))
			}
			break
		}
	}
	if len(all) == 0 {
		return nil
	}
	return fails(errors.Join(all...))
}

// elsewhere says where to look for a letter that is not found.
func elsewhere(err error) error {
	if errors.Is(err, driver.ErrNotFound) {
		return fmt.Errorf("%w: letters list names those that there are, and --from the other place", err)
	}
	return err
}

// dropped says that a letter was deleted.
func (c *changing) dropped(ref string) error {
	if c.json {
		return c.printJSON(struct {
			Ref     string `json:"ref"`
			Deleted bool   `json:"deleted"`
		}{ref, true})
	}
	return c.printText(plain(ref) + ": deleted\n")
}

// drop deletes a letter.
func (c *changing) drop(ctx context.Context, f function, box driver.LetterBox, ref string) error {
	return c.carryOut(ctx, f, operation{action: "letters drop", about: []any{"letter", ref},
		do: func(ctx context.Context) ([]any, error) { return nil, box.DeleteLetter(ctx, ref) }})
}
