package sim

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Bound says how far schedules are explored.
type Bound struct {
	Deviations int
	Faults     int
}

// Result is what came of an exploration.
type Result struct {
	Schedules int  // how many were run
	Doubled   int  // how many of them acted twice, in the one window where that may be
	Failure   *Run // the failing run with the shortest schedule of those tried first; nil: none fails
}

// Explore runs every schedule of a scenario within the bound, those with few
// deviations and faults first, and stops at the first that breaks what must be
// true.
func Explore(t *testing.T, s Scenario, bound Bound) Result {
	var result Result
	queues := make([][]Schedule, bound.Deviations+bound.Faults+1)
	queues[0] = []Schedule{nil}
	for weight := range queues {
		for len(queues[weight]) > 0 {
			last := len(queues[weight]) - 1
			schedule := queues[weight][last]
			queues[weight] = queues[weight][:last]
			run := Execute(t, s, schedule)
			result.count(run)
			if result.Failure != nil {
				return result
			}
			run.successors(bound, func(s Schedule, more int) {
				queues[weight+more] = append(queues[weight+more], s)
			})
		}
	}
	return result
}

// successors hands over the schedules that are this run's up to some place and
// then deviate once more, within the bound, and by how much.
func (run *Run) successors(bound Bound, add func(s Schedule, more int)) {
	var spent cost
	first := 0
	if n := len(run.Schedule); n > 0 {
		first = int(run.Schedule[n-1].At) + 1
	}
	for at, d := range run.taken {
		for number, c := range d.costs {
			fits := spent.deviations+c.deviations <= bound.Deviations && spent.faults+c.faults <= bound.Faults
			if more := c.deviations + c.faults; at >= first && more > 0 && fits {
				add(append(slices.Clone(run.Schedule), Choice{int32(at), int32(number)}), more)
			}
		}
		spent.deviations += d.costs[d.choice].deviations
		spent.faults += d.costs[d.choice].faults
	}
}

// Random runs n schedules, each with most deviations and faults, on average,
// at random places. The same seed gives the same schedules.
func Random(t *testing.T, s Scenario, seed uint64, n, most int) Result {
	random := rand.New(rand.NewPCG(seed, 0))
	var result Result
	for range n {
		var schedule Schedule
		for at := range int32(60) {
			if random.IntN(60) < most {
				schedule = append(schedule, Choice{at, random.Int32N(30)})
			}
		}
		result.count(Execute(t, s, schedule))
		if result.Failure != nil {
			break
		}
	}
	return result
}

func (r *Result) count(run Run) {
	r.Schedules++
	if run.effects > 1 {
		r.Doubled++
	}
	if len(run.Broken) > 0 {
		r.Failure = &run
	}
}
