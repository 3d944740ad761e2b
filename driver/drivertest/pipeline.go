package drivertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
)

// Pipeline tests a pipeline of yours: it delivers the events to it in every order, has
// things go wrong, and checks that the business acts exactly once for each key. A test is
// one call:
//
//	func TestShipping(t *testing.T) {
//		drivertest.Pipeline(t, func(env *drivertest.Env) *driver.Pipeline {
//			return driver.New(
//				joiner.New(joiner.MatchAll("order", "payment"), env.Store),
//				cache.New(env.Store),
//				env.Act)
//		},
//			driver.Message{Key: "order-1", Source: "order", Content: []byte(`{"item":"book"}`)},
//			driver.Message{Key: "order-1", Source: "payment", Content: []byte(`{"amount":12}`)})
//	}
//
// Each run has an empty store in memory and calls build once for each instance of the
// program. It delivers every event until it is acknowledged, then all of them once more.
// Runs are made of:
//
//   - every order of the events, at one instance and at a new instance for each event;
//   - in each order, each event a second time, at each place;
//   - in each order, at each step: the step fails; it is done and its answer is lost; the
//     instance crashes before the business acts, or after the step; the business panics.
//     A step is an operation of the store, or the business's act. A failed event is
//     delivered again before the next one, and in other runs after all others;
//   - in the given order, the business fails, panics or crashes, and then one more step does;
//   - all events twice at the same time, in 100 different interleavings, half of them with
//     one step that goes wrong at a random place.
//
// In every run, for every key of the events:
//
//   - the business acts, and it acts once. It may act again only after an instance crashed
//     between the act and its completion, with a greater fencing token and the same content;
//   - it acts on the same content as in every other run. Where the condition of a join
//     decided for other sources, or events of one source differ in content, runs with the
//     same decision and the same kept contents are compared;
//   - every event is acknowledged within a day. It is dead-lettered only where an option of
//     the cache or the joiner says so: a duplicate of a completed key, other content than is
//     kept, or a run after a crash or a panic whose outcome is unknown;
//   - nothing acts after its pipeline has returned, and nobody changes an event in place.
//
// The first run that breaks one of these fails the test. Its message tells what happened,
// step by step, and how to run that schedule alone. The schedules are the same each time.
//
// A join of two events and a cache take about 600 runs, one of three events about 1,400, and a
// run about a millisecond. A join of four events would take about 6,000: beyond the limit, 2,000,
// a sample is run, and of more than four events 24 orders. The sample is random, from a seed
// that is logged: see [Exploration]. All runs are in bubbles of testing/synctest: waiting for
// leases takes no time, but build must not open connections or share channels with the world
// outside.
//
// Pipeline can't find what needs two faults at other places than those above, nor errors in
// interleavings that were not tried; state that instances share outside of the store, such as a
// global variable; effects that are made without [Env.Act] or [Env.Effect]; and errors of the
// store that you deploy with, for which there are [TestEventStore] and [TestClaimStore].
func Pipeline(t *testing.T, build func(env *Env) *driver.Pipeline, events ...driver.Message) {
	t.Helper()
	Exploration{}.Pipeline(t, build, events...)
}

// Exploration is how [Pipeline] explores, for those to whom the defaults do not fit.
type Exploration struct {
	// Runs is how many runs are made at most. The default is 2,000 for ten events or fewer, and less for
	// more, which take longer: 222 for thirty, 100 for 45 and more.
	Runs int
	// Seed is the seed of all that is random; default 1.
	Seed uint64
	// MayWait allows a key not to act in some of the orders, as where the condition has a
	// part that stops to hold when one more event arrives. In one run it must act.
	MayWait bool
	// DeadLetters are further reasons for which events may be dead-lettered.
	DeadLetters []driver.Reason
}

// Schedule is the environment variable that has [Pipeline] run a single schedule: the
// message of a failed test says which.
const Schedule = "DRIVERTEST_SCHEDULE"

// Store is what pipelines keep events and claims in.
type Store interface {
	driver.EventStore
	driver.Replacer
	driver.Decider
	driver.ClaimStore
}

// Env is what one instance of a program is built from.
type Env struct {
	// Store is the store. The instances of a run share it.
	Store Store
	// Act stands for the business's effect: it acts for the message's key, on its content,
	// and goes on. Use it as the last handler.
	Act driver.Handler

	instance *instance
}

// Effect stands for the effect of a business that is more than a handler: have your fake of
// the outside world call it, and return its error. It acts for key, which must happen once;
// what is on what it acts: text, or something that can be written as JSON. ctx must be the
// handler's.
func (e *Env) Effect(ctx context.Context, key string, what any) error {
	return e.instance.effect(ctx, key, text(what))
}

func text(what any) string {
	switch what := what.(type) {
	case string:
		return what
	case []byte:
		return string(what)
	}
	content, err := json.Marshal(what)
	if err != nil {
		return fmt.Sprintf("%+v", what)
	}
	return string(content)
}

// Pipeline is [Pipeline], with the settings of x.
func (x Exploration) Pipeline(t *testing.T, build func(env *Env) *driver.Pipeline, events ...driver.Message) {
	t.Helper()
	e := newExplorer(x, build, events)
	if schedule := os.Getenv(Schedule); schedule != "" {
		p, err := parsePlan(schedule, len(events))
		if err != nil {
			t.Fatalf("%s: %v", Schedule, err)
		}
		e.replay(t, p)
		return
	}
	restore := quiet()
	failed := e.explore(t)
	restore()
	if failed != nil {
		t.Fatal(failed.report(t.Name()))
	}
	t.Log(e.summary())
}

// report is what a failed test says.
func (r *run) report(test string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "run %d breaks what must be true:\n", r.number)
	for _, broken := range r.broken {
		fmt.Fprintf(&b, "  %s\n", broken)
	}
	fmt.Fprintf(&b, "What happened:\n")
	for _, line := range r.story {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	pattern := "^" + strings.ReplaceAll(test, "/", "$/^") + "$"
	fmt.Fprintf(&b, "To run this schedule alone:\n  %s='%s' go test -run '%s'", Schedule, r.plan, pattern)
	return b.String()
}
