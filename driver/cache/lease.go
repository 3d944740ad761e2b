package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
)

// errLeaseEnding is the cause with which a handler's context ends when the lease
// could not be renewed in time.
var errLeaseEnding = errors.New("the lease on the key could not be held any longer")

// lease is a claim that is being held. Its fields belong to one goroutine at a
// time: to keep while that runs, to process before and after.
type lease struct {
	claims driver.ClaimStore
	claim  driver.Claim
	length time.Duration
	asked  time.Time // when the claim or its last renewal was asked for
	// quarantine: nothing may run twice. Then a failure after the effect leaves the
	// lease to run out as well.
	quarantine bool
	// keepOnFailure leaves the lease to run out instead of releasing it, so that
	// the next holder, too, sees that it takes over.
	keepOnFailure bool
}

func newLease(claims driver.ClaimStore, claim driver.Claim, length time.Duration, asked time.Time) *lease {
	return &lease{claims: claims, claim: claim, length: length, asked: asked}
}

// safeEnd is until when nobody else can have taken over. It counts from before
// the claim was asked for, since the store's clock began to count after that.
func (l *lease) safeEnd() time.Time {
	return l.asked.Add(l.length - l.claim.Margin)
}

// process calls next while it keeps the lease, then completes or releases.
func (l *lease) process(ctx context.Context, in driver.Message, next driver.Next) (err error) {
	handlerCtx, cancel := context.WithCancelCause(context.WithValue(ctx, claimKey{}, l.claim))
	end := time.AfterFunc(time.Until(l.safeEnd()), func() { cancel(errLeaseEnding) })
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		l.keep(handlerCtx, cancel, end)
	}()

	returned := false
	defer func() {
		end.Stop()
		lost := context.Cause(handlerCtx)
		cancel(nil)
		<-kept
		err = l.settle(ctx, returned, err, lost)
	}()
	err = next.Call(handlerCtx, in)
	returned = true
	return err
}

// keep renews the lease each time a third of it has passed, though not more than
// once a second, until the context ends. A lease that outlasts the context's deadline is long enough. A claim that
// is lost ends the context at once; a renewal that fails is tried again after
// another third, and the timer ends the context if that comes too late.
func (l *lease) keep(ctx context.Context, cancel context.CancelCauseFunc, end *time.Timer) {
	for sleep(ctx, max(l.length/3, renewAtMost)) {
		if deadline, ok := ctx.Deadline(); ok && !deadline.After(l.safeEnd()) {
			return
		}
		asked := time.Now()
		var claim driver.Claim
		err := driver.Guard(func() (err error) {
			claim, err = l.claims.Renew(ctx, l.claim, l.length)
			return err
		})
		switch {
		case err == nil:
			l.claim, l.asked = claim, asked
			end.Reset(time.Until(l.safeEnd()))
		case errors.Is(err, driver.ErrLost):
			cancel(err)
			return
		}
	}
}

// settle says to the store how the run ended. It does so even when ctx has ended,
// since whoever waited for the answer may be gone, but the key is still there.
func (l *lease) settle(ctx context.Context, returned bool, err, lost error) error {
	if returned && err == nil {
		err := persistently(ctx, l.completeWithin(ctx), func(ctx context.Context) error { return l.claims.Complete(ctx, l.claim) })
		if err != nil {
			return fmt.Errorf("key %q was processed (token %d), but not recorded as completed: %w", l.claim.Key, l.claim.Token, err)
		}
		return nil
	}
	if !l.keepOnFailure && !(l.quarantine && errors.Is(err, ErrActed)) {
		// What can't be released runs out by itself, so the failure is not worth
		// more than the handler's own.
		_ = persistently(ctx, releaseWithin, func(ctx context.Context) error { return l.claims.Release(ctx, l.claim, driver.MarkNone) })
	}
	if err != nil && lost != nil && ctx.Err() == nil && !errors.Is(err, lost) {
		return fmt.Errorf("%w (%w)", err, lost)
	}
	return err
}

// completeWithin is how long to try to complete: the effect has happened, and if this
// is not recorded it happens again. So it is as long as the request lives and the
// lease safely lasts, but not less than a store needs that is slow.
func (l *lease) completeWithin(ctx context.Context) time.Duration {
	end := l.safeEnd()
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	return max(completeWithin, time.Until(end))
}

// persistently calls op until it succeeds, the claim is lost or the time is up. A
// call that has begun may take a little longer: a store that is slow is not down.
func persistently(ctx context.Context, within time.Duration, op func(context.Context) error) error {
	end := time.Now().Add(within)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(within, oneCall))
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := driver.Guard(func() error { return op(ctx) })
		if err == nil || errors.Is(err, driver.ErrLost) || driver.IsPermanent(err) || time.Now().Add(pause).After(end) || !sleep(ctx, pause) {
			return err
		}
	}
}
