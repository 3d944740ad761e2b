package driver

import (
	"context"
	"errors"
	"time"
)

// LongestPause is the most that [RetryAfter] asks for; more is cut to this. Platforms deliver an
// event that fails again for a limited time, of Eventarc a day. With an hour, a run that asks for a
// pause again and again is tried some twenty times within that time.
const LongestPause = time.Hour

// RetryAfter is for handlers: it returns err, which says also that nobody needs to try again before d
// has passed. A cache keeps that with the claim that it releases. So deliveries of the key's events
// fail with [ErrLater] until then, at all instances, and no handler behind the cache runs. The pause
// is counted by the store's clock from when the release is recorded; where an instance's clock
// differs from that, the key runs by as much earlier or later.
//
// A d that is not positive is as any failure, and one of more than [LongestPause] is as that. A
// permanent error stays permanent. Of several RetryAfter around an error the outermost counts; of
// the branches of a [Parallel], the longest pause. It returns nil for nil.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{err, min(max(d, 0), LongestPause)}
}

// RetryAfterOf returns the pause for which a failure asks: see [RetryAfter]; 0: for none.
func RetryAfterOf(err error) time.Duration {
	var p interface{ pause() time.Duration }
	if IsPermanent(err) || !errors.As(err, &p) {
		return 0
	}
	return p.pause()
}

type retryAfterError struct {
	err error
	d   time.Duration
}

func (e *retryAfterError) Error() string        { return e.err.Error() }
func (e *retryAfterError) Unwrap() error        { return e.err }
func (e *retryAfterError) pause() time.Duration { return e.d }

// pause is the longest of the branches: none is called before the time that it has asked for.
func (e parallelError) pause() (longest time.Duration) {
	for _, err := range e {
		longest = max(longest, RetryAfterOf(err))
	}
	return longest
}

type resentKey struct{}

// WithResent returns a context for the run of an event that a person has sent again, after it was
// dead-lettered: the attempts of a key that failed for good are counted anew. Should the run fail, its
// redeliveries go on to count. Package convert does so with the letter of an order.
func WithResent(ctx context.Context) context.Context {
	return context.WithValue(ctx, resentKey{}, true)
}

// IsResent says whether a person has sent the event again: see [WithResent].
func IsResent(ctx context.Context) bool { return ctx.Value(resentKey{}) != nil }
