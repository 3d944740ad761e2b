// Command bench measures this project on one machine, in one run, beside the floor and beside
// alternatives, and writes docs/performance.md with its charts. It takes a quarter of an hour:
//
//	go run . -page ../docs/performance.md
//	go run . -quick -page /tmp/performance.md     a minute, to see that everything works
//	go run . -only function -page /tmp/page.md    a part alone
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"example.com/eventdriver/bench/sample"
)

func main() {
	r := run{out: os.Stdout}
	page := flag.String("page", "", "the file to write")
	only := flag.String("only", "", "a part to run alone: "+strings.Join(partNames(), ", "))
	flag.BoolVar(&r.quick, "quick", false, "measure little, to see that everything works")
	flag.IntVar(&r.rounds, "rounds", sample.Rounds, "how often each is measured")
	flag.Parse()
	if *page == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "bench: name the -page to write, and nothing else; see -h")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := r.page(ctx, *page, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// part measures one thing.
type part struct {
	name string
	run  func(context.Context, *run) (section, error)
}

var parts = []part{
	{"inprocess", inProcess},
	{"cloud", onCloud},
	{"function", throughput},
	{"coldstart", coldStart},
	{"growth", growth},
}

func partNames() (names []string) {
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

// page runs the parts, or one of them, and writes the page.
func (r *run) page(ctx context.Context, file, only string) error {
	remove, err := r.build(ctx)
	if err != nil {
		return err
	}
	defer remove()
	var sections []section
	for _, p := range parts {
		if only != "" && only != p.name {
			continue
		}
		begun := time.Now()
		r.say("%s:", p.name)
		s, err := p.run(ctx, r)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		r.say("%s took %v", p.name, time.Since(begun).Round(time.Second))
		sections = append(sections, s)
	}
	return writePage(file, r.head(), sections)
}
