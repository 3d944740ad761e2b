package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"example.com/eventdriver/driver"
)

// The failures that the explorer injects. A crashed instance gets a permanent error
// from everything, so that nothing of it tries again: it is dead.
var (
	errInjected = errors.New("sim: injected fault")
	errCrashed  = driver.Permanent(errors.New("sim: the instance has crashed"))
)

// told is the error that a caller gets for each outcome.
var told = map[Outcome]error{
	Fail:       errInjected,
	LoseAnswer: errInjected,
	TimeOut:    fmt.Errorf("sim: injected: %w", context.DeadlineExceeded),
	Cancel:     fmt.Errorf("sim: injected: %w", context.Canceled),
	Again:      errAgain,
	Astray:     errAstray,
}

// request is an operation that waits for the scheduler to let it go.
type request struct {
	by      *attempt
	op      string // "Persist event1"
	kind    kind
	state   requestState
	arrived int
	do      func() error
	err     error      // of what was done, while its answer is under way
	answer  chan error // to the caller; takes one without a wait
}

type requestState int

const (
	waiting  requestState = iota
	answered              // it is done, its caller does not know yet
	adrift                // its caller has given up or crashed; it may still arrive
)

// gate stands between the pipelines and the store, and holds every operation until
// the scheduler decides on it. Since one operation at a time is let go, each is a
// step that nothing else comes between.
type gate struct {
	verify *verifier
	news   chan struct{} // there is a request

	mu       sync.Mutex
	requests []*request
	arrived  int
	first    int // deliveries below it are over
	tries    map[string]int
}

func newGate(v *verifier) *gate {
	return &gate{verify: v, news: make(chan struct{}, 1), tries: make(map[string]int)}
}

// step waits until the scheduler has decided on an operation, and returns what the
// caller is told of it.
func (g *gate) step(ctx context.Context, op string, kind kind, do func(context.Context) error) error {
	r, err := g.enter(ctx, op, kind, do)
	if err != nil {
		return err
	}
	select {
	case err := <-r.answer:
		return err
	case <-ctx.Done():
		g.giveUp(r)
		return ctx.Err()
	}
}

// giveUp notes that a request's caller does not wait for the answer any more.
func (g *gate) giveUp(r *request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r.by.troubled = true
	switch r.state {
	case waiting:
		if r.op == "Complete" {
			g.verify.gaveUp(r.by)
		}
		// Where nothing may run twice, a context that ends under way leaves the outcome unknown.
		if r.kind == act && g.verify.scenario.Quarantine {
			r.state, r.by.late = adrift, true
			return
		}
		g.setAdrift(r)
	case answered:
		g.remove(r)
	}
}

// enter adds an operation to those that wait, unless its instance is cut off. The
// operation will be carried out whatever happens to its caller.
func (g *gate) enter(ctx context.Context, op string, kind kind, do func(context.Context) error) (*request, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	by := attemptFrom(ctx)
	switch {
	case by.delivery < g.first && kind > act:
		return nil, errCrashed // the run is over, and the client's goroutines are waited for
	case by.delivery < g.first:
		runtime.Goexit() // the run is over
	case by.crashed:
		return nil, errCrashed
	case by.cut && kind != act:
		return nil, errInjected
	case by.returned && !by.troubled:
		g.verify.violated("event %d, try %d: %s after its pipeline had returned", by.delivery+1, by.number, op)
	}
	detached := context.WithoutCancel(ctx)
	r := &request{by: by, op: op, kind: kind, arrived: g.arrived, answer: make(chan error, 1),
		do: func() error { return do(detached) }}
	g.arrived++
	g.requests = append(g.requests, r)
	select {
	case g.news <- struct{}{}:
	default:
	}
	return r, nil
}

// letGo carries out the scheduler's decision on a request.
func (g *gate) letGo(r *request, state requestState, outcome Outcome) {
	switch state {
	case answered:
		g.reply(r, r.err)
		return
	case adrift:
		_ = r.do()
		g.reply(r, nil)
		return
	}
	var err error
	switch outcome {
	case Succeed, Slow, LoseAnswer, CrashAfter, Deafen, TimeOut, Again:
		err = r.do()
	}
	g.mu.Lock()
	deaf := r.by.deaf && r.kind != act
	r.by.troubled = r.by.troubled || outcome > Slow || deaf
	g.mu.Unlock()
	switch outcome {
	case Succeed:
		if deaf {
			err = errInjected
		}
		g.reply(r, err)
	case Slow:
		g.mu.Lock()
		r.state, r.err = answered, err
		g.mu.Unlock()
	case Fail, Cancel:
		g.mu.Lock()
		g.setAdrift(r)
		r.answer <- told[outcome]
		g.mu.Unlock()
	case LoseAnswer, TimeOut, Again, Astray:
		g.reply(r, told[outcome])
	case CrashBefore:
		g.crash(r.by, nil)
	case CrashAfter:
		g.crash(r.by, r)
	case CutOff, Deafen:
		g.mu.Lock()
		r.by.cut, r.by.deaf = outcome == CutOff, outcome == Deafen
		g.mu.Unlock()
		g.reply(r, errInjected)
	}
}

// reply answers a request that is done with.
func (g *gate) reply(r *request, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(r)
	select {
	case r.answer <- err:
	default: // the caller has been told something already
	}
}

// forgetNews is for a scheduler that is about to look for itself.
func (g *gate) forgetNews() {
	select {
	case <-g.news:
	default:
	}
}

func (g *gate) remove(r *request) {
	g.requests = slices.DeleteFunc(g.requests, func(other *request) bool { return other == r })
}

// setAdrift lets a request arrive later, or never, where that could matter. It drops
// the act of a business that reported failure: no protocol helps where that acts later.
func (g *gate) setAdrift(r *request) {
	if r.kind == read || r.kind == cloudRead || r.kind == cloudLook || r.kind == act && !r.by.crashed {
		g.remove(r)
		return
	}
	r.state = adrift
}

// crash ends the attempt's instance. Its requests that have not arrived may still do so.
// The attempt is marked as crashed before any caller gets an answer.
func (g *gate) crash(a *attempt, arrived *request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a.crashed, a.troubled = true, true
	for _, r := range slices.Clone(g.requests) {
		if r.by != a || r.state == adrift {
			continue
		}
		r.answer <- errCrashed
		if r.state == answered || r == arrived {
			g.remove(r)
		} else {
			g.setAdrift(r)
		}
	}
	a.end()
}

// close ends the deliveries below first: no request of theirs is carried out any more.
func (g *gate) close(first int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.first = first
	for _, r := range g.requests {
		select {
		case r.answer <- errCrashed:
		default:
		}
	}
	g.requests = nil
}

func (g *gate) hasCrashed(a *attempt) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return a.crashed
}

// hasReturned notes that the attempt's pipeline has returned.
func (g *gate) hasReturned(a *attempt) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a.returned = true
	if !a.troubled {
		g.verify.returned(a)
	}
}

// hangUp has the attempt's client go away.
func (g *gate) hangUp(a *attempt) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a.hungUp = true
	a.hangUp()
}

// called notes that the business is called.
func (g *gate) called(ctx context.Context, in driver.Message) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.verify.called(ctx, in)
}

// ran notes that a run is about to act.
func (g *gate) ran(ctx context.Context, in driver.Message) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.verify.ran(ctx, in)
}

// finished notes how the attempt's business ended.
func (g *gate) finished(ctx context.Context, a *attempt, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.verify.ended(ctx, a)
	a.finished, a.asks = err == nil, driver.RetryAfterOf(err)
}

// try counts how often the business was asked to act for a key, from 1.
func (g *gate) try(key string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tries[key]++
	return g.tries[key]
}

// pending returns the operations that wait, in an order that depends on nothing
// but the schedule: by delivery, and within an attempt reads before writes, since a
// read can come too early. Answers under way come after them, and requests adrift last.
func (g *gate) pending() []*request {
	g.mu.Lock()
	defer g.mu.Unlock()
	sorted := slices.Clone(g.requests)
	slices.SortStableFunc(sorted, func(a, b *request) int {
		return cmp.Or(int(a.state-b.state), a.by.delivery-b.by.delivery, a.by.number-b.by.number,
			cmp.Compare(a.op, b.op), a.arrived-b.arrived)
	})
	return sorted
}

func (r *request) describe(state requestState) string {
	what := [...]string{waiting: "", answered: "the answer to ", adrift: "late, "}[state]
	return fmt.Sprintf("event %d, try %d: %s%s", r.by.delivery+1, r.by.number, what, r.op)
}
