package driver

import (
	"context"
	"sync"
)

// Run is what the handlers of one run of a message know together: those of the
// pipeline, those in the branches of a [Parallel], and those of pipelines that
// handlers pass the message on to. [Pipeline.Process] puts one into the context that
// it passes on, unless there is one. It is safe for concurrent use, and the methods
// of a nil Run do nothing.
type Run struct {
	mu      sync.Mutex
	waiting bool
}

type runKey struct{}

// WithRun returns a context with a Run of its own, and that. Whoever wants to know
// what became of a message calls it before [Pipeline.Process], and asks the Run
// after it.
func WithRun(ctx context.Context) (context.Context, *Run) {
	run := new(Run)
	return context.WithValue(ctx, runKey{}, run), run
}

// RunFrom returns the context's Run, or nil.
func RunFrom(ctx context.Context) *Run {
	run, _ := ctx.Value(runKey{}).(*Run)
	return run
}

// Wait says that the message is kept, and that nothing happens until others have
// arrived.
func (r *Run) Wait() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = true
}

// Waiting reports whether a handler has called Wait.
func (r *Run) Waiting() bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting
}
