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
// request that arrives after its caller has given up; an answer that comes late; a
// pause until just before a lease runs out, or until it has; or, with the operation
// that is let go, a fault: it fails, its answer is lost, the instance crashes before
// or after it, or is cut off from the store from then on. [Explore] runs every
// schedule with up to a number of deviations and faults.
//
// Each answer of the store is held against the contract of package driver, and
// what the pipelines do against what the project promises: contract.go and
// verify.go say how. When all events are acknowledged each is delivered once more,
// without faults, which must change nothing.
package sim

import (
	"cmp"
	"context"
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
	// stands there twice is delivered twice.
	Events []Event
	// Store makes an empty store, each of whose operations is a step.
	Store func() Stores
	// Cloud makes an instance's store in the bucket "bucket" of a Cloud Storage that
	// the client leads to. If it is there the store's requests are the steps, and each
	// delivery has a store of its own.
	Cloud func(client *http.Client) Stores
	// Expire are the kinds of a completed key's objects that the lifecycle rule may
	// delete, the oldest first: "event", "claim", "done".
	Expire []string
	// Pipeline makes the pipeline of an instance, with the business at its end.
	Pipeline func(s Stores, business driver.Handler) *driver.Pipeline
	// Business says how the business goes the try-th time for a key: act is its
	// one step, which either acts or fails. nil: it acts.
	Business func(ctx context.Context, try int, act func() error) error
	// Joined is the condition of the join, by the sources that are there; once it
	// holds it goes on to hold. nil: there is no joiner.
	Joined func(sources []string) bool
	// Decided says that the sources are decided before anybody acts: that the condition
	// is not one of MatchAll. Fickle says that it may stop to hold.
	Decided, Fickle bool
	// Policy is the joiner's.
	Policy joiner.ConflictPolicy
	// ClaimKey is what is claimed for a key; nil: the key.
	ClaimKey func(key string) string
	// Lease is how long a claim lasts, and Skew the cache's clock skew.
	Lease, Skew time.Duration
	// Ahead is by how much clocks differ: whoever would take a key over sees its
	// lease run out so much earlier than its holder does.
	Ahead time.Duration
	// Deadline is how long a request may take; 0: for ever.
	Deadline time.Duration
	// Backoff is after how long an event is delivered again; 0: a second.
	Backoff time.Duration
	// Quarantine says that the cache does not run again what may have acted.
	Quarantine bool
	// OneInstance has all deliveries come to one instance, until it crashes: what is
	// under way there goes on as if it had not.
	OneInstance bool
	// HangUps has clients go away while their requests are handled.
	HangUps bool
	// FailsAfterActing says that the business may act and fail.
	FailsAfterActing bool
	// Letters are the reasons for which events may be set aside.
	Letters []driver.Reason
}

func (s Scenario) claimKey(m driver.Message) string {
	if s.ClaimKey != nil {
		return s.ClaimKey(m.Key)
	}
	return m.Key
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

// Bounds of a run: more steps or a longer (fake) time are taken as an order that
// is never completed.
const (
	maxSteps  = 1000
	maxLeases = 20          // and as many again for each choice of the schedule
	backoff   = time.Second // before an event is delivered again, unless the scenario says else
	tick      = time.Nanosecond
)

// Run is what came of a schedule.
type Run struct {
	Schedule Schedule
	Broken   []string // what must be true and was not
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

// execute leaves out to say what happened if noted is false: that takes its time.
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
		deliveries.Go(func() { acknowledged[i] = w.deliver(ctx, first+i, event) })
	}
	done := make(chan struct{})
	go func() {
		deliveries.Wait()
		close(done)
	}()
	w.schedule(done)
	w.gate.close(first + len(acknowledged)) // ends what is still under way, if it was too long
	cancel()
	<-done
	time.Sleep(time.Minute) // for what runs on without its caller to find that out
	all := true
	for i, ok := range acknowledged {
		if !ok {
			all = false
			w.gate.verify.violated("event %d was never acknowledged", first+i+1)
		}
	}
	return all
}

// deliver delivers an event until it is acknowledged or set aside, at another
// instance each time. It says whether it was.
func (w *world) deliver(ctx context.Context, number int, event Event) bool {
	for try := 1; ctx.Err() == nil; try++ {
		a := &attempt{delivery: number, number: try, event: event}
		if err := w.attempt(ctx, a); (err == nil || driver.IsPermanent(err)) && !w.gate.hasCrashed(a) {
			w.gate.verify.acknowledged(a, err)
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
	return gated{w.gate, w.contract, w.scenario.Ahead}
}

// attempt gives an event to an instance. Its context ends with the request.
func (w *world) attempt(ctx context.Context, a *attempt) error {
	ctx, a.end = context.WithCancel(context.WithValue(ctx, attemptKey{}, a))
	defer a.end()
	ctx, a.hangUp = context.WithCancel(ctx)
	defer a.hangUp()
	if w.scenario.Deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.scenario.Deadline)
		defer cancel()
	}
	e := a.event
	m := driver.Message{ID: e.Source, Key: e.Key, Source: e.Source, Content: []byte(e.Content), Time: e.at()}
	err := w.arrive(ctx)
	if err == nil {
		err = w.pipeline(a).Process(ctx, m)
	}
	if ctx.Err() == nil {
		w.gate.hasReturned(a)
	}
	return err
}

// arrive lets the scheduler decide who comes to an instance first.
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
