package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"example.com/eventdriver/proof/instances"
)

// run is all rounds.
type run struct {
	options   Options
	program   string
	chronicle *chronicle
	report    *Report
}

// Run runs the function as the options say, and reports. An error means that the run
// could not be made; faults of the function are in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "chaos")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	program, err := instances.Build(ctx, folder, instances.Program{Business: "proof/chaos/business/business.go", Replace: o.Replace})
	if err != nil {
		return nil, err
	}
	r := &run{options: o, program: program, chronicle: newChronicle(), report: &Report{Options: o}}
	for n := 1; r.report.Orders < o.Orders; n++ {
		if err := r.round(n).do(ctx); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, errors.New("interrupted")
		}
		r.report.Rounds = n
		r.say()
		if !r.report.Passed() { // more rounds would only hide it
			break
		}
		if o.For > 0 && time.Since(r.chronicle.start) > time.Duration(o.For) {
			break
		}
	}
	r.report.finish(r.chronicle)
	return r.report, nil
}

// round returns the next round, with orders of its own.
func (r *run) round(number int) *round {
	next := &round{run: r, number: number}
	for i := range min(r.options.PerRound, r.options.Orders-r.report.Orders) {
		next.keys = append(next.keys, fmt.Sprintf("order-%d", r.report.Orders+i+1))
	}
	return next
}

func (r *run) say() {
	if r.options.Say != nil {
		r.options.Say(fmt.Sprintf("%6.0f s: %d orders, %d applied, %d kills, %d pauses, %d repeats, %d zombies refused",
			time.Since(r.chronicle.start).Seconds(), r.report.Orders, r.report.Applied, r.chronicle.count(killAnytime, killHolder, killActed),
			r.chronicle.count(stopAnytime, stopHolder, stopActed), r.report.Repeats, r.report.Stale))
	}
}
