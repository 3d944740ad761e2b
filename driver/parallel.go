package driver

import (
	"context"
	"errors"
	"fmt"
)

// Parallel returns a handler that runs the handlers at the same time, each on a
// copy of the message of its own, and waits for all of them. If all succeed it
// goes on with the message as it came; if any fail it returns their failures,
// joined, and the message is delivered to all of them again. What one of the
// handlers passes to its next ends there.
//
// The joined failure is permanent only if each part of it is, so that a branch
// that deserves another try gets it.
func Parallel(handlers ...Handler) Handler {
	branches := make(parallel, len(handlers))
	for i, h := range handlers {
		if h == nil {
			panic(fmt.Sprintf("driver: branch %d of Parallel is nil", i+1))
		}
		branches[i] = step{name: "branch " + handlerName(i, h), handler: h, next: end}
	}
	return branches
}

type parallel []step

// Process implements [Handler].
func (p parallel) Process(ctx context.Context, in Message, next Next) error {
	results := make([]<-chan error, len(p))
	for i, branch := range p {
		results[i] = start(func() error { return branch.call(ctx, in.Clone()) })
	}
	failures := make([]error, len(p))
	for i, branch := range p {
		failures[i] = failure(branch.name, in, <-results[i])
	}
	if err := errors.Join(failures...); err != nil {
		return &parallelError{err, failures}
	}
	return next.Call(ctx, in)
}

// parallelError hides from ReasonOf the failures of single branches.
type parallelError struct {
	error
	failures []error
}

func (e *parallelError) Unwrap() error { return e.error }

func (e *parallelError) rejection() Reason {
	var reason Reason
	for _, err := range e.failures {
		if err == nil {
			continue
		}
		if reason = ReasonOf(err); reason == "" {
			return ""
		}
	}
	return reason
}
