package driver

import (
	"context"
	"fmt"
	"strings"
)

// Parallel returns a handler that runs the handlers at the same time, each on a
// copy of the message of its own, which is counted by [Grow], and waits for all of them. If all succeed it
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
		branches[i] = step{name: handlerName("branch", i+1, h), handler: h, next: end}
	}
	return branches
}

type parallel []step

// String is how errors call the handler.
func (p parallel) String() string { return "parallel" }

// Process implements [Handler].
func (p parallel) Process(ctx context.Context, in Message, next Next) error {
	copies, free := ScopeMemory(ctx)
	if err := Grow(copies, len(p)*len(in.Content)); err != nil {
		return err
	}
	results := make([]<-chan error, len(p))
	for i, branch := range p {
		results[i] = Go(func() error { return branch.call(within(ctx, &p[0], i), in.Clone()) })
	}
	var failures parallelError
	for i, branch := range p {
		if err := failure(branch.name, in, <-results[i]); err != nil {
			failures = append(failures, err)
		}
	}
	if failures != nil {
		return failures // a handler may still run, on its copy
	}
	free()
	return next.Call(ctx, in)
}

// place is the position of a handler in a run: a branch of a Parallel, inside of others.
type place struct {
	above    *place
	parallel *step // the first branch
	branch   int
}

type placeKey struct{}

func placeFrom(ctx context.Context) *place {
	at, _ := ctx.Value(placeKey{}).(*place)
	return at
}

func within(ctx context.Context, parallel *step, branch int) context.Context {
	return context.WithValue(ctx, placeKey{}, &place{placeFrom(ctx), parallel, branch})
}

// beside says whether two places are in different branches of one Parallel.
func (at *place) beside(other *place) bool {
	for ; at != nil; at = at.above {
		for o := other; o != nil; o = o.above {
			if at.parallel == o.parallel && at.branch != o.branch {
				return true
			}
		}
	}
	return false
}

// parallelError has the failures of one branch or more. It is permanent only if each is.
type parallelError []error

// Error implements error.
func (e parallelError) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = textOf(err)
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the failures, for [errors.Is] and [errors.As].
func (e parallelError) Unwrap() []error { return e }

func (e parallelError) rejection() Reason {
	var reason Reason
	for _, err := range e {
		if reason = ReasonOf(err); reason == "" {
			return ""
		}
	}
	return reason
}
