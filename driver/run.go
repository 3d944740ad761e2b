package driver

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// Run is what the handlers of one run of a message know together: those of the
// pipeline, those in the branches of a [Parallel], and those of pipelines that
// handlers pass the message on to. [Pipeline.Process] puts one into the context that
// it passes on, unless there is one. It is safe for concurrent use, and the methods
// of a nil Run do nothing.
type Run struct {
	mu     sync.Mutex
	waits  []string // for what; nil: it does not wait
	claims []runClaim
	joined []func() []Message // of each message that was joined
}

// runClaim is what a handler claims in a run.
type runClaim struct {
	store      ClaimStore
	scope, key string
	by         any
	at         *place
}

type runKey struct{}

// WithRun returns a context with a new Run, and that Run. To know what became of a
// message, call it before [Pipeline.Process], and ask the Run afterwards.
func WithRun(ctx context.Context) (context.Context, *Run) {
	run := &runContext{Context: ctx}
	return run, &run.run
}

// runContext is a context with a Run.
type runContext struct {
	context.Context
	run Run
}

// Value implements [context.Context].
func (c *runContext) Value(key any) any {
	if key == (runKey{}) {
		return &c.run
	}
	return c.Context.Value(key)
}

// RunFrom returns the context's Run, or nil.
func RunFrom(ctx context.Context) *Run {
	run, _ := ctx.Value(runKey{}).(*Run)
	return run
}

// Wait is for handlers that keep the message until others have arrived: those that forWhat names. The
// caller must not change that list any more.
func (r *Run) Wait(forWhat ...string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waits = forWhat; forWhat == nil {
		r.waits = []string{}
	}
}

// Waiting reports whether a handler has called Wait.
func (r *Run) Waiting() bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waits != nil
}

// WaitsFor returns what the last call of Wait has named, separated by commas.
func (r *Run) WaitsFor() string {
	if r == nil {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.waits, ", ")
}

// Claim notes that the handler called by claims key in scope of store. ctx is the context
// that the handler was given. Claim returns an error if another handler has claimed the
// same in this run, or the same handler in another branch of a [Parallel], even when that
// claim is over. One of the two would take the other's completion for its own, and what
// comes after it would never run. The same handler may claim again, for example after a
// failure.
func (r *Run) Claim(ctx context.Context, store ClaimStore, scope, key string, by any) error {
	if r == nil {
		return nil
	}
	at := placeFrom(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.claims {
		if c.scope != scope || c.key != key || !same(c.store, store) {
			continue
		}
		if !same(c.by, by) || c.at.beside(at) {
			return fmt.Errorf("key %q, scope %q of one store is claimed in two places for one message", key, scope)
		}
	}
	r.claims = append(r.claims, runClaim{store, scope, key, by, at})
	return nil
}

// same compares values of any type; those that can't be compared are different.
func same(a, b any) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// Events returns the events of the message that the run has gone on with, as they were
// joined, or nil if nothing was joined. It is nil, too, if the run has gone on with several such
// messages, as in the branches of a [Parallel]: none of them stands for the run. The events may be
// made for the call: it can take as much memory as their contents.
func (r *Run) Events() []Message {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	joined := r.joined
	r.mu.Unlock()
	if len(joined) != 1 {
		return nil
	}
	return joined[0]()
}

type joinedKey struct{}

// WithJoined is for handlers that join events to one message, and go on with that in the context
// that it returns: events returns them. Where handlers join one after the other, the first
// counts, because its events came from outside.
func WithJoined(ctx context.Context, events func() []Message) context.Context {
	if ctx.Value(joinedKey{}) != nil {
		return ctx
	}
	if run := RunFrom(ctx); run != nil {
		run.mu.Lock()
		defer run.mu.Unlock()
		run.joined = append(run.joined, events)
	}
	return context.WithValue(ctx, joinedKey{}, events)
}

// JoinedFrom returns the events of the joined message that a handler is given, as [Run.Events] does,
// also where its run has gone on with several.
func JoinedFrom(ctx context.Context) []Message {
	events, joined := ctx.Value(joinedKey{}).(func() []Message)
	if !joined {
		return nil
	}
	return events()
}
