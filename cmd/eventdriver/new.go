package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"example.com/eventdriver/cmd/eventdriver/internal/project"
)

const aboutNew = `new writes the folder of a function of your own: a Go module with a typed handler, its test, a program
that runs it on this machine, Terraform and a workflow for GitHub. It builds, tests and runs at once:

  eventdriver new ../orders --module=github.com/you/orders --sources=placed,paid,packed
  cd ../orders
  go test ./...
  go run ./cmd/local

The source of Event Driver is in the folder, as far as it is needed, so that the folder can be moved and
deployed. Run this in a clone of Event Driver, or in a module that requires it.`

func newNew(g *globals) *cobra.Command {
	var module string
	var sources []string
	c := &cobra.Command{
		Use: "new DIR --module PATH --sources NAME,NAME", Short: "Write a function of your own", Long: aboutNew,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			plan, err := project.NewPlan(module, sources)
			if err != nil {
				return err
			}
			if err := project.Write(c.Context(), args[0], plan); err != nil {
				return fails(err)
			}
			return g.printText(fmt.Sprintf("%[1]s has the function %[2]s, which joins %[3]s. Next:\n\n"+
				"  cd %[4]s\n  go test ./...\n  go run ./cmd/local\n",
				args[0], plan.Entry, strings.Join(plan.Sources, ", "), forCD(args[0])))
		},
	}
	c.Flags().StringVar(&module, "module", "", "the `path` of the module, as in github.com/you/orders")
	c.Flags().StringSliceVar(&sources, "sources", nil, "the `names` of the events to join, as in placed,paid,packed")
	return c
}

var plainInShell = regexp.MustCompile(`^[A-Za-z0-9_./][-A-Za-z0-9_./]*$`)

// forCD returns a folder's name as a shell's cd takes it.
func forCD(dir string) string {
	if plainInShell.MatchString(dir) {
		return dir
	}
	return "-- " + inShell(dir)
}
