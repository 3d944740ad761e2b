package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// changing are the flags of commands that change something.
type changing struct {
	*globals
	yes, dryRun bool
	alone       bool // start no sweep
	as, reason  string

	asked       bool   // whose credentials they are
	credentials string // the account; "": unknown
}

func (c *changing) flags(command *cobra.Command) {
	flags := command.Flags()
	flags.BoolVar(&c.yes, "yes", false, "do it without a question")
	flags.BoolVar(&c.dryRun, "dry-run", false, "say what would be done, and do nothing")
	flags.StringVar(&c.as, "as", c.account(), "who does it, for the record: an `account`")
	flags.StringVar(&c.reason, "reason", "", "why it is done, for the record: a `text`")
}

// account returns who the environment says that the caller is.
func (c *changing) account() string {
	variables := c.variables()
	if account := variables["CLOUDSDK_CORE_ACCOUNT"]; account != "" {
		return account
	}
	return variables["USER"]
}

var (
	errNoAnswer    = errors.New("nothing was changed: answer yes, or give --yes")
	errInterrupted = errors.New("interrupted: nothing was changed")
)

// may says whether to do what the sentence says: not in a dry run, and not where the answer to
// the question isn't yes. It waits for the answer until ctx ends.
func (c *changing) may(ctx context.Context, sentence string) (bool, error) {
	if c.as == "" {
		return false, errors.New("--as must name the account that does it: USER and CLOUDSDK_CORE_ACCOUNT are not set")
	}
	if c.dryRun {
		fmt.Fprintf(c.err, "would do this: %s\n", sentence)
		return false, nil
	}
	if c.yes {
		return true, nil
	}
	fmt.Fprintf(c.err, "%s? yes or no: ", sentence)
	select {
	case answer := <-c.answer():
		if answer != "yes" && answer != "y" {
			return false, fails(errNoAnswer)
		}
		return true, nil
	case <-ctx.Done():
		fmt.Fprintln(c.err)
		return false, fails(errInterrupted)
	}
}

// answer sends the next line of the input. Nothing ends the read of a terminal, so where nobody
// answers, it lasts as long as the process.
func (c *changing) answer() <-chan string {
	answers := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(c.in).ReadString('\n') // what was read before the end is the answer
		answers <- strings.ToLower(strings.TrimSpace(line))
	}()
	return answers
}

// operation is one change, and what the record says of it.
type operation struct {
	action string
	about  []any // what is changed: names and values
	// do makes the change. What it returns is added to the record, beside an error, too.
	do     func(context.Context) ([]any, error)
	within time.Duration // how long it may take; 0: changeWithin
}

// changeWithin bounds one change.
const changeWithin = 2 * time.Minute

// carryOut makes a change that the caller may make, and leaves a record of it, also where it failed:
// it may have been made all the same. Every command that changes something does it by this.
func (c *changing) carryOut(ctx context.Context, f function, o operation) error {
	within, cancel := context.WithTimeout(ctx, cmp.Or(o.within, changeWithin))
	defer cancel()
	more, err := o.do(within)
	about := slices.Concat(o.about, more)
	if err != nil {
		about = append(about, "error", err.Error())
	}
	c.audit(ctx, f, o.action, about)
	return err
}
