package sim

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Bound says how far schedules are explored: how many deviations and how many
// faults each may have, and how many of both together.
type Bound struct{ Deviations, Faults, Together int }

func (b Bound) allows(c cost) bool {
	return int(c.deviations) <= b.Deviations && int(c.faults) <= b.Faults && c.weight() <= b.Together
}

// Result is what came of an exploration.
type Result struct {
	Schedules int  // how many were run
	Doubled   int  // how many of them acted twice, in the one window where that may be
	Refused   int  // in how many a late effect was refused for its token
	Failure   *Run // the first that broke a promise, without its steps; nil: none did
}

// Explore runs every schedule of a scenario within the bound, those with few
// deviations and faults first. It stops at the first run that breaks a promise and
// for which wanted returns true; nil wants every such run.
func Explore(t *testing.T, s Scenario, bound Bound, wanted func(Run) bool) Result {
	var result Result
	queues := make([][]planned, bound.Together+1)
	queues[0] = []planned{{}}
	for weight := range queues {
		for len(queues[weight]) > 0 {
			last := len(queues[weight]) - 1
			next := queues[weight][last]
			queues[weight] = queues[weight][:last]
			run := execute(t, s, next.schedule, false)
			if !run.follows(next) {
				run.Broken = []string{notDeterministic}
				result.Failure = &run
				return result
			}
			if result.count(run, wanted); result.Failure != nil {
				return result
			}
			run.successors(bound, func(p planned, more int) {
				queues[weight+more] = append(queues[weight+more], p)
			})
		}
	}
	return result
}

const notDeterministic = "the same choices led to something else than before: the exploration is not deterministic"

// planned is a schedule, and the sum of all choices that its run must have had up to the
// last deviation. Another sum shows that a run depends on more than its schedule.
type planned struct {
	schedule Schedule
	sum      uint64 // 0: not known
}

// follows says whether a run had the choices that were expected.
func (run *Run) follows(p planned) bool {
	if p.sum == 0 {
		return true
	}
	at := int(p.schedule[len(p.schedule)-1].At)
	return at < len(run.taken) && run.taken[at].sum == p.sum
}

// successors calls add with each schedule that follows this run up to some place and
// then deviates once more, within the bound; more is the weight of that deviation.
func (run *Run) successors(bound Bound, add func(p planned, more int)) {
	var spent cost
	first := 0
	if n := len(run.Schedule); n > 0 {
		first = int(run.Schedule[n-1].At) + 1
	}
	for at, d := range run.taken {
		for number, c := range d.costs {
			if at >= first && c.weight() > 0 && bound.allows(spent.plus(c)) {
				add(planned{append(slices.Clone(run.Schedule), Choice{int32(at), int32(number)}), d.sum}, c.weight())
			}
		}
		spent = spent.plus(d.costs[d.choice])
	}
}

// Random runs n schedules with deviations and faults at random places; most is how many
// of them a schedule has on average. The same seed gives the same schedules.
func Random(t *testing.T, s Scenario, seed uint64, n, most int) Result {
	random := rand.New(rand.NewPCG(seed, 0))
	var result Result
	places := int32(len(Execute(t, s, nil).taken) * 3 / 2)
	for i := range n {
		var schedule Schedule
		for at := range places {
			if random.Int32N(places) < int32(most) {
				schedule = append(schedule, Choice{at, random.Int32N(30)})
			}
		}
		run := execute(t, s, schedule, false)
		if i%10 == 0 {
			if again := execute(t, s, schedule, false); again.end() != run.end() {
				run.Broken = append(run.Broken, notDeterministic)
			}
		}
		if result.count(run, nil); result.Failure != nil {
			break
		}
	}
	return result
}

// end is the sum of the whole run.
func (run *Run) end() uint64 {
	if len(run.taken) == 0 {
		return 0
	}
	return run.taken[len(run.taken)-1].sum
}

func (r *Result) count(run Run, wanted func(Run) bool) {
	r.Schedules++
	if run.doubled {
		r.Doubled++
	}
	if run.refused > 0 {
		r.Refused++
	}
	if len(run.Broken) > 0 && (wanted == nil || wanted(run)) {
		r.Failure = &run
	}
}

// Shrink removes choices from a failing schedule, one at a time, for as long as the run
// stays broken.
func Shrink(t *testing.T, s Scenario, failing Run) Run {
	for i := 0; i < len(failing.Schedule); {
		shorter := slices.Delete(slices.Clone(failing.Schedule), i, i+1)
		if run := execute(t, s, shorter, false); len(run.Broken) > 0 {
			failing, i = run, 0
		} else {
			i++
		}
	}
	again := Execute(t, s, failing.Schedule)
	if len(again.Broken) == 0 {
		again.Broken = append(failing.Broken, "but not when it was run again: the explorer is not deterministic")
	}
	return again
}
