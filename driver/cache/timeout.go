package cache

import (
	"context"
	"sync"
	"time"
)

// timeout is a context that ends at a time, with another, or when it is canceled. It is as those of
// [context.WithDeadline] and [context.WithCancelCause], but these are made for the first who waits for the end: a
// store in memory never does, nor does a short handler.
type timeout struct {
	context.Context           // the other
	end             time.Time // zero: it has none of its own

	mu          sync.Mutex
	timed       context.Context // nil: nobody waits
	cancelTimed context.CancelCauseFunc
	over        bool // it was canceled
}

// withDeadline is [context.WithDeadline]. Call cancel with nil as its CancelFunc.
func withDeadline(ctx context.Context, end time.Time) *timeout {
	if earlier, ok := ctx.Deadline(); ok && earlier.Before(end) {
		end = earlier
	}
	return &timeout{Context: ctx, end: end}
}

// lasting is [withDeadline], of a context that does not end when ctx is canceled.
func lasting(ctx context.Context, end time.Time) *timeout {
	t := withDeadline(ctx, end)
	t.Context = context.WithoutCancel(ctx)
	return t
}

// Deadline implements [context.Context].
func (t *timeout) Deadline() (time.Time, bool) { return t.end, !t.end.IsZero() }

// Done implements [context.Context].
func (t *timeout) Done() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.start()
	return t.timed.Done()
}

// start makes a context of the standard library, unless there is one. The caller holds the mutex.
func (t *timeout) start() {
	if t.timed != nil {
		return
	}
	ctx, stop := t.Context, func() {}
	if !t.end.IsZero() && !t.over {
		ctx, stop = context.WithDeadline(t.Context, t.end)
	}
	timed, cancel := context.WithCancelCause(ctx)
	t.timed, t.cancelTimed = timed, func(cause error) {
		cancel(cause)
		stop()
	}
	if t.over {
		t.cancelTimed(nil)
	}
}

// Err implements [context.Context].
func (t *timeout) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.timed != nil:
		return t.timed.Err()
	case t.over:
		return context.Canceled
	case t.Context.Err() == nil && t.isLate():
		return context.DeadlineExceeded
	}
	return t.Context.Err()
}

// Value implements [context.Context]. Once somebody waits it is a context of the standard library, from
// which others are made without a goroutine.
func (t *timeout) Value(key any) any {
	t.mu.Lock()
	timed := t.timed
	t.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return t.Context.Value(key)
}

// isLate says whether the time has come.
func (t *timeout) isLate() bool { return !t.end.IsZero() && !time.Now().Before(t.end) }

// cancel is a [context.CancelCauseFunc]. Who asks for a cause finds it where the standard library keeps it.
func (t *timeout) cancel(cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if cause != nil {
		t.start()
	}
	if t.over = true; t.timed != nil {
		t.cancelTimed(cause)
	}
}
