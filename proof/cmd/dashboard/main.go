// Command dashboard draws the picture of the dashboard, docs/how-to/dashboard.svg, from terraform/dashboard.json and
// the recording of a run:
//
//	go run ./proof/cmd/dashboard
//
// With -record it first records a run anew, which takes as long as -for says.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"example.com/eventdriver/proof/dashboard"
	"example.com/eventdriver/proof/instances"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	record := flag.Bool("record", false, "record a run anew")
	options := dashboard.Options{Say: func(line string) { fmt.Println(line) }}
	flag.DurationVar(&options.For, "for", 24*time.Minute, "how long the run takes")
	flag.Float64Var(&options.Rate, "rate", 1.5, "orders a second")
	flag.Parse()
	module, err := instances.Module(ctx)
	if err != nil {
		return err
	}
	if *record {
		if err := recordAnew(ctx, module, options); err != nil {
			return err
		}
	}
	board, recording, err := dashboard.Open(module)
	if err != nil {
		return err
	}
	picture, err := board.Picture(recording)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(module, dashboard.Drawn), picture, 0o644)
}

func recordAnew(ctx context.Context, module string, options dashboard.Options) error {
	template, err := os.ReadFile(filepath.Join(module, dashboard.Template))
	if err != nil {
		return err
	}
	board, err := dashboard.ParseBoard(template)
	if err != nil {
		return err
	}
	options.Metrics = board.Metrics()
	recording, err := dashboard.Record(ctx, options)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := recording.Write(&text); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(module, dashboard.Recorded), text.Bytes(), 0o644)
}
