package main

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
)

// changing are the flags of commands that change something.
type changing struct {
	*globals
	yes, dryRun bool
	as          string
}

func (c *changing) flags(command *cobra.Command) {
	variables := c.variables()
	account := variables["CLOUDSDK_CORE_ACCOUNT"]
	if account == "" {
		account = variables["USER"]
	}
	flags := command.Flags()
	flags.BoolVar(&c.yes, "yes", false, "do it without a question")
	flags.BoolVar(&c.dryRun, "dry-run", false, "say what would be done, and do nothing")
	flags.StringVar(&c.as, "as", account, "who does it, for the record: an `account`")
}

var errNoAnswer = errors.New("nothing was changed: answer yes, or give --yes")

// may says whether to do what the sentence says: not in a dry run, and not where the answer to
// the question isn't yes.
func (c *changing) may(sentence string) (bool, error) {
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
	line, err := bufio.NewReader(c.in).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); err != nil && answer == "" || answer != "yes" && answer != "y" {
		return false, fails(errNoAnswer)
	}
	return true, nil
}

// audit writes a line for the record about a change that was made, or may have been made.
func (c *changing) audit(action string, err error, about ...any) {
	about = append([]any{"action", action, "by", c.as}, about...)
	if err != nil {
		about = append(about, "error", err.Error())
	}
	slog.New(slog.NewJSONHandler(c.err, nil)).Info("audit", about...)
}
