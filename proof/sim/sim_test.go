package sim_test

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/eventdriver/internal/repo/prove"
	"example.com/eventdriver/proof/sim"
)

var (
	fully    = flag.Bool("sim.fully", false, "explore to the larger bound of each scenario")
	together = flag.Int("sim.together", ifProved(10, 1), "explore to so many deviations and faults together, if the bound is not smaller")
	first    = flag.Bool("sim.first", false, "stop when a scenario fails")
	random   = flag.Int("sim.random", ifProved(100, 20), "how many random schedules of each scenario to run")
	seed     = flag.Uint64("sim.seed", 0, "the seed of the random schedules, 0: another each time; with -sim.every the first mutant")
	replayed = flag.String("sim.scenario", "event1 twice", "the scenario of -sim.schedule")
	replay   = flag.String("sim.schedule", "none", "a schedule to run and to show, as a failure prints it")
)

// ifProved is a bound in make prove, and a smaller one in make test.
func ifProved(bound, quick int) int {
	if prove.Set() {
		return bound
	}
	return quick
}

// failed says that the others need not run.
var failed atomic.Bool

// The pipelines log thousands of lines, which nobody would read.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	debug.SetGCPercent(400) // a run leaves little behind
	os.Exit(m.Run())
}

func show(t *testing.T, name string, s sim.Scenario, result sim.Result) {
	t.Helper()
	t.Logf("%d schedules; in %d the business acted again, in the one window where that may be; in %d a late effect was refused",
		result.Schedules, result.Doubled, result.Refused)
	if result.Failure == nil {
		return
	}
	failed.Store(*first)
	f := sim.Shrink(t, s, *result.Failure)
	t.Errorf("broken: %s\n%s\nto see it again:\n%s", strings.Join(f.Broken, "; "), steps(f), again(name, f.Schedule))
}

// again is the command that runs a schedule again.
func again(scenario string, s sim.Schedule) string {
	return fmt.Sprintf("go test ./proof/sim -run TestReplay -v -sim.scenario='%s' -sim.schedule='%s'", scenario, s)
}

func steps(run sim.Run) string { return strings.Join(run.Steps, "\n") }

func TestExplore(t *testing.T) {
	var total atomic.Int64
	t.Cleanup(func() { t.Logf("%d schedules of %d scenarios", total.Load(), len(scenarios)) })
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if failed.Load() {
				t.Skip("another scenario has failed, and -sim.first is set")
			}
			bound := s.briefly
			if *fully {
				bound = s.fully
			}
			bound.Together = min(bound.Together, *together)
			t.Logf("up to %d deviations and %d faults, %d together", bound.Deviations, bound.Faults, bound.Together)
			result := sim.Explore(t, s.scenario, bound, nil)
			total.Add(int64(result.Schedules))
			show(t, s.name, s.scenario, result)
			if result.Doubled == 0 && bound.Together > 1 && bound.Faults > 0 && !s.scenario.Quarantine && s.scenario.MaxAttempts == 0 {
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
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if boundedOnly(s.scenario) {
				t.Skip("it holds within the bounds of TestExplore alone")
			}
			t.Logf("-sim.seed=%d", number)
			n := *random
			if s.scenario.Cloud != nil {
				n /= 5 // they take longer
			}
			show(t, s.name, s.scenario, sim.Random(t, s.scenario, number, n, 6))
		})
	}
}

// TestReplay runs one schedule again:
//
//	go test ./proof/sim -run TestReplay -v -sim.scenario='two events' -sim.schedule='13=4'
func TestReplay(t *testing.T) {
	if *replay == "none" {
		t.Skip("no -sim.schedule was given")
	}
	schedule, err := sim.ParseSchedule(*replay)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios {
		if s.name == *replayed {
			run := sim.Execute(t, s.scenario, schedule)
			t.Log(steps(run))
			if len(run.Broken) > 0 {
				t.Errorf("broken: %s\n%s", strings.Join(run.Broken, "; "), again(s.name, schedule))
			}
			return
		}
	}
	t.Errorf("no scenario has the name %q", *replayed)
}

func TestTheSameScheduleIsTheSameRun(t *testing.T) {
	for _, s := range scenarios {
		for _, text := range []string{"", "3=5 9=6 13=4 20=15", "1=3 2=7 5=2 6=9 8=8"} {
			schedule, err := sim.ParseSchedule(text)
			if err != nil {
				t.Fatal(err)
			}
			first, second := sim.Execute(t, s.scenario, schedule), sim.Execute(t, s.scenario, schedule)
			if a, b := steps(first), steps(second); a != b || a == "" {
				t.Errorf("%s, %s: two runs differ:\n%s\n\n%s", s.name, text, a, b)
			}
		}
	}
}

func TestParseSchedule(t *testing.T) {
	for _, text := range []string{"", "3=1", "3=5 9=6 13=4"} {
		if s, err := sim.ParseSchedule(text); err != nil || s.String() != text {
			t.Errorf("%q became %q, %v", text, s, err)
		}
	}
	for _, bad := range []string{"x", "1", "1=x", "2=1 1=1", "1=1 1=2", "-1=1", "1=-1", "1=1x"} {
		if _, err := sim.ParseSchedule(bad); err == nil {
			t.Errorf("schedule %q is accepted", bad)
		}
	}
}
