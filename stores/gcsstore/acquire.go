package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
)

const (
	// attempts is how often a claim is written that another keeps changing.
	attempts = 10
	// betweenWrites is how often Cloud Storage takes a write of one object.
	betweenWrites = time.Second
	// giveBackWithin is how long to try to give back a claim whose key may be done.
	giveBackWithin = 3 * time.Second
)

var errChanging = fmt.Errorf("other writers kept changing the claim: gave up after %d attempts", attempts)

// Acquire implements [driver.ClaimStore]. A key that was never claimed costs one
// Class A and one Class B operation, both at once: its claim is created, and its
// completion looked for, which may outlive the claim. Otherwise the claim is read
// (B), and a key that is free, or ours already, costs another write and another look
// for the completion (A, B).
//
// Where c has a Token, as that of a claim which another holds, the key is looked at
// first, and nothing is written while it is held (two B). When it has become free it
// is claimed a second after its last change, since Cloud Storage takes one write a
// second for one object.
//
// The first token of a key is the time in milliseconds, so that tokens do not go
// back in a key's next life, when all objects of the one before have been deleted.
func (s *Store) Acquire(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	claim, err := s.acquire(ctx, c, ttl)
	if err != nil {
		return driver.Claim{}, failed(OpAcquire, c.Key, anySource, err)
	}
	return claim, nil
}

func (s *Store) acquire(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	if err := driver.ValidClaim(c); err != nil {
		return driver.Claim{}, err
	}
	caller := ctx
	ctx, cancel, err := s.begin(ctx, OpAcquire, c.Key, anySource)
	if err != nil {
		return driver.Claim{}, err
	}
	defer cancel()
	if ttl <= 0 {
		return driver.Claim{}, notPositive(ttl)
	}
	a := acquisition{store: s, caller: caller, claim: c,
		next: record{token: time.Now().UnixMilli(), owner: ownerMark(c.Owner), ttl: ttl, write: newWrite()}}
	st, err := a.begin(ctx)
	for n := 0; err == nil; n++ {
		switch {
		case st.isDone:
			return driver.Claim{}, a.tidy(ctx, st)
		case st.record.write == a.next.write: // ours, also where the answer was lost
			return s.handOut(c, st.record, a.asked), nil
		case n == attempts:
			return driver.Claim{}, errChanging
		}
		st, err = a.replace(ctx, st)
	}
	return driver.Claim{}, err
}

// acquisition is an Acquire that is under way.
type acquisition struct {
	store  *Store
	caller context.Context // of Acquire, which may last longer than the operation's
	claim  driver.Claim    // what is asked for
	next   record          // what is written next, or was last
	asked  time.Time       // when it was sent
	paused bool
}

// begin claims a key that was never claimed, unless it is known to have been, and
// returns what is recorded then.
func (a *acquisition) begin(ctx context.Context) (standing, error) {
	if a.claim.Token != 0 {
		return a.store.look(ctx, a.claim)
	}
	// A completion may outlive its claim, so it is looked for at the same time.
	var st standing
	looked := driver.Go(func() (err error) {
		st.done, st.isDone, err = a.store.readDone(ctx, a.claim)
		return err
	})
	written, err := a.write(ctx)
	errDone := <-looked
	switch {
	case err == nil && errDone != nil:
		a.giveBack(written)
	case errors.Is(err, errRefused):
		written, err = a.store.readRecord(ctx, a.claim)
		if errors.Is(err, driver.ErrNotFound) { // deleted just now
			written, err = record{}, nil
		}
	}
	st.record = written
	return st, both(err, errDone)
}

// replace claims a key that st says is free, and returns what is recorded then.
func (a *acquisition) replace(ctx context.Context, st standing) (standing, error) {
	next, err := successor(a.claim, st.record, a.next)
	if err != nil {
		return standing{}, err
	}
	if waited, err := a.pause(ctx, st.record); waited || err != nil {
		if err != nil {
			return standing{}, err
		}
		return a.store.look(ctx, a.claim)
	}
	a.next = next
	if st.record.owner == next.owner { // what is known of the lease may change without an answer
		c := a.claim
		c.Token = st.record.token
		a.store.held.Forget(c)
	}
	st.record, err = a.write(ctx)
	if errors.Is(err, errRefused) {
		return a.store.look(ctx, a.claim)
	}
	if err != nil {
		return standing{}, err
	}
	// The holder before may have completed the key before this write. Now it can't any more.
	st.done, st.isDone, err = a.store.readDone(ctx, a.claim)
	if err != nil && !next.takeover {
		a.giveBack(st.record)
	}
	return st, err
}

func (a *acquisition) write(ctx context.Context) (record, error) {
	a.asked = time.Now()
	return a.store.writeRecord(ctx, a.claim, a.next)
}

// pause waits, once, where a caller who has been told that the key is held finds it
// free, until a second after it was written last. It says whether it did: then the
// key may have been claimed by another.
func (a *acquisition) pause(ctx context.Context, r record) (bool, error) {
	wait := min(time.Until(r.stored.Add(betweenWrites)), betweenWrites, a.next.ttl/2)
	if a.claim.Token == 0 || a.paused || wait <= 0 || r.generation == absent {
		return false, nil
	}
	a.paused = true
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true, nil
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

// giveBack releases a claim that was just written, when nobody knows whether its key
// is done: if it is, the claim would be an expired one in the key's next life, and
// look like that of a holder who crashed. Its caller may have a little more time than
// the operation has left.
func (a *acquisition) giveBack(r record) {
	ctx, cancel := context.WithTimeout(a.caller, min(giveBackWithin, a.store.settings.timeoutOf(OpAcquire)))
	defer cancel()
	r.released, r.write = true, newWrite()
	_, _ = a.store.writeRecord(ctx, a.claim, r) // otherwise it runs out
}

// tidy returns ErrDone, for a key that is done. A claim beside the completion that is
// not of who completed the key, but this very call's, or one that ran out, is left
// released first, for the same reason as in giveBack. Its token is not less than that
// of the completion.
func (a *acquisition) tidy(ctx context.Context, st standing) error {
	r := st.record
	mine := r.owner == a.next.owner
	if r.generation == absent || r.released || st.done.of(r) || !mine && time.Now().Before(r.expires()) {
		return driver.ErrDone
	}
	r = r.release(driver.Released{})
	r.write, r.token = newWrite(), max(r.token, st.done.token)
	if _, err := a.store.writeRecord(ctx, a.claim, r); err != nil && !errors.Is(err, errRefused) {
		return err
	}
	return driver.ErrDone
}

// successor is the record to write in place of r so that the key is of next's
// owner; or a HeldError, or a LaterError.
func successor(c driver.Claim, r, next record) (record, error) {
	next.generation = r.generation
	next.takeover, next.mark, next.attempts = false, driver.MarkNone, 0
	switch {
	case r.generation == absent: // deleted meanwhile
	case time.Now().Before(r.resumes()) && !c.Early:
		return next, &driver.LaterError{Scope: c.Scope, Key: c.Key, Token: r.token, Until: r.resumes()}
	case r.released:
		next.token, next.mark, next.attempts = r.token+1, r.mark, r.attempts
	case r.owner == next.owner:
		// The caller has lost an answer, or its patience. It is given the same
		// claim again, with a lease of the length that it asks for from now on.
		next.token, next.takeover, next.mark, next.attempts = r.token, r.takeover, r.mark, r.attempts
	case time.Now().Before(r.expires()):
		return next, &driver.HeldError{Scope: c.Scope, Key: c.Key, Token: r.token, Expires: r.expires()}
	default:
		next.token, next.takeover, next.attempts = r.token+1, true, r.attempts+1
	}
	return next, nil
}

// handOut returns the claim that r records, and remembers it. asked is when the
// request was sent that stored it.
func (s *Store) handOut(c driver.Claim, r record, asked time.Time) driver.Claim {
	c.Token, c.Expires, c.Takeover, c.Mark, c.Attempts = r.token, asked.Add(r.ttl), r.takeover, r.mark, r.attempts
	s.held.Remember(c, known{r, c.Expires})
	return c
}

func notPositive(ttl time.Duration) error {
	return fmt.Errorf("a lease of %v is not positive", ttl)
}
