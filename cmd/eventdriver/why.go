package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/operate/keys"
	"example.com/eventdriver/operate/lines"
)

func newWhy(g *globals) *cobra.Command {
	storeAlone := false
	c := &cobra.Command{
		Use:   "why KEY",
		Short: "Say how a key stands, and what to do about it",
		Long: "why prints what is kept of a key: each source that is joined, present or missing, the claim, the\n" +
			"completion and the dead letters; and a sentence that says what happens next, or what to do. It\n" +
			"reads no event's content, and takes two requests on Cloud Storage.\n\n" +
			"Where DEAD_LETTER_TOPIC is set, it looks for the key's letters in the subscription to it, too. That takes\n" +
			"some seconds, and keeps the messages from others meanwhile; --no-letters leaves it out.\n\n" +
			"Exit code 0: the key is completed, or a run is under way. 1: it waits, failed, or nothing is kept.",
		Example: "  eventdriver why order-1 --service=orders --region=europe-west1 --project=my-project\n" +
			"  eventdriver why order-1 --no-letters --json | jq -r .state",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return g.open(c.Context(), func(f function) error {
				ctx, cancel := context.WithTimeout(c.Context(), readWithin)
				defer cancel()
				return g.why(ctx, f, args[0], !storeAlone)
			})
		},
	}
	c.Flags().BoolVar(&storeAlone, "no-letters", false, "do not look for letters in the topic of dead letters")
	return c
}

func (g *globals) why(ctx context.Context, f function, key string, inTopic bool) error {
	k, err := f.keys()
	if err != nil {
		return err
	}
	letters, unread := g.lettersInTopic(ctx, f, key, inTopic)
	a, err := k.Why(ctx, key, letters...)
	if err != nil {
		return fails(err)
	}
	a.Unread = unread
	if g.json {
		err = g.printJSON(a)
	} else {
		err = g.printText(describe(a, time.Now()))
	}
	if err != nil {
		return err
	}
	if a.State != joiner.Done && a.State != joiner.Held {
		return outcome{code: found}
	}
	return nil
}

// topicWithin bounds looking for letters in a topic: there may be many of other keys.
const topicWithin = 20 * time.Second

// lettersInTopic returns the key's letters in the subscription to the topic of dead letters, and why
// there may be others.
func (g *globals) lettersInTopic(ctx context.Context, f function, key string, wanted bool) (of []driver.LetterRef, unread string) {
	switch {
	case f.config.DeadLetterTopic == "":
		return nil, ""
	case !wanted:
		return nil, "--no-letters"
	}
	ctx, cancel := context.WithTimeout(ctx, topicWithin)
	defer cancel()
	in := lettersOf{globals: g, from: "topic"}
	err := in.use(ctx, f, func(box driver.LetterBox) error {
		page, err := box.ListLetters(ctx, driver.LetterQuery{})
		of = slices.DeleteFunc(page.Letters, func(l driver.LetterRef) bool { return l.Key != key })
		return err
	})
	if err != nil {
		return of, err.Error()
	}
	return of, ""
}

// mostLetters is how many letters fit on the screen.
const mostLetters = 8

// describe says for people how a key stands.
func describe(a keys.Answer, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n", plain(a.Key), a.State)
	for _, problem := range a.Problems {
		fmt.Fprintf(&b, "problem: %s\n\n", plain(problem))
	}
	table(&b, func(row func(...string)) {
		row("SOURCE", "STATE", "SINCE", "SIZE", "MEDIA TYPE", "EVENT'S TIME", "EVENT")
		for _, s := range a.Sources {
			row(plain(s.Name), arrival(s), ago(s.Kept, now), size(s), dash(s.MediaType), at(s.Time), dash(s.ID))
		}
	})
	b.WriteString(describeCorrections(a.Sources))
	if a.Decided != nil {
		fmt.Fprintf(&b, "\ndecided on: %s\n", plain(strings.Join(a.Decided, ", ")))
	}
	b.WriteString("\n" + describeClaim(a.Claim, now))
	if len(a.Letters) > 0 {
		b.WriteString("\n")
		table(&b, func(row func(...string)) {
			row("LETTER", "IN", "REASON", "SOURCE", "ADDED", "EVENT")
			for _, l := range a.Letters[max(0, len(a.Letters)-mostLetters):] {
				row(plain(l.Ref), place(l), plain(string(l.Reason)), dash(l.Source), ago(l.Added, now), dash(l.ID))
			}
		})
		if more := len(a.Letters) - mostLetters; more > 0 {
			fmt.Fprintf(&b, "and %d before them: letters list --key\n", more)
		}
	}
	if a.Unread != "" {
		fmt.Fprintf(&b, "\nNot all letters in the topic were looked at: %s\n", plain(a.Unread))
	}
	fmt.Fprintf(&b, "\n%s\n", plain(a.Next))
	return b.String()
}

// describeCorrections says who has corrected which events.
func describeCorrections(sources []keys.Source) string {
	var b strings.Builder
	for _, s := range sources {
		for _, c := range s.Corrections {
			fmt.Fprintf(&b, "\n%s: corrected by %s at %s: %s\n  it was %s\n", plain(s.Name), plain(c.By), at(&c.When), plain(c.Why), plain(c.Was))
		}
	}
	return b.String()
}

func describeClaim(c *keys.Claim, now time.Time) string {
	if c == nil {
		return "claim: none\n"
	}
	by := fmt.Sprintf("token %d, owner %s", c.Token, dash(c.Owner))
	if c.Takeover {
		by += ", took over an expired lease"
	}
	if c.Attempts > 0 {
		by += fmt.Sprintf(", failed runs: %d", c.Attempts)
	}
	switch {
	case c.Outcome != "":
		return fmt.Sprintf("completed: %s, %s, %s\n", plain(string(c.Outcome)), ago(c.Done, now), by)
	case c.Expires != nil:
		return fmt.Sprintf("claim: held, %s, lease until %s\n", by, at(c.Expires))
	case c.NotBefore != nil && now.Before(*c.NotBefore):
		return fmt.Sprintf("claim: released %s, %s, to come back at %s\n", ago(c.Changed, now), by, at(c.NotBefore))
	case c.Mark != "":
		return fmt.Sprintf("claim: released as %s %s, %s\n", plain(string(c.Mark)), ago(c.Changed, now), by)
	}
	return fmt.Sprintf("claim: released %s, %s\n", ago(c.Changed, now), by)
}

func arrival(s keys.Source) string {
	switch {
	case s.Sealed:
		return "sealed"
	case !s.Arrived:
		return "MISSING"
	case s.Unjoined:
		return "not joined"
	}
	return "present"
}

func place(l keys.Letter) string {
	if l.Topic {
		return "topic"
	}
	return "store"
}

func size(s keys.Source) string {
	switch {
	case !s.Arrived:
		return "-"
	case s.Size < 0:
		return "unknown"
	}
	return fmt.Sprint(s.Size)
}

// table writes rows whose columns are aligned.
func table(b *strings.Builder, fill func(row func(...string))) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fill(func(cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")) })
	_ = w.Flush() // to a Builder, which never fails
}

// plain returns a name or a text as it is printed for people.
func plain(text string) string { return lines.Name(text) }

// dash stands for what is unknown or absent.
func dash(text string) string {
	if text == "" {
		return "-"
	}
	return plain(text)
}

func at(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// ago says when something happened, and how long ago.
func ago(t *time.Time, now time.Time) string {
	if t == nil {
		return "-"
	}
	return fmt.Sprintf("%s (%s)", at(t), age(now.Sub(*t)))
}

// age says a length of time in its two greatest units.
func age(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}
