package driver

import (
	"context"
	"time"
)

type sweepKey struct{}

// WithSweep returns a context for a run that no event has caused, but a sweep through the keys: to
// act upon a join that is complete and that nobody has acted upon, or whose deadline has passed.
// since is when the first of the key's events was kept, by the store's clock: see
// [KeyState.FirstKept].
//
// Such a run is of a message that has nothing but a Key, which a joiner goes on with as with the
// events of that key. Handlers before the joiner leave a message without a Source alone.
func WithSweep(ctx context.Context, since time.Time) context.Context {
	return context.WithValue(ctx, sweepKey{}, since)
}

// SweepFrom says whether a run was caused by a sweep, and since when the first of the key's events
// is kept.
func SweepFrom(ctx context.Context) (since time.Time, sweep bool) {
	since, sweep = ctx.Value(sweepKey{}).(time.Time)
	return since, sweep
}
