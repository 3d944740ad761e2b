// Package sim runs pipelines step by step, and tries what can come between.
//
// It runs the project's own code, no copy or model of it: several deliveries at
// once, each at an instance of its own, on one store. Every operation on the store,
// and the business's act, waits at a gate until a scheduler lets one of them go.
// Time is that of testing/synctest: it stands still while anything can run, so that
// a run depends on nothing but its schedule.
//
// A schedule is the list of the scheduler's choices. Choice 0 goes on with the
// event that had the last step, or else with the first that waits. Any other is a
// deviation: an operation of another event, or another operation of the same; a
// long pause in which leases run out; or, with the operation that is let go, a
// fault: it fails, its answer is lost, or the instance crashes before or after it.
// [Explore] runs every schedule with up to a number of deviations and faults.
package sim

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
)

// Outcome is what becomes of an operation that is let go.
type Outcome int

// The outcomes.
const (
	Succeed Outcome = iota
	FailBefore
	LoseAnswer // it is done, and the caller is told that it failed
	CrashBefore
	CrashAfter
)

var outcomeNames = [...]string{"", ", which fails", ", whose answer is lost", ", before which it crashes", ", after which it crashes"}

// Scenario is what is explored.
type Scenario struct {
	// Sources are the sources of the events, each of which is delivered; a source
	// that stands there twice is delivered twice.
	Sources []string
	// Store makes an empty store.
	Store func() Stores
	// Pipeline makes the pipeline of an instance. Its leases must be of the length
	// Lease.
	Pipeline func(s Stores, business driver.Handler) *driver.Pipeline
	// Lease is how long a claim lasts.
	Lease time.Duration
}

// Schedule says where the scheduler does not make choice 0, in the order of places.
type Schedule []Choice

// Choice is a choice of the scheduler: at the place At, counted from 0, the one
// with the number Number.
type Choice struct{ At, Number int32 }

// String returns the schedule as [ParseSchedule] reads it: "3=1 7=12".
func (s Schedule) String() string {
	parts := make([]string, len(s))
	for i, c := range s {
		parts[i] = fmt.Sprintf("%d=%d", c.At, c.Number)
	}
	return strings.Join(parts, " ")
}

// ParseSchedule reads what String has written.
func ParseSchedule(text string) (Schedule, error) {
	var s Schedule
	for _, part := range strings.Fields(text) {
		at, number, _ := strings.Cut(part, "=")
		place, errPlace := strconv.ParseUint(at, 10, 31)
		choice, errChoice := strconv.ParseUint(number, 10, 31)
		c := Choice{At: int32(place), Number: int32(choice)}
		if errPlace != nil || errChoice != nil {
			return nil, fmt.Errorf("sim: schedule %q: %q is not a place and a choice, as in 3=1", text, part)
		}
		if len(s) > 0 && c.At <= s[len(s)-1].At {
			return nil, fmt.Errorf("sim: schedule %q: the places must grow", text)
		}
		s = append(s, c)
	}
	return s, nil
}

// at returns the choice at a place.
func (s Schedule) at(place int) int {
	for _, c := range s {
		if int(c.At) == place {
			return int(c.Number)
		}
	}
	return 0
}

// Bounds of a run: more steps or a longer (fake) time are taken as an order that
// is never completed.
const (
	maxSteps = 400
	maxTime  = time.Hour
	backoff  = time.Second            // before an event is delivered again
	tick     = 100 * time.Millisecond // how far time goes when nothing else can
)

// Run is what came of a schedule.
type Run struct {
	Schedule Schedule
	Broken   []string // what must be true and was not
	Steps    []string // what happened
	effects  int
	taken    []decision
}

// decision is a place in a run where the scheduler chose.
type decision struct {
	choice int
	costs  []cost // of each choice
}

type cost struct{ deviations, faults int }

// Execute runs one schedule of a scenario. Choices beyond its end are 0, and so are
// those that are not possible.
func Execute(t *testing.T, s Scenario, schedule Schedule) Run {
	run := Run{Schedule: schedule}
	synctest.Test(t, func(t *testing.T) {
		v := &verifier{sources: s.Sources, claims: make(map[int64]*claimState)}
		g := &gate{inner: s.Store(), verify: v}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var deliveries sync.WaitGroup
		acknowledged := make([]bool, len(s.Sources))
		for i, source := range s.Sources {
			deliveries.Go(func() { acknowledged[i] = deliver(ctx, s, g, i, source) })
		}
		run.schedule(g, s)
		cancel() // ends what is still under way, if it was too long
		deliveries.Wait()

		for i, ok := range acknowledged {
			if !ok {
				v.violated("event %d was never acknowledged", i+1)
			}
		}
		if len(v.effects) == 0 {
			v.violated("every event was acknowledged, and nothing was done: the order is lost")
		}
		run.Broken, run.effects = v.broken, len(v.effects)
	})
	return run
}

// deliver delivers an event until it is acknowledged, at another instance each
// time. It says whether it was.
func deliver(ctx context.Context, s Scenario, g *gate, event int, source string) bool {
	for number := 1; ctx.Err() == nil; number++ {
		a := &attempt{event: event, number: number}
		m := driver.Message{ID: source, Key: "key", Source: source, Content: []byte(`1`)}
		err := s.Pipeline(g, g).Process(context.WithValue(ctx, attemptKey{}, a), m)
		if err == nil && !a.crashed {
			return true
		}
		select {
		case <-time.After(backoff):
		case <-ctx.Done():
		}
	}
	return false
}

// schedule lets operations go until none comes any more.
func (run *Run) schedule(g *gate, s Scenario) {
	start, last := time.Now(), -1
	for idle := time.Duration(0); ; {
		synctest.Wait()
		pending := g.pending()
		switch {
		case len(run.taken) >= maxSteps || time.Since(start) > maxTime:
			return
		case len(pending) == 0 && idle > 2*s.Lease+2*backoff:
			return
		case len(pending) == 0:
			time.Sleep(tick)
			idle += tick
			continue
		}
		idle = 0
		r, outcome := run.choose(pending, last)
		if r == nil {
			run.Steps = append(run.Steps, "time passes until leases run out")
			time.Sleep(s.Lease + tick)
			continue
		}
		run.Steps = append(run.Steps, r.String()+outcomeNames[outcome])
		last = r.by.event
		g.remove(r)
		r.resume <- outcome
	}
}

// choose makes the next choice of the schedule: which operation to let go, and
// what becomes of it, or nil to let time pass.
func (run *Run) choose(pending []*request, last int) (*request, Outcome) {
	first := 0
	for i, r := range pending {
		if r.by.event == last {
			first = i
			break
		}
	}
	pending[0], pending[first] = pending[first], pending[0]

	const outcomes = int(CrashAfter) + 1
	d := decision{costs: make([]cost, 0, len(pending)*outcomes+1)}
	for i, r := range pending {
		for o := range outcomes {
			c := cost{deviations: min(i, 1), faults: min(o, 1)}
			if Outcome(o) == LoseAnswer && r.op == "Act" {
				c.faults = never // a business that acts and says that it failed is not ours to mend
			}
			d.costs = append(d.costs, c)
		}
	}
	d.costs = append(d.costs, cost{deviations: 1})
	if choice := run.Schedule.at(len(run.taken)); choice < len(d.costs) && d.costs[choice].faults < never {
		d.choice = choice
	}
	run.taken = append(run.taken, d)
	if d.choice == len(d.costs)-1 {
		return nil, Succeed
	}
	return pending[d.choice/outcomes], Outcome(d.choice % outcomes)
}

// never is the cost of what is not to be tried.
const never = 1 << 20
