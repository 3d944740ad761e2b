package drivertest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/memstore"
)

const (
	requestTimeout = time.Minute      // of one delivery
	firstBackoff   = time.Second      // before an event is delivered again; doubles each time
	longestBackoff = 10 * time.Minute // then
	patience       = 24 * time.Hour   // an event that is not acknowledged by then never is
	settling       = time.Minute      // for what goes on in the background
	slowest        = 2 * time.Millisecond
)

// errOver ends what is still under way when a run is over, and what a crashed instance does.
// It is permanent, so that nobody tries again.
var errOver = driver.Permanent(errors.New("drivertest: the run is over"))

// run is one run: what happens in it, and what came of it.
type run struct {
	explorer *explorer
	number   int
	plan     plan
	store    *memstore.Store
	start    time.Time
	over     chan struct{}  // closed at the end
	handling sync.WaitGroup // attempts

	mu        sync.Mutex
	instances []*instance
	steps     []stepKind // so far
	story     []string
	broken    []string
	acts      map[string][]act               // by key
	decided   map[string]map[string][]string // what was decided for a key, by its text
	completed map[claimID]bool
	failedAct map[string]bool // keys
	letters   map[string]bool // keys of which an event was dead-lettered without an act
	troubled  bool            // an instance crashed, or the business panicked
	repeated  bool            // all were acknowledged, and are delivered once more
}

// instance is one instance of the program.
type instance struct {
	run      *run
	number   int
	pipeline *driver.Pipeline
	crashed  chan struct{}
}

// attempt is one delivery of an event to an instance.
type attempt struct {
	instance *instance
	delivery int // which of the plan, from 0
	try      int // from 1
	event    driver.Message
	counts   map[string]int // of its steps, by name
	returned bool
}

type attemptKey struct{}

func attemptFrom(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	return a
}

// execute makes one run.
func (e *explorer) execute(t *testing.T, p plan) *run {
	t.Helper()
	e.number++
	r := &run{
		explorer:  e,
		number:    e.number,
		plan:      p,
		acts:      make(map[string][]act),
		decided:   make(map[string]map[string][]string),
		completed: make(map[claimID]bool),
		failedAct: make(map[string]bool),
		letters:   make(map[string]bool),
	}
	synctest.Test(t, func(t *testing.T) {
		r.store, r.start, r.over = memstore.New(), time.Now(), make(chan struct{})
		r.deliverAll()
		close(r.over)
		r.handling.Wait()
		r.lookForHanging(t)
	})
	return r
}

// instance returns the instance to which the next attempt comes.
func (r *run) instance() *instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.instances); n > 0 && !r.plan.fresh && !r.instances[n-1].dead() {
		return r.instances[n-1]
	}
	i := &instance{run: r, number: len(r.instances) + 1, crashed: make(chan struct{})}
	env := &Env{Store: i.watchedStore(), instance: i}
	env.Act = driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		if err := env.Effect(ctx, in.Key, in.Content); err != nil {
			return err
		}
		return next.Call(ctx, in)
	})
	if i.pipeline = r.explorer.build(env); i.pipeline == nil {
		panic("drivertest: build returned no pipeline")
	}
	r.instances = append(r.instances, i)
	return i
}

func (i *instance) dead() bool {
	select {
	case <-i.crashed:
		return true
	default:
		return false
	}
}

// die crashes the instance: its events are not answered, and nothing that it does from now on
// arrives anywhere. The caller holds the run's mutex.
func (i *instance) die() {
	i.run.troubled = true
	if !i.dead() {
		close(i.crashed)
	}
}

// blocked waits for the end of the run, as a crashed instance does.
func (r *run) blocked() error {
	<-r.over
	return errOver
}

// isOver says whether the run is over.
func (r *run) isOver() bool {
	select {
	case <-r.over:
		return true
	default:
		return false
	}
}

// pause lets some fake time pass, which depends on nothing but the run and the step. So two
// steps that are made at the same time come one after the other, in the same order each time.
func (r *run) pause(a *attempt, what string) {
	r.mu.Lock()
	if a.counts != nil {
		a.counts[what]++
	}
	h := fnv.New64a()
	fmt.Fprint(h, r.plan.seed, " ", a.delivery, " ", a.try, " ", a.counts[what], what)
	r.mu.Unlock()
	// Never 0, so that what is ready at the same time is done first.
	time.Sleep(1 + time.Duration(h.Sum64()%uint64(slowest)))
}

// lookForHanging fails the test where a handler did not end with its context, before the end of
// the bubble does so with less to say.
func (r *run) lookForHanging(t *testing.T) {
	time.Sleep(time.Hour) // for what runs on without its caller
	synctest.Wait()
	for _, i := range r.instances {
		if n := i.pipeline.Abandoned(); n > 0 {
			r.violated("%d handlers did not end with their context", n)
			t.Error(r.report(t.Name()))
		}
	}
}

func (r *run) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell(format, args...)
}

// tell adds a line to the story. The caller holds the mutex.
func (r *run) tell(format string, args ...any) {
	r.story = append(r.story, fmt.Sprintf("%9.3fs  ", time.Since(r.start).Seconds())+fmt.Sprintf(format, args...))
}

// isBroken says whether something that must be true is not.
func (r *run) isBroken() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.broken) > 0
}

// violated notes what must be true and is not. The caller holds the mutex.
func (r *run) violated(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(r.broken, text) {
		r.broken = append(r.broken, text)
	}
}

// String names the attempt: "event1 (delivery 2)".
func (a *attempt) String() string {
	return fmt.Sprintf("%s (delivery %d)", name(a.event), a.delivery+1)
}

func name(m driver.Message) string {
	return fmt.Sprintf("%s of %q", m.Source, m.Key)
}

func again(try int) string {
	if try == 1 {
		return ""
	}
	return fmt.Sprintf(", try %d", try)
}
