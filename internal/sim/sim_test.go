package sim_test

import (
	"flag"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/internal/sim"
	"example.com/eventdriver/stores/memstore"
)

var (
	deviations = flag.Int("sim.deviations", 1, "how often a schedule may deviate")
	faults     = flag.Int("sim.faults", 1, "how many faults a schedule may have")
	random     = flag.Int("sim.random", 3000, "how many random schedules to run")
	seed       = flag.Uint64("sim.seed", 0, "the seed of the random schedules; 0: another each time")
	replay     = flag.String("sim.schedule", "", "a schedule to run and to show, as a failure prints it")
	twice      = flag.String("sim.twice", "event1", "which event is delivered twice, with -sim.schedule")
)

const lease = 3 * time.Second

// theRealThing is the pipeline as it is, and three events, the first of which is
// delivered twice.
func theRealThing() sim.Scenario {
	return sim.Scenario{
		Sources: []string{"event1", "event2", "event3", "event1"},
		Store:   func() sim.Stores { return memstore.New() },
		Pipeline: func(s sim.Stores, business driver.Handler) *driver.Pipeline {
			return driver.New(
				joiner.New(joiner.MatchAll("event1", "event2", "event3"), s),
				cache.New(s, cache.Lease(lease), cache.WaitOnHeld(0)),
				business,
			)
		},
		Lease: lease,
	}
}

// scenarios are the pipeline with each event delivered twice, waiting for held
// keys, and joining by the list of all events.
func scenarios() map[string]sim.Scenario {
	all := make(map[string]sim.Scenario)
	for _, source := range []string{"event1", "event2", "event3"} {
		s := theRealThing()
		s.Sources[3] = source
		all[source+" twice"] = s
	}
	waiting := theRealThing()
	waiting.Pipeline = func(s sim.Stores, business driver.Handler) *driver.Pipeline {
		return driver.New(theJoiner(s), cache.New(s, cache.Lease(lease), cache.WaitOnHeld(300*time.Millisecond)), business)
	}
	all["waiting for held keys"] = waiting
	listing := theRealThing()
	listing.Pipeline = func(s sim.Stores, business driver.Handler) *driver.Pipeline {
		return driver.New(joiner.New(joiner.Or(joiner.MatchAll("event1", "event2", "event3")), s), theCache(s), business)
	}
	all["listing"] = listing
	return all
}

func show(t *testing.T, result sim.Result) {
	t.Helper()
	t.Logf("%d schedules; in %d the business acted again, in the one window where that may be", result.Schedules, result.Doubled)
	if f := result.Failure; f != nil {
		t.Errorf("schedule %q breaks: %s\n%s", f.Schedule, strings.Join(f.Broken, "; "), strings.Join(f.Steps, "\n"))
	}
}

func TestExplore(t *testing.T) {
	for name, scenario := range scenarios() {
		t.Run(name, func(t *testing.T) {
			result := sim.Explore(t, scenario, sim.Bound{Deviations: *deviations, Faults: *faults})
			show(t, result)
			if result.Doubled == 0 && *faults > 0 {
				t.Error("no schedule crashed between the act and its completion: the explorer has lost its teeth")
			}
		})
	}
}

func TestRandom(t *testing.T) {
	number := *seed
	if number == 0 {
		number = uint64(time.Now().UnixNano())
	}
	for name, scenario := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Logf("-sim.seed=%d", number)
			show(t, sim.Random(t, scenario, number, *random/len(scenarios()), 6))
		})
	}
}

// TestReplay runs one schedule again:
//
//	go test ./internal/sim -run Replay -v -sim.twice=event1 -sim.schedule='13=4'
func TestReplay(t *testing.T) {
	if *replay == "" {
		t.Skip("no -sim.schedule was given")
	}
	schedule, err := sim.ParseSchedule(*replay)
	if err != nil {
		t.Fatal(err)
	}
	s := theRealThing()
	s.Sources[3] = *twice
	run := sim.Execute(t, s, schedule)
	t.Logf("%s\n%q", strings.Join(run.Steps, "\n"), run.Broken)
}

func TestTheSameScheduleIsTheSameRun(t *testing.T) {
	schedule, err := sim.ParseSchedule("3=5 9=6 13=4 20=15")
	if err != nil {
		t.Fatal(err)
	}
	first, second := sim.Execute(t, theRealThing(), schedule), sim.Execute(t, theRealThing(), schedule)
	if a, b := strings.Join(first.Steps, "\n"), strings.Join(second.Steps, "\n"); a != b || a == "" {
		t.Errorf("two runs differ:\n%s\n\n%s", a, b)
	}
	if again, err := sim.ParseSchedule(schedule.String()); err != nil || again.String() != schedule.String() {
		t.Errorf("%q became %q, %v", schedule, again, err)
	}
	for _, bad := range []string{"x", "1", "1=x", "2=1 1=1", "-1=1", "1=-1"} {
		if _, err := sim.ParseSchedule(bad); err == nil {
			t.Errorf("schedule %q is accepted", bad)
		}
	}
}
