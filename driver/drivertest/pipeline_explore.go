package drivertest

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"

	"example.com/eventdriver/driver"
)

const (
	allOrdersOf   = 4    // events; of more, some orders are taken
	someOrders    = 24   // how many
	interleavings = 100  // runs with all deliveries at the same time
	defaultRuns   = 2000 // at most, of ten events or fewer
	fewRuns       = 100  // at most, of many
)

// runsOf is how many runs of that many events are made by default. The time that a run takes grows with
// the square of the events.
func runsOf(events int) int {
	return max(fewRuns, min(defaultRuns, defaultRuns*100/(events*events)))
}

// explorer makes the runs of one call of [Pipeline].
type explorer struct {
	Exploration
	build     func(*Env) *driver.Pipeline
	events    []driver.Message
	conflicts map[origin]bool // of which the events differ in content
	random    *rand.Rand

	number    int  // of the runs so far
	left      int  // runs that were left out, beyond the limit
	sampled   bool // orders were left out
	acted     map[string]bool
	reference map[string]reference // by the act's key, and what its content depends on
}

// origin is where an event is from.
type origin struct{ key, source string }

// reference is the content on which an act was done first, and in which run.
type reference struct {
	content string
	plan    plan
}

func newExplorer(x Exploration, build func(*Env) *driver.Pipeline, events []driver.Message) *explorer {
	x.Runs, x.Seed = cmp.Or(x.Runs, runsOf(max(len(events), 1))), cmp.Or(x.Seed, 1)
	e := &explorer{
		Exploration: x,
		build:       build,
		events:      events,
		conflicts:   make(map[origin]bool),
		random:      rand.New(rand.NewPCG(x.Seed, 0)),
		acted:       make(map[string]bool),
		reference:   make(map[string]reference),
	}
	content := make(map[origin]string)
	for _, m := range events {
		from := origin{m.Key, m.Source}
		if first, ok := content[from]; ok && first != string(m.Content) {
			e.conflicts[from] = true
		}
		content[from] = string(m.Content)
	}
	return e
}

// explore makes the runs, the simple ones first, and returns the first that breaks what must be
// true.
func (e *explorer) explore(t *testing.T) *run {
	t.Helper()
	if len(e.events) == 0 {
		t.Fatal("drivertest: there are no events to deliver")
	}
	var further []plan
	for i, order := range e.orders() {
		for _, fresh := range []bool{false, true} {
			r := e.execute(t, plan{order: order, fresh: fresh})
			if len(r.broken) > 0 {
				return r
			}
			if fresh {
				continue
			}
			further = append(further, r.faulted()...)
			if i == 0 {
				if r := e.failingBusiness(t, r, &further); r != nil {
					return r
				}
			}
		}
		further = append(further, withDuplicates(order, len(e.events))...)
	}
	further = append(further, e.atOnce()...)
	for _, p := range e.sample(further) {
		if r := e.execute(t, p); len(r.broken) > 0 {
			return r
		}
	}
	return e.neverActed()
}

// orders returns the orders of the events, the given one first.
func (e *explorer) orders() [][]int {
	given := make([]int, len(e.events))
	for i := range given {
		given[i] = i
	}
	if len(given) <= allOrdersOf {
		return permutations(given)
	}
	orders := [][]int{given, slices.Clone(given)}
	slices.Reverse(orders[1])
	for len(orders) < someOrders {
		orders = append(orders, e.random.Perm(len(given)))
	}
	e.sampled = true
	return orders
}

// permutations returns all orders of the numbers, the given one first.
func permutations(of []int) [][]int {
	if len(of) == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for i, first := range of {
		for _, rest := range permutations(slices.Delete(slices.Clone(of), i, i+1)) {
			all = append(all, append([]int{first}, rest...))
		}
	}
	return all
}

// withDuplicates returns the order with each event a second time, at each place.
func withDuplicates(order []int, events int) []plan {
	var plans []plan
	for event := range events {
		for at := range len(order) + 1 {
			if at > 0 && order[at-1] == event {
				continue // the same as one place before
			}
			twice := slices.Insert(slices.Clone(order), at, event)
			plans = append(plans, plan{order: twice}, plan{order: twice, fresh: true})
		}
	}
	return plans
}

// faulted returns the run's plan with each fault at each of its steps.
func (r *run) faulted() []plan {
	var plans []plan
	for i, kind := range r.steps {
		for _, mode := range modes[kind] {
			p := r.plan.with(i+1, mode)
			plans = append(plans, p)
			p.soon = true
			plans = append(plans, p)
		}
	}
	return plans
}

// failingBusiness has the business go wrong in a run, and plans one more fault after that.
func (e *explorer) failingBusiness(t *testing.T, base *run, further *[]plan) *run {
	first := slices.Index(base.steps, acts)
	if first < 0 {
		return nil
	}
	for _, mode := range modes[acts] {
		r := e.execute(t, base.plan.with(first+1, mode))
		if len(r.broken) > 0 {
			return r
		}
		for i, kind := range r.steps[first+1:] {
			for _, second := range modes[kind] {
				if kind != acts || second != crashAfter { // which would be the third act
					*further = append(*further, r.plan.with(first+i+2, second))
				}
			}
		}
	}
	return nil
}

// atOnce returns plans with all deliveries, of each event two, at the same time.
func (e *explorer) atOnce() []plan {
	var plans []plan
	for i := range interleavings {
		twice := append(e.random.Perm(len(e.events)), e.random.Perm(len(e.events))...)
		p := plan{order: twice, seed: uint64(i + 1), fresh: i%4 > 1}
		if i%2 == 1 {
			p = p.with(1+e.random.IntN(8*len(twice)), []mode{fails, loses, crashBefore, crashAfter}[e.random.IntN(4)])
		}
		plans = append(plans, p)
	}
	return plans
}

// sample returns as many of the plans as may still be run, in their order.
func (e *explorer) sample(plans []plan) []plan {
	left := max(e.Runs-e.number, 0)
	if len(plans) <= left {
		return plans
	}
	e.left = len(plans) - left
	chosen := e.random.Perm(len(plans))[:left]
	slices.Sort(chosen)
	sample := make([]plan, left)
	for i, n := range chosen {
		sample[i] = plans[n]
	}
	return sample
}

// neverActed returns a run that says so if, with MayWait, a key has acted in no run.
func (e *explorer) neverActed() *run {
	for _, m := range e.events {
		if !e.acted[m.Key] {
			r := &run{number: e.number, plan: plan{order: []int{0}}}
			r.violated("the business acted for %q in no run", m.Key)
			return r
		}
	}
	return nil
}

// replay makes one run and tells its story.
func (e *explorer) replay(t *testing.T, p plan) {
	t.Helper()
	given := e.execute(t, plan{order: e.orders()[0]}) // to compare with
	r := given
	if p.String() != given.plan.String() {
		r = e.execute(t, p)
	}
	if len(r.broken) > 0 {
		t.Fatal(r.report(t.Name()))
	}
	for _, line := range r.story {
		t.Log(line)
	}
	t.Logf("the schedule %q breaks nothing", p)
}

func (e *explorer) summary() string {
	text := fmt.Sprintf("%d runs, and the business acted once for each key in all of them", e.number)
	if e.sampled {
		text += fmt.Sprintf("; in %d of the orders", someOrders)
	}
	if e.left > 0 {
		text += fmt.Sprintf("; %d more were left out", e.left)
	}
	return fmt.Sprintf("%s; seed %d", text, e.Seed)
}

// quiet keeps what runs log with their context out of the log, until restore is called:
// thousands of runs in which something goes wrong would bury what others log.
func quiet() (restore func()) {
	before, output, flags := slog.Default(), log.Writer(), log.Flags()
	set := func(l *slog.Logger) {
		slog.SetDefault(l)
		log.SetOutput(output) // which SetDefault may have led to the logger
		log.SetFlags(flags)
	}
	set(slog.New(outside{before.Handler()}))
	return func() { set(before) }
}

// outside handles what is logged outside of runs.
type outside struct{ slog.Handler }

func (h outside) Handle(ctx context.Context, r slog.Record) error {
	if attemptFrom(ctx) != nil {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h outside) WithAttrs(attrs []slog.Attr) slog.Handler {
	return outside{h.Handler.WithAttrs(attrs)}
}

func (h outside) WithGroup(name string) slog.Handler { return outside{h.Handler.WithGroup(name)} }
