// Command chaos runs several instances of the function, kills and stops them, cuts
// their connections to Cloud Storage, and checks that no order is lost and none is
// processed twice:
//
//	go run ./proof/cmd/chaos                                   10,000 orders
//	go run ./proof/cmd/chaos -orders 500 -kill-every 500ms
//
// It exits with 0 only if that is so. proof/chaos.md says what is run, and what the
// figures mean.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.com/eventdriver/proof/chaos"
	"example.com/eventdriver/proof/charts"
)

func main() {
	c, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "chaos: %v\nSee chaos -h.\n", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	passed, err := run(ctx, c)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
	}
	if err != nil || !passed {
		os.Exit(1)
	}
}

// command is the command line.
type command struct {
	chaos.Options
	charts.Files
}

// parse reads the command line, and checks all of it.
func parse(args []string) (c command, err error) {
	c.Options = chaos.Default()
	f := flag.NewFlagSet("chaos", flag.ContinueOnError)
	f.Uint64Var(&c.Seed, "seed", 0, "of the choices; 0 takes one, and prints it")
	f.IntVar(&c.Orders, "orders", c.Orders, "how many orders, in all")
	f.Float64Var(&c.Rate, "rate", c.Rate, "orders that are published in a second, at most; 0: as many as get through")
	f.IntVar(&c.PerRound, "per-round", c.PerRound, "orders for which there is one bucket")
	f.DurationVar((*time.Duration)(&c.For), "for", 0, "begin no new round after this time, even if not all orders have come; 0: no limit")
	rounds := f.Int("rounds", 0, "how many buckets; 0: as many as -per-round makes of -orders")
	f.IntVar(&c.Instances, "instances", c.Instances, "how many instances of the function there are at a time")
	every := func(name string, d *chaos.Duration, what string) {
		f.DurationVar((*time.Duration)(d), name, time.Duration(*d), what+", on average; 0: never")
	}
	every("kill-every", &c.KillEvery, "an instance is killed with SIGKILL")
	every("pause-every", &c.PauseEvery, "an instance is stopped with SIGSTOP, and continued later")
	every("cut-every", &c.CutEvery, "an instance is cut off from Cloud Storage")
	every("slow-every", &c.SlowEvery, "an instance's Cloud Storage gets slow")
	f.DurationVar((*time.Duration)(&c.Lease), "lease", time.Duration(c.Lease), "the function's LEASE")
	f.Float64Var(&c.Duplicates, "duplicates", c.Duplicates, "how many more times each event is published, on average")
	f.Float64Var(&c.Lose, "lose", c.Lose, "share of the store's requests whose answer is lost; as many are refused")
	f.Float64Var(&c.Fail, "fail", c.Fail, "share of the business's runs that fail; every third of them panics")
	f.Float64Var(&c.Long, "long", c.Long, "share of the business's runs that last longer than the lease")
	f.StringVar(&c.Logs, "logs", "", "a folder for the logs of the instances, one file each")
	c.Flags(f)
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if f.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if *rounds < 0 || *rounds > max(c.Orders, 0) {
		return c, fmt.Errorf("-rounds must be from 1 to the number of orders, or 0; it is %d", *rounds)
	}
	if *rounds > 0 {
		c.PerRound = (c.Orders + *rounds - 1) / *rounds
	}
	if c.Seed == 0 {
		c.Seed = 1 + rand.Uint64N(1_000_000)
	}
	return c, errors.Join(c.Options.Check(), c.Files.Check()) // now rather than after half an hour
}

func run(ctx context.Context, c command) (passed bool, err error) {
	o := c.Options
	if o.Logs != "" {
		if err := os.MkdirAll(o.Logs, 0o755); err != nil {
			return false, err
		}
	}
	fmt.Printf("chaos: seed %d, %d orders, %d instances; the function is built first\n", o.Seed, o.Orders, o.Instances)
	o.Say = func(line string) { fmt.Println(line) }
	result, err := chaos.Run(ctx, o)
	if err != nil {
		return false, err
	}
	result.WriteText(os.Stdout)
	return result.Passed(), c.Write(result)
}
