// Command smoke tries the real thing: it applies an example of terraform/examples in a project of yours, publishes
// orders and an event that can never succeed, waits for what must come of them, has doctor look at it, and takes it down
// again, also when it fails, or is interrupted.
//
//	go run ./proof/cmd/smoke -project my-project-123
//
// It exits with 0 only if all was as it must be, and nothing is left. docs/how-to/smoke.md says more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"example.com/eventdriver/proof/instances"
	"example.com/eventdriver/proof/smoke"
)

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err == nil {
		o.Root, err = instances.Module(ctx)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "smoke: %v\nSee smoke -h.\n", err)
		os.Exit(2)
	}
	if err := smoke.Run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "smoke:", err)
		os.Exit(1)
	}
	if o.DryRun {
		fmt.Println("smoke: nothing was done")
		return
	}
	fmt.Println("smoke: passed")
}

// parse reads the command line, and checks all of it.
func parse(args []string) (o smoke.Options, err error) {
	o.In, o.Out = os.Stdin, os.Stdout
	f := flag.NewFlagSet("smoke", flag.ContinueOnError)
	f.StringVar(&o.Project, "project", "", "the `project` to deploy to")
	f.StringVar(&o.Region, "region", "", "the `region`; empty: europe-west1")
	f.StringVar(&o.Example, "example", smoke.Examples()[0], "which of terraform/examples: "+strings.Join(smoke.Examples(), ", "))
	f.BoolVar(&o.Keep, "keep", false, "take nothing down")
	f.BoolVar(&o.DryRun, "dry-run", false, "print the commands, and run none")
	f.BoolVar(&o.Yes, "yes", false, "do not ask")
	f.DurationVar(&o.Within, "within", 0, "how long the results may take to come; 0: 15 minutes")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return o, o.Check()
}
