// Command soak runs the function at a fixed rate for minutes, and checks that its
// memory, goroutines, connections and open files stay flat, and that it leaves
// nothing when it ends:
//
//	go run ./cmd/soak                          5 minutes
//	go run ./cmd/soak -for 1h -rate 20
//
// It exits with 0 only if that is so. docs/chaos.md says how it is judged.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"example.com/eventdriver/internal/soak"
	"example.com/eventdriver/internal/timeline"
)

func main() {
	o := soak.Default()
	flag.DurationVar(&o.For, "for", o.For, "how long")
	flag.Float64Var(&o.Rate, "rate", o.Rate, "orders a second, of three events and a late duplicate")
	flag.DurationVar(&o.Every, "every", o.Every, "how often the process is looked at")
	flag.StringVar(&o.Store, "store", o.Store, "where the function keeps its state: gcs or memory")
	report := flag.String("report", "", "a file for the report, in JSON")
	plot := flag.String("plot", "", "a file for the drawing, in SVG")
	flag.Parse()
	if flag.NArg() > 0 {
		usage(fmt.Errorf("unexpected argument %q", flag.Arg(0)))
	}
	if err := o.Check(); err != nil {
		usage(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	passed, err := run(ctx, o, *report, *plot)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
	}
	if err != nil || !passed {
		stop()
		os.Exit(1)
	}
}

func usage(err error) {
	fmt.Fprintf(os.Stderr, "soak: %v\nSee soak -h.\n", err)
	os.Exit(2)
}

func run(ctx context.Context, o soak.Options, report, plot string) (passed bool, err error) {
	if err := timeline.CanWrite(report, plot); err != nil { // rather now than after an hour
		return false, err
	}
	fmt.Printf("soak: %v at %v orders a second, store %s; the function is built first\n", o.For, o.Rate, o.Store)
	o.Say = func(line string) { fmt.Println(line) }
	result, err := soak.Run(ctx, o)
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
