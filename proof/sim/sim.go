// Package sim runs pipelines step by step, and tries everything that can happen between
// the steps, up to a bound.
//
// It runs the project's own code, not a copy or a model of it: several deliveries at
// once, each at an instance of its own, on one store. Every operation on the store,
// and the business's act, waits at a gate until a scheduler lets one of them go.
// Time is that of testing/synctest: it stands still while anything can run. So a run
// depends on nothing but its schedule, and the explorer checks that: it compares the
// choices of each run, and their times, with those of the run that it deviates from.
//
// A schedule is the list of the scheduler's choices. Choice 0 continues the event that
// had the last step, or else the first that waits. Any other choice is a deviation: an
// operation of another event, or another operation of the same; a request that arrives
// after its caller has given up; an answer that comes late; a pause until just before a
// lease runs out, or until it has. Or it is a fault of the operation that is let go: it
// fails, its answer is lost, the instance crashes before or after it, is cut off from
// the store from then on, or gets no more answers. [Explore] runs every schedule with
// up to a number of deviations and faults.
//
// On Cloud Storage each request of package gcsstore is a step: the store's own client
// sends it to a model of the JSON API (bucket.go), whose every answer the scheduler
// controls. Each event has its own instance, which remembers its claims from one try to
// the next. The scheduler then also chooses requests that the client repeats by itself,
// a 404 that does not come from Cloud Storage, and a lifecycle rule that deletes events,
// claims and completions of completed keys, the oldest first. Clocks may differ.
//
// Operators change keys meanwhile, as package change does it: in memory only.
//
// Each run is checked. Every answer of the store must keep the contract of package
// driver (contract.go); on Cloud Storage the result of an operation must have been true
// at some time between its begin and its end (cloudcontract.go), and each object that is
// written must fit the claims that were handed out (cloud.go). After each step old
// holders and strangers try what must not work for them (strangers.go). The pipelines must
// keep the project's promises (verify.go). When all events are acknowledged, each is
// delivered once more, without faults, and that must change nothing.
package sim

import (
	"cmp"
	"context"
	"errors"
	"hash"
	"hash/fnv"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
)

// Event is one event that is delivered.
type Event struct {
	Key, Source, Content string
	Age                  int  // seconds by which it is older than the others
	Untimed              bool // it does not say when it happened
	Once                 bool // the platform gives up after one try
	Sweep                bool // it is no event, but a sweep of the key, whose deadline has passed
	Early                bool // the deadline of the key that is swept has not passed
	// Operator, unless it is empty, says that it is no event, but a change by an operator: Replace,
	// by one of this Content, Purge or Rerun.
	Operator string
}

func (e Event) at() time.Time {
	if e.Untimed {
		return time.Time{}
	}
	return time.Unix(1_000_000-int64(e.Age), 0).UTC()
}

// Scenario is what is explored.
type Scenario struct {
	// Events are delivered at once, each until it is acknowledged; an event that
	// is listed twice is delivered twice.
	Events []Event
	// Store makes an empty store, each of whose operations is a step.
	Store func() Stores
	// OneCall says that the store is a [driver.KeepLooker], and that pipelines know it.
	OneCall bool
	// Cloud makes an instance's store, in the bucket "bucket" of the Cloud Storage that
	// client reaches. Unless it is nil, the store's requests are the steps, and each
	// delivery has a store of its own.
	Cloud func(client *http.Client) Stores
	// Expire are the kinds of a completed key's objects that the lifecycle rule may
	// delete, the oldest first: "event", "claim", "done".
	Expire []string
	// Pipeline makes the pipeline of an instance, with the business at its end.
	Pipeline func(s Stores, business driver.Handler) *driver.Pipeline
	// Business is the business; try counts its calls for a key, from 1. act is its one
	// step, which either acts or fails. nil: the business acts.
	Business func(ctx context.Context, try int, act func() error) error
	// Joined is the condition of the join, by the sources that are there; once it
	// holds, it stays true. nil: there is no joiner.
	Joined func(sources []string) bool
	// Decided says that the join is decided before anybody acts, as for any condition
	// but MatchAll. Fickle says that the condition may become false again.
	Decided, Fickle bool
	// Policy is the joiner's.
	Policy joiner.ConflictPolicy
	// ClaimKey is what is claimed for a key; nil: the key.
	ClaimKey func(key string) string
	// Lease is how long a claim lasts, and Skew the cache's clock skew.
	Lease, Skew time.Duration
	// Ahead is how much earlier a lease runs out for others than for its holder, since
	// their clocks differ.
	Ahead time.Duration
	// Deadline is how long a request may take; 0: without a limit.
	Deadline time.Duration
	// Settle is how long an operator waits for deliveries that are under way.
	Settle time.Duration
	// Backoff is the time before an event is delivered again; 0: a second.
	Backoff time.Duration
	// MaxAttempts is how many runs may fail or vanish before an order is given up; 0: any number.
	MaxAttempts int
	// Quarantine says that the cache never runs a key again that may have acted.
	Quarantine bool
	// OneInstance has all deliveries come to one instance, until it crashes: what is
	// under way there goes on as if it had not.
	OneInstance bool
	// HangUps has clients go away while their requests are handled.
	HangUps bool
	// FailsAfterActing says that the business may act and fail.
	FailsAfterActing bool
	// InPart says that the business is given what is there at a deadline. Otherwise that is
	// dead-lettered.
	InPart bool
	// Letters are the reasons for which events may be dead-lettered.
	Letters []driver.Reason
}

func (s Scenario) claimKey(m driver.Message) string {
	if s.ClaimKey != nil {
		return s.ClaimKey(m.Key)
	}
	return m.Key
}

// givesUp says that some event is not delivered again, so that only a sweep finds its key.
func (s Scenario) givesUp() bool {
	return slices.ContainsFunc(s.Events, func(e Event) bool { return e.Once })
}

// keys are the keys of the events, each once.
func (s Scenario) keys() []string {
	var keys []string
	seen := make(map[string]bool)
	for _, e := range s.Events {
		if !seen[e.Key] {
			seen[e.Key] = true
			keys = append(keys, e.Key)
		}
	}
	return keys
}

// Bounds of a run. A run that takes more steps, or more (fake) time, counts as one whose
// order is never completed.
const (
	maxSteps  = 1000
	maxLeases = 20          // and as many again for each choice of the schedule
	backoff   = time.Second // before an event is delivered again, unless the scenario says else
	tick      = time.Nanosecond
)

// Run is what came of a schedule.
type Run struct {
	Schedule Schedule
	Broken   []string // the promises that were broken
	Steps    []string // what happened
	doubled  bool
	refused  int
	taken    []decision
}

// decision is a place in a run where the scheduler chose.
type decision struct {
	choice int
	costs  []cost // of each choice
	sum    uint64 // of all that could be chosen up to here, and of when
}

// world is a run under way.
type world struct {
	scenario Scenario
	run      *Run
	gate     *gate
	contract contract
	cloud    *cloud // nil: a Store
	noted    bool
	start    time.Time
	sum      hash.Hash64
	late     bool // no more choices: the events come once more

	mu      sync.Mutex
	one     *driver.Pipeline // with OneInstance, what handles attempts
	handled []*attempt       // that it has handled
}

// Execute runs one schedule of a scenario. Choices beyond its end are 0, and so are
// those that are not possible.
func Execute(t *testing.T, s Scenario, schedule Schedule) Run {
	return execute(t, s, schedule, true)
}

// execute records the steps only if noted is true, since that takes time.
func execute(t *testing.T, s Scenario, schedule Schedule, noted bool) Run {
	run := Run{Schedule: schedule}
	synctest.Test(t, func(*testing.T) {
		v := &verifier{scenario: s, keys: make(map[string]*keyState), letters: make(map[string][]driver.Reason)}
		w := &world{scenario: s, run: &run, gate: newGate(v), noted: noted, start: time.Now(), sum: fnv.New64a()}
		if s.Cloud != nil {
			w.cloud = newCloud(s, v, w.gate)
			w.contract = w.cloud.free
		} else {
			w.contract = contract{s.Store(), v, 0}
		}
		if w.deliverAll(0) {
			w.probe()
			v.end()
			w.late = true
			w.deliverAll(len(s.Events))
			v.swept()
			v.reopened()
		}
		run.Broken, run.doubled = v.broken, v.doubled()
		for _, k := range v.keys {
			run.refused += k.refused
		}
	})
	return run
}

// deliverAll delivers the events, at once, and schedules what they do until all are
// acknowledged. It says whether they were. first is the number of the first.
func (w *world) deliverAll(first int) bool {
	ctx, cancel := context.WithCancel(context.Background())
	var deliveries sync.WaitGroup
	acknowledged := make([]bool, len(w.scenario.Events))
	for i, event := range w.scenario.Events {
		if (event.Once || event.Operator != "") && w.late {
			acknowledged[i] = true
			continue
		}
		deliveries.Go(func() { acknowledged[i] = w.deliver(ctx, first+i, event) })
	}
	done := make(chan struct{})
	go func() {
		deliveries.Wait()
		close(done)
	}()
	w.schedule(done)
	w.gate.close(first + len(acknowledged)) // ends what is still under way
	cancel()
	<-done
	time.Sleep(time.Minute) // until calls that go on without their callers have noticed it
	all := true
	for i, ok := range acknowledged {
		if !ok {
			all = false
			w.gate.verify.violated("event %d was never acknowledged", first+i+1)
		}
	}
	return all
}

// deliver delivers an event until it is acknowledged or dead-lettered, at another
// instance each time. It says whether it was.
func (w *world) deliver(ctx context.Context, number int, event Event) bool {
	for try := 1; ctx.Err() == nil; try++ {
		a := &attempt{delivery: number, number: try, event: event}
		switch err := w.attempt(ctx, a); {
		case w.gate.hasCrashed(a):
		case errors.Is(err, driver.ErrMarked) && event.Sweep:
			w.gate.verify.leftAlone(a)
			return true
		case err == nil || driver.IsPermanent(err):
			w.gate.verify.acknowledged(a, err)
			return true
		}
		if event.Once {
			return true
		}
		select {
		case <-time.After(cmp.Or(w.scenario.Backoff, backoff)):
		case <-ctx.Done():
		}
	}
	return false
}

// storeOf returns the store as the attempt's instance sees it.
func (w *world) storeOf(a *attempt) Stores {
	if w.cloud != nil {
		return w.cloud.storeOf(a)
	}
	store := gated{w.gate, w.contract, w.scenario.Ahead}
	if w.scenario.OneCall {
		return oneCall{store}
	}
	return store
}

// attempt gives an event to an instance. Its context ends with the request.
func (w *world) attempt(ctx context.Context, a *attempt) error {
	ctx, a.end = context.WithCancel(context.WithValue(ctx, attemptKey{}, a))
	defer a.end()
	ctx, a.hangUp = context.WithCancel(ctx)
	defer a.hangUp()
	if w.scenario.Deadline > 0 && a.event.Operator == "" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.scenario.Deadline)
		defer cancel()
	}
	e := a.event
	if e.Operator != "" {
		return w.operate(ctx, a)
	}
	m := driver.Message{ID: e.Source, Key: e.Key, Source: e.Source, Content: []byte(e.Content), Time: e.at()}
	if e.Sweep {
		ctx, m = e.sweep(ctx)
	}
	err := w.arrive(ctx)
	if err == nil {
		err = w.pipeline(a).Process(ctx, m)
	}
	if ctx.Err() == nil {
		w.gate.hasReturned(a)
	}
	return err
}

// arrive lets the scheduler decide which delivery comes to an instance first.
func (w *world) arrive(ctx context.Context) error {
	if !w.scenario.OneInstance {
		return nil
	}
	return w.gate.step(ctx, "Arrive", read, func(context.Context) error { return nil })
}

// pipeline is that of the instance which an attempt comes to.
func (w *world) pipeline(a *attempt) *driver.Pipeline {
	fresh := func() *driver.Pipeline {
		return w.scenario.Pipeline(w.storeOf(a), business{w.gate, w.scenario.Business})
	}
	if !w.scenario.OneInstance {
		return fresh()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.one == nil || slices.ContainsFunc(w.handled, w.gate.hasCrashed) {
		w.one, w.handled = fresh(), nil
	}
	w.handled = append(w.handled, a)
	return w.one
}
