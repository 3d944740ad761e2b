package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"example.com/eventdriver/driver"
)

// Stores is what a pipeline keeps its state in.
type Stores interface {
	driver.EventStore
	driver.ClaimStore
}

// The failures that the explorer injects. A crashed instance is told a permanent
// error by everything, so that nothing of it tries again: whatever it would do
// next, it is dead.
var (
	errInjected = errors.New("sim: injected fault")
	errCrashed  = driver.Permanent(errors.New("sim: the instance has crashed"))
)

// attempt is one delivery of an event at an instance of its own.
type attempt struct {
	event   int // which of the scenario's
	number  int // from 1
	crashed bool
}

type attemptKey struct{}

// request is an operation that waits for the scheduler to let it go.
type request struct {
	by      *attempt
	op      string // "Persist event1"
	arrived int
	resume  chan Outcome
}

// gate stands between the pipelines and the store, and holds every operation until
// the scheduler decides on it. Since one operation at a time is let go, each is a
// step that nothing else comes between.
type gate struct {
	inner  Stores
	verify *verifier

	mu       sync.Mutex
	requests []*request
	arrived  int
}

// step waits for the scheduler's decision on an operation and carries it out.
func (g *gate) step(ctx context.Context, op string, do func() error) error {
	by, _ := ctx.Value(attemptKey{}).(*attempt)
	g.mu.Lock()
	if by.crashed {
		g.mu.Unlock()
		return errCrashed
	}
	r := &request{by: by, op: op, arrived: g.arrived, resume: make(chan Outcome)}
	g.arrived++
	g.requests = append(g.requests, r)
	g.mu.Unlock()

	select {
	case outcome := <-r.resume:
		return g.carryOut(by, outcome, do)
	case <-ctx.Done():
		g.remove(r)
		return ctx.Err()
	}
}

func (g *gate) carryOut(by *attempt, outcome Outcome, do func() error) error {
	var err error
	if outcome != FailBefore && outcome != CrashBefore {
		err = do()
	}
	switch outcome {
	case FailBefore, LoseAnswer:
		return errInjected
	case CrashBefore, CrashAfter:
		g.mu.Lock()
		by.crashed = true
		g.mu.Unlock()
		return errCrashed
	}
	return err
}

func (g *gate) remove(r *request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests = slices.DeleteFunc(g.requests, func(other *request) bool { return other == r })
}

// pending returns the operations that wait, in an order that depends on nothing
// but the schedule: by event, and within an attempt looks before writes, since it
// is the looks that can come too early.
func (g *gate) pending() []*request {
	g.mu.Lock()
	defer g.mu.Unlock()
	sorted := slices.Clone(g.requests)
	slices.SortStableFunc(sorted, func(a, b *request) int {
		return cmp.Or(a.by.event-b.by.event, a.by.number-b.by.number, cmp.Compare(a.op, b.op))
	})
	return sorted
}

func (g *gate) Persist(ctx context.Context, m driver.Message) error {
	return g.step(ctx, "Persist "+m.Source, func() error { return g.inner.Persist(ctx, m) })
}

func (g *gate) LookUp(ctx context.Context, key, source string) (m driver.Message, err error) {
	err = g.step(ctx, "LookUp "+source, func() (err error) {
		m, err = g.inner.LookUp(ctx, key, source)
		return err
	})
	return m, err
}

func (g *gate) LookUpByKey(ctx context.Context, key string) (all []driver.Message, err error) {
	err = g.step(ctx, "LookUpByKey", func() (err error) {
		all, err = g.inner.LookUpByKey(ctx, key)
		return err
	})
	return all, err
}

func (g *gate) ListSourcesByKey(ctx context.Context, key string) (all []string, err error) {
	err = g.step(ctx, "ListSourcesByKey", func() (err error) {
		all, err = g.inner.ListSourcesByKey(ctx, key)
		return err
	})
	return all, err
}

func (g *gate) Acquire(ctx context.Context, key string, ttl time.Duration) (c driver.Claim, err error) {
	err = g.step(ctx, "Acquire", func() (err error) {
		if c, err = g.inner.Acquire(ctx, key, ttl); err == nil {
			g.verify.acquired(c)
		}
		return err
	})
	return c, err
}

func (g *gate) Renew(ctx context.Context, c driver.Claim, ttl time.Duration) (renewed driver.Claim, err error) {
	err = g.step(ctx, "Renew", func() (err error) {
		if renewed, err = g.inner.Renew(ctx, c, ttl); err == nil {
			g.verify.renewed(c, renewed)
		}
		return err
	})
	return renewed, err
}

func (g *gate) Complete(ctx context.Context, c driver.Claim) error {
	return g.step(ctx, "Complete", func() error {
		err := g.inner.Complete(ctx, c)
		if err == nil {
			g.verify.completed(c)
		}
		return err
	})
}

func (g *gate) Release(ctx context.Context, c driver.Claim) error {
	return g.step(ctx, "Release", func() error {
		err := g.inner.Release(ctx, c)
		if err == nil {
			g.verify.released(c)
		}
		return err
	})
}

// Process is the business: one step, which either acts or does not.
func (g *gate) Process(ctx context.Context, in driver.Message, _ driver.Next) error {
	by, _ := ctx.Value(attemptKey{}).(*attempt)
	return g.step(ctx, "Act", func() error {
		g.verify.acted(ctx, by, in)
		return nil
	})
}

func (r *request) String() string {
	return fmt.Sprintf("event %d, try %d: %s", r.by.event+1, r.by.number, r.op)
}
