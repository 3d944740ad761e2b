package driver

import "context"

// Handler is one step of a pipeline.
//
// Process handles in and goes on with the rest of the pipeline by calling next,
// or stops there by returning without calling it. What it returns decides about
// the event: see the package documentation, Failures. Process is called from
// many goroutines at once, must honour ctx, and must not change in.Content or
// in.Attributes in place.
type Handler interface {
	Process(ctx context.Context, in Message, next Next) error
}

// HandlerFunc lets a function be a [Handler].
type HandlerFunc func(ctx context.Context, in Message, next Next) error

// Process calls f.
func (f HandlerFunc) Process(ctx context.Context, in Message, next Next) error {
	return f(ctx, in, next)
}

// Next is the rest of a pipeline, as a handler sees it. After the last handler
// it does nothing and returns nil. In a [Pipeline] it never panics: a panic
// further down comes back as an error. A handler further down that ends its goroutine by
// [runtime.Goexit] ends the one that has called Next. A handler that calls it in a goroutine of
// its own does so by [Go], which returns an error even then; nobody else would wake those that wait.
type Next func(ctx context.Context, m Message) error

// Call goes on with m. next.Call(ctx, m) and next(ctx, m) are the same.
func (n Next) Call(ctx context.Context, m Message) error {
	return n(ctx, m)
}

// Prompt is for handlers that wait for nothing, and always return to their caller.
// [Pipeline.Process] calls those at the front of a pipeline in its caller's goroutine. Any other
// handler may ignore its context or end its goroutine, so it and those after it get a goroutine of
// their own.
type Prompt interface {
	Handler
	// Prompt says so. What next does is left out of account.
	Prompt() bool
}

func isPrompt(h Handler) bool {
	p, can := h.(Prompt)
	return can && p.Prompt()
}
