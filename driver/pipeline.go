package driver

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
)

// Pipeline is an immutable chain of handlers, safe for use from any number of
// goroutines. The zero value is an empty pipeline, which accepts every message.
type Pipeline struct {
	handlers  []Handler
	first     Next // the whole chain; nil while there is no handler
	prompt    int  // how many handlers, from the first on, are called in the caller's goroutine
	abandoned atomic.Int64
}

// New returns a pipeline of the handlers, in the order of processing. It panics
// if one is nil.
func New(handlers ...Handler) *Pipeline {
	p := &Pipeline{handlers: slices.Clone(handlers)}
	for p.prompt < len(handlers) && isPrompt(handlers[p.prompt]) {
		p.prompt++
	}
	next := Next(end)
	for i, h := range slices.Backward(p.handlers) {
		if h == nil {
			panic(fmt.Sprintf("driver: handler %d of the pipeline is nil", i+1))
		}
		next = (&step{name: handlerName("handler", i+1, h), handler: h, next: next}).call
		if i == p.prompt {
			next = p.until(next)
		}
		p.first = next
	}
	return p
}

// end is what the last handler of a chain calls.
func end(context.Context, Message) error { return nil }

// WithNextHandler returns a new pipeline: this one's handlers, then h.
func (p *Pipeline) WithNextHandler(h Handler) *Pipeline {
	return New(append(slices.Clone(p.handlers), h)...)
}

// Process sends in through the handlers and returns when they are done, or as
// soon as ctx ends, whichever is first. A failure is an [*Error] that says which
// handler failed on which key and source; a handler's panic is one too, with a
// [*PanicError] inside. Process neither panics nor ends its caller's goroutine, whatever
// the handlers do, and the error is safe to use, whatever they return: see [Guard].
//
// Where ctx ends first, the error wraps ctx.Err() and names no handler: the
// handlers are told by their context and left to finish on their own. Those that
// have not done so yet are counted by [Pipeline.Abandoned].
func (p *Pipeline) Process(ctx context.Context, in Message) error {
	if err := ctx.Err(); err != nil {
		return failure("", in, err)
	}
	if p.first == nil {
		return nil
	}
	if p.prompt > 0 && RunFrom(ctx) == nil {
		ctx, _ = WithRun(ctx)
	}
	return p.first(ctx, in)
}

// The states of a run that is watched for the end of its context. The side that
// moves it away from running decides what Process returns.
const (
	running int32 = iota
	finished
	abandoned
)

// until runs the rest of the chain in one goroutine of its own, since there is no other way to
// return while a handler ignores its context, or to survive one that ends its goroutine.
func (p *Pipeline) until(rest Next) Next {
	return func(ctx context.Context, in Message) error { return p.processUntil(ctx, in, rest) }
}

func (p *Pipeline) processUntil(ctx context.Context, in Message, rest Next) error {
	u := &underway{pipeline: p, rest: rest, ctx: ctx, in: in, release: holdMemory(ctx), over: make(chan struct{})}
	if RunFrom(ctx) == nil {
		u.run.Context = ctx
		u.ctx = &u.run
	}
	go u.work()

	select {
	case <-u.over:
		return failure("", in, u.err)
	case <-ctx.Done():
	}
	p.abandoned.Add(1)
	if !u.state.CompareAndSwap(running, abandoned) {
		p.abandoned.Add(-1) // it finished at the same moment
		<-u.over
		return failure("", in, u.err)
	}
	return failure("", in, fmt.Errorf("%w before the handlers were done", ctx.Err()))
}

// underway is a call of Process. All that it needs is one allocation, beside the channel.
type underway struct {
	pipeline *Pipeline
	rest     Next
	ctx      context.Context // of the handlers
	run      runContext      // is ctx, unless the caller's context has a Run
	in       Message
	release  func() // of the memory
	state    atomic.Int32
	err      error         // what Guard returns, as soon as
	over     chan struct{} // is closed
}

// work runs the chain in a goroutine of its own.
func (u *underway) work() {
	growStack(false)
	deliver(func() error {
		defer u.end()
		return u.rest(u.ctx, u.in)
	}, func(err error) {
		u.err = err
		close(u.over)
	})
}

func (u *underway) end() {
	u.release()
	if !u.state.CompareAndSwap(running, finished) {
		u.pipeline.abandoned.Add(-1)
	}
}

// ProcessAsync starts Process in a goroutine of its own. The channel delivers its
// one result and is then closed; it need not be read.
func (p *Pipeline) ProcessAsync(ctx context.Context, in Message) <-chan error {
	result := make(chan error, 1)
	go func() {
		defer close(result)
		result <- p.Process(ctx, in)
	}()
	return result
}

// Abandoned says how many calls of Process have returned because their context
// ended while a handler is still running: one that does not end with its client (see
// package cache), or ignores its context. A number that stays above zero means the
// latter.
func (p *Pipeline) Abandoned() int {
	return int(p.abandoned.Load())
}

// step is a handler at its place in a pipeline.
type step struct {
	name    string
	handler Handler
	next    Next
}

// call runs the handler. Its failure, or its panic, becomes an *Error, unless it
// is one already, from further down.
func (s *step) call(ctx context.Context, m Message) error {
	err := Recover(func() error { return s.handler.Process(ctx, m, s.next) })
	if err == nil {
		return nil
	}
	return failure(s.name, m, err)
}

// failure returns err as an *Error of that handler and message; nil for nil.
func failure(handler string, m Message, err error) error {
	if err = safe(err); err == nil || located(err) {
		return err
	}
	return safe(&Error{Handler: handler, Key: m.Key, Source: m.Source, ID: m.ID, Err: err})
}
