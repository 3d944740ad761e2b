package cache

import (
	"context"
	"sync"
	"time"
)

// timeout is a context that ends at a time, or with another. It is as those of [context.WithDeadline],
// but its timer starts for the first who waits for the end: a store in memory never does.
type timeout struct {
	context.Context // the other
	end             time.Time

	mu     sync.Mutex
	timed  context.Context // nil: nobody waits
	cancel context.CancelFunc
	over   bool // it was canceled before anybody waited
}

// withTimeout is [context.WithTimeout]. Call stop as its CancelFunc.
func withTimeout(ctx context.Context, d time.Duration) *timeout {
	t := &timeout{Context: ctx, end: time.Now().Add(d)}
	if end, ok := ctx.Deadline(); ok && end.Before(t.end) {
		t.end = end
	}
	return t
}

// Deadline implements [context.Context].
func (t *timeout) Deadline() (time.Time, bool) { return t.end, true }

// Done implements [context.Context].
func (t *timeout) Done() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.timed != nil:
	case t.over:
		t.timed, t.cancel = context.WithCancel(t.Context)
		t.cancel()
	default:
		t.timed, t.cancel = context.WithDeadline(t.Context, t.end)
	}
	return t.timed.Done()
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
	case t.Context.Err() == nil && !time.Now().Before(t.end):
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

func (t *timeout) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over = true; t.timed != nil {
		t.cancel()
	}
}
