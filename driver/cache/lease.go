package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/eventdriver/driver"
)

const (
	completeWithin = 10 * time.Second // at least
	renewAtMost    = time.Second      // Cloud Storage takes one write a second for an object
)

var (
	// errLeaseEnding is the cause with which a handler's context ends when the
	// lease could not be renewed in time.
	errLeaseEnding = errors.New("the lease could not be renewed in time")
	// errTooLate is the failure of a message whose claim came too late.
	errTooLate = errors.New("not processed: claiming the key took too long for the lease or the request")
)

// lease is a claim that is being held, and the context of those who run under it. All that the run needs is
// one allocation. Its other fields belong to one goroutine at a time: to keep while that runs, to process before
// and after. Those that don't change may be read by those who run.
type lease struct {
	timeout
	cache  *Cache
	key    string         // that is claimed
	above  *lease         // of a cache further up
	kept   sync.WaitGroup // for the goroutine that keeps the lease
	claim  driver.Claim
	length time.Duration
	asked  time.Time // when the claim or its last renewal was asked for
	// quarantined: whether the holder before acted is not known, and nothing may run
	// twice. So the key stays in quarantine unless it is completed.
	quarantined bool
	// sweep: no event has caused the run, so none comes again because of its failure. So a run of a
	// sweep does not put its key into quarantine, of which nobody would hear: its lease runs out, and
	// whoever takes over calls onExpiry. When that has failed for good, the key stays in quarantine.
	sweep bool
	// failed: the run has ended, and the key is released as one that failed for good.
	failed bool
	// attempts is how many runs have failed before; 0 again, where a person has sent the event of a key
	// again that had failed for good. Redeliveries of that event go on to count.
	attempts int
	// outcome is what a completion is recorded with.
	outcome driver.Outcome
}

// hold returns the lease of a claim, which was asked for in run. From here on it does not end with its client, but still
// at ctx's deadline, and what the store is told of it by calls in the lease's Context does not end at all.
func (c *Cache) hold(ctx context.Context, run *timeout, claim driver.Claim, length time.Duration, asked time.Time) *lease {
	unknown := claim.Takeover || claim.Mark == driver.MarkQuarantined
	_, sweep := driver.SweepFrom(ctx)
	l := &lease{cache: c, key: claim.Key, above: leaseFrom(ctx), claim: claim, length: length, asked: asked,
		attempts: claim.Attempts, quarantined: unknown && c.onExpiry != nil, sweep: sweep}
	l.Context = driver.WithClaim(run.Context, claim)
	l.end, _ = ctx.Deadline()
	if driver.IsResent(ctx) && claim.Mark == driver.MarkFailed {
		l.attempts = 0
	}
	return l
}

// safeEnd is until when nobody else can have taken over. It counts from before
// the claim was asked for, since the store's clock began to count after that.
func (l *lease) safeEnd() time.Time {
	return l.asked.Add(l.length - l.claim.Margin)
}

// safe says whether the lease can still be relied upon, by both clocks of the
// process: the monotonic one stands still while a machine is suspended, the wall
// clock can be set back.
func (l *lease) safe(now time.Time) bool {
	end := l.safeEnd()
	return now.Before(end) && now.Round(0).Before(end.Round(0))
}

// process calls next while it keeps the lease, then completes or releases.
func (l *lease) process(in driver.Message, next driver.Next) (err error) {
	l.outcome = outcomeOf(in)
	now := time.Now()
	if !l.safe(now) || l.Err() != nil {
		l.giveBack()
		return fmt.Errorf("%v: %w", l.claim, errTooLate)
	}
	l.kept.Add(1)
	due := time.AfterFunc(min(l.untilRenewal(l.asked, now), l.safeEnd().Sub(now)), l.keep)

	returned := false
	defer func() {
		begun := !due.Stop()
		lost := context.Cause(l)
		l.cancel(nil)
		if begun {
			l.kept.Wait()
		}
		err = l.settle(returned, err, lost)
	}()
	err = next.Call(l, in)
	returned = true
	return err
}

type leaseKey struct{}

// Value implements [context.Context].
func (l *lease) Value(key any) any {
	if key == (leaseKey{}) {
		return l
	}
	return l.timeout.Value(key)
}

// leaseFrom returns the lease under which a handler runs, or nil.
func leaseFrom(ctx context.Context) *lease {
	l, _ := ctx.Value(leaseKey{}).(*lease)
	return l
}

// untilRenewal is how long to wait before the lease is renewed that was asked for then: until a third
// of it has passed, though not less than a second.
func (l *lease) untilRenewal(asked, now time.Time) time.Duration {
	return max(asked.Add(l.length/3).Sub(now), renewAtMost)
}

// keep renews the lease each time that it is due, until the context ends. It begins when the first
// renewal is due, or when the lease ends before that, so that a short run needs no goroutine for it.
// A lease that outlasts the context's deadline is long enough. A claim that is lost ends the context
// at once; a renewal that fails is tried again after another third, and the timer ends the context
// if that comes too late.
func (l *lease) keep() {
	defer l.kept.Done()
	if !l.safe(time.Now()) {
		l.cancel(errLeaseEnding)
		return
	}
	end := time.AfterFunc(time.Until(l.safeEnd()), func() { l.cancel(errLeaseEnding) })
	defer end.Stop()
	var asked time.Time
	for more := l.Err() == nil; more; more = sleep(l, l.untilRenewal(asked, time.Now())) {
		if deadline, ok := l.Deadline(); ok && !deadline.After(l.safeEnd()) {
			return
		}
		asked = time.Now()
		var claim driver.Claim
		err := driver.Guard(func() (err error) {
			claim, err = l.cache.claims.Renew(l, l.claim, l.length)
			return err
		})
		switch {
		case err == nil:
			l.claim, l.asked = claim, asked
			end.Reset(time.Until(l.safeEnd()))
		case errors.Is(err, driver.ErrLost):
			l.cancel(err)
			return
		}
	}
}

// settle tells the store how the run ended. It does so even when the run's time is up,
// since whoever waited for the answer may be gone, but the key is still there. lost
// is why the handler's context ended while it ran, or nil.
func (l *lease) settle(returned bool, err, lost error) error {
	if returned && err == nil {
		return l.complete()
	}
	mark := l.mark(returned && !panicked(err), err, lost)
	if mark != driver.MarkQuarantined || !l.sweep || l.quarantined && driver.IsPermanent(err) {
		l.failed = l.release(l.released(mark, err)) == nil && mark == driver.MarkFailed
	}
	if err != nil && lost != nil && !l.isLate() && !errors.Is(err, lost) {
		return fmt.Errorf("%w (%w)", err, lost)
	}
	return err
}

func (l *lease) complete() error {
	within := l.completeWithin()
	err := persistently(l.Context, within, within, func(ctx context.Context) error {
		return l.cache.claims.Complete(ctx, l.claim, l.outcome)
	})
	if err == nil {
		return nil
	}
	if l.cache.onExpiry != nil && !l.sweep { // otherwise the key must not be released: it would be processed again
		_ = l.release(driver.Released{Mark: driver.MarkQuarantined, Attempts: l.attempts})
	}
	return fmt.Errorf("processed, but not recorded as completed: %w", err)
}

// outcomeOf is how a key is completed for which in was processed.
func outcomeOf(in driver.Message) driver.Outcome {
	if len(in.Missing) > 0 {
		return driver.OutcomeExpired
	}
	return driver.OutcomeProcessed
}

// panicked says whether an error is a panic further down. It says no more of what was
// under way than a crash does.
func panicked(err error) bool {
	_, is := errors.AsType[*driver.PanicError](err)
	return is
}

// mark is what the next holder is to know of a run that failed. Where nothing may
// run twice, a run with an unknown outcome is quarantined: what was under way when
// its context ended may have happened, as what the handler has not reported.
func (l *lease) mark(reported bool, err, lost error) driver.Mark {
	unknown := l.quarantined || lost != nil || !reported || errors.Is(err, driver.ErrActed)
	switch {
	case unknown && l.cache.onExpiry != nil:
		return driver.MarkQuarantined
	case driver.IsPermanent(err):
		return driver.MarkFailed
	}
	return driver.MarkNone
}

// giveBack releases a claim under which nothing was called, so that the next holder
// knows what this one was told.
func (l *lease) giveBack() {
	mark := l.claim.Mark
	if l.quarantined {
		mark = driver.MarkQuarantined
	}
	if l.sweep && l.quarantined && l.claim.Mark == driver.MarkNone {
		return
	}
	_ = l.release(driver.Released{Mark: mark, Attempts: l.claim.Attempts})
}

// release gives the key up. A claim that can't be released runs out by itself, so callers
// report the failure that came before instead of this one.
func (l *lease) release(r driver.Released) error {
	return persistently(l.Context, releaseWithin, time.Until(l.safeEnd()), func(ctx context.Context) error {
		return l.cache.claims.Release(ctx, l.claim, r)
	})
}

// completeWithin is how long to try to complete: the effect has happened, and if this
// is not recorded it happens again. So it is as long as the request lives and the
// lease safely lasts, but not less than a store needs that is slow.
func (l *lease) completeWithin() time.Duration {
	end := l.safeEnd()
	if deadline, ok := l.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	return max(completeWithin, time.Until(end))
}

// persistently calls op until it succeeds, the claim is lost or the time is up. ctx does not end before. A
// call that has begun may take longer, as long as it is of use: a store that is slow is not down.
func persistently(ctx context.Context, within, ofUse time.Duration, op func(context.Context) error) error {
	now := time.Now()
	end := now.Add(within)
	timed := withDeadline(ctx, now.Add(max(ofUse, oneCall)))
	defer timed.cancel(nil)
	ctx = timed
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := driver.Recover(func() error { return op(ctx) })
		if err == nil || errors.Is(err, driver.ErrLost) || driver.IsPermanent(err) || time.Now().Add(pause).After(end) || !sleep(ctx, pause) {
			return err
		}
	}
}
