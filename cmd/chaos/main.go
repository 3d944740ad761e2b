// Command chaos runs several instances of the function, kills and stops them, cuts
// their connections to Cloud Storage, and checks that no order is lost and none is
// processed twice:
//
//	go run ./cmd/chaos                                   10,000 orders
//	go run ./cmd/chaos -orders 500 -kill-every 500ms
//
// It exits with 0 only if that is so. docs/chaos.md says what is run, and what the
// figures mean.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.com/eventdriver/internal/chaos"
	"example.com/eventdriver/internal/timeline"
)

func main() {
	o := chaos.Default()
	flag.Uint64Var(&o.Seed, "seed", 0, "of the choices; 0 takes one, and prints it")
	flag.IntVar(&o.Orders, "orders", o.Orders, "how many orders, in all")
	flag.IntVar(&o.PerRound, "per-round", o.PerRound, "orders for which there is one bucket")
	rounds := flag.Int("rounds", 0, "how many buckets; 0: as many as -per-round makes of -orders")
	flag.IntVar(&o.Instances, "instances", o.Instances, "how many instances of the function there are at a time")
	every := func(name string, d *chaos.Duration, what string) {
		flag.DurationVar((*time.Duration)(d), name, time.Duration(*d), what+", on average; 0: never")
	}
	every("kill-every", &o.KillEvery, "an instance is killed with SIGKILL")
	every("pause-every", &o.PauseEvery, "an instance is stopped with SIGSTOP, and continued later")
	every("cut-every", &o.CutEvery, "an instance is cut off from Cloud Storage")
	every("slow-every", &o.SlowEvery, "an instance's Cloud Storage gets slow")
	flag.DurationVar((*time.Duration)(&o.Lease), "lease", time.Duration(o.Lease), "the function's LEASE")
	flag.Float64Var(&o.Duplicates, "duplicates", o.Duplicates, "how many more times each event is published, on average")
	flag.Float64Var(&o.Lose, "lose", o.Lose, "share of the store's requests whose answer is lost; as many are refused")
	flag.Float64Var(&o.Fail, "fail", o.Fail, "share of the business's runs that fail; each third panics")
	flag.Float64Var(&o.Long, "long", o.Long, "share of the business's runs that last longer than the lease")
	flag.StringVar(&o.Logs, "logs", "", "a folder for the logs of the instances, one file each")
	report := flag.String("report", "", "a file for the report, in JSON")
	plot := flag.String("plot", "", "a file for the drawing, in SVG")
	flag.Parse()
	if flag.NArg() > 0 {
		usage(fmt.Errorf("unexpected argument %q", flag.Arg(0)))
	}
	if *rounds < 0 || *rounds > max(o.Orders, 0) {
		usage(fmt.Errorf("-rounds must be from 1 to the number of orders, or 0; it is %d", *rounds))
	}
	if *rounds > 0 {
		o.PerRound = (o.Orders + *rounds - 1) / *rounds
	}
	if err := o.Check(); err != nil {
		usage(err)
	}
	if o.Seed == 0 {
		o.Seed = 1 + rand.Uint64N(1_000_000)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	passed, err := run(ctx, o, *report, *plot)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
	}
	if err != nil || !passed {
		stop()
		os.Exit(1)
	}
}

func usage(err error) {
	fmt.Fprintf(os.Stderr, "chaos: %v\nSee chaos -h.\n", err)
	os.Exit(2)
}

func run(ctx context.Context, o chaos.Options, report, plot string) (passed bool, err error) {
	if err := timeline.CanWrite(report, plot); err != nil { // rather now than after half an hour
		return false, err
	}
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
	if err := timeline.WriteFile(report, result.WriteJSON); err != nil {
		return false, err
	}
	return result.Passed(), timeline.WriteFile(plot, func(w io.Writer) error {
		_, err := result.Chart().WriteTo(w)
		return err
	})
}
