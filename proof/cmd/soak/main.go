// Command soak runs the function at a fixed rate for minutes. It checks that memory,
// goroutines, connections and open files stay flat, and that the function leaves nothing
// when it ends:
//
//	go run ./proof/cmd/soak                          5 minutes
//	go run ./proof/cmd/soak -for 1h -rate 20
//
// It exits with 0 only if that is so. proof/chaos.md says how it is judged.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"example.com/eventdriver/proof/charts"
	"example.com/eventdriver/proof/soak"
)

func main() {
	c, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "soak: %v\nSee soak -h.\n", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	passed, err := run(ctx, c)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
	}
	if err != nil || !passed {
		os.Exit(1)
	}
}

// command is the command line.
type command struct {
	soak.Options
	charts.Files
}

// parse reads the command line, and checks all of it.
func parse(args []string) (c command, err error) {
	c.Options = soak.Default()
	f := flag.NewFlagSet("soak", flag.ContinueOnError)
	f.DurationVar(&c.For, "for", c.For, "how long")
	f.Float64Var(&c.Rate, "rate", c.Rate, "orders a second, of three events and a late duplicate")
	f.DurationVar(&c.Every, "every", c.Every, "the time between two samples of the process")
	f.StringVar(&c.Store, "store", c.Store, "where the function keeps its state: gcs or memory")
	c.Flags(f)
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if f.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return c, errors.Join(c.Options.Check(), c.Files.Check()) // now rather than after an hour
}

func run(ctx context.Context, c command) (passed bool, err error) {
	o := c.Options
	fmt.Printf("soak: %v at %v orders a second, store %s; the function is built first\n", o.For, o.Rate, o.Store)
	o.Say = func(line string) { fmt.Println(line) }
	result, err := soak.Run(ctx, o)
	if err != nil {
		return false, err
	}
	result.WriteText(os.Stdout)
	return result.Passed(), c.Write(result)
}
