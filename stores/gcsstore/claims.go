package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
)

// attempts is how often a claim is written that another keeps changing.
const attempts = 10

var errChanging = fmt.Errorf("others changed the claim %d times meanwhile", attempts)

// Acquire implements [driver.ClaimStore]. A key that was never claimed costs one
// Class A operation and one round trip. Otherwise the claim and the completion
// are read (two Class B), and a key that is free, or ours already, costs another
// write and another look for the completion (A, B).
//
// Cloud Storage takes one write a second for one object, so a key that was
// claimed within the last second may be slow to claim again.
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
	ctx, cancel, err := s.begin(ctx, OpAcquire, c.Key, anySource)
	if err != nil {
		return driver.Claim{}, err
	}
	defer cancel()
	if ttl <= 0 {
		return driver.Claim{}, notPositive(ttl)
	}

	next := record{token: 1, owner: ownerMark(c.Owner), ttl: ttl, write: newWrite()}
	for range attempts {
		asked := time.Now()
		written, err := s.writeRecord(ctx, c, next)
		if err == nil {
			return s.taken(ctx, c, written, asked, next.generation != absent)
		}
		if !errors.Is(err, errRefused) {
			return driver.Claim{}, err
		}
		st, err := s.look(ctx, c)
		switch {
		case err != nil:
			return driver.Claim{}, err
		case st.isDone:
			return driver.Claim{}, driver.ErrDone
		case st.record.write == next.write: // it was written just now, and the answer was lost
			return s.handOut(c, st.record, asked), nil
		}
		if next, err = successor(c, st.record, next); err != nil {
			return driver.Claim{}, err
		}
	}
	return driver.Claim{}, errChanging
}

// taken hands out the claim that was just written. If the key was somebody's
// before, the completion is looked for once more, after the write: the old holder
// may have completed the key until then, and can't any more.
func (s *Store) taken(ctx context.Context, c driver.Claim, r record, asked time.Time, before bool) (driver.Claim, error) {
	if before {
		_, isDone, err := s.readDone(ctx, c)
		if err != nil {
			return driver.Claim{}, err
		}
		if isDone {
			return driver.Claim{}, driver.ErrDone
		}
	}
	return s.handOut(c, r, asked), nil
}

// successor is the record to write in place of r so that the key is of next's
// owner; or a HeldError.
func successor(c driver.Claim, r, next record) (record, error) {
	next.generation = r.generation
	next.takeover, next.mark = false, driver.MarkNone
	switch {
	case r.generation == absent: // deleted meanwhile
	case r.released:
		next.token, next.mark = r.token+1, r.mark
	case r.owner == next.owner:
		// The caller has lost an answer, or its patience. It is given the same
		// claim again, with a lease of the length that it asks for from now on.
		next.token, next.takeover, next.mark = r.token, r.takeover, r.mark
	case time.Now().Before(r.expires()):
		return next, &driver.HeldError{Scope: c.Scope, Key: c.Key, Token: r.token, Expires: r.expires()}
	default:
		next.token, next.takeover = r.token+1, true
	}
	return next, nil
}

// handOut returns the claim that r records, and remembers it. asked is when the
// request was sent that stored it.
func (s *Store) handOut(c driver.Claim, r record, asked time.Time) driver.Claim {
	until := asked.Add(r.ttl)
	c.Token, c.Expires, c.Takeover, c.Mark = r.token, until, r.takeover, r.mark
	s.leases.remember(c, known{r, until})
	return c
}

// Renew implements [driver.ClaimStore]. The token stays the same. It costs one
// Class B and one Class A operation; for a claim of another store, two and one.
func (s *Store) Renew(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	renewed, err := s.renew(ctx, c, ttl)
	if err != nil {
		return driver.Claim{}, s.lost(OpRenew, c, err)
	}
	return renewed, nil
}

func (s *Store) renew(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	ctx, cancel, err := s.begin(ctx, OpRenew, c.Key, anySource)
	if err != nil {
		return driver.Claim{}, err
	}
	defer cancel()
	if ttl <= 0 {
		return driver.Claim{}, notPositive(ttl)
	}
	st, err := s.lookAt(ctx, c)
	if err != nil {
		return driver.Claim{}, err
	}
	if st.isDone {
		return driver.Claim{}, driver.ErrLost
	}
	k, err := s.extend(ctx, c, st.record, ttl)
	if err != nil {
		return driver.Claim{}, err
	}
	return s.handOut(c, k.record, k.until.Add(-ttl)), nil
}

// Release implements [driver.ClaimStore]. The claim's object stays, as a
// tombstone with the token. It costs one Class B and one Class A operation; for a
// claim of another store, two and one.
func (s *Store) Release(ctx context.Context, c driver.Claim, mark driver.Mark) error {
	if err := s.release(ctx, c, mark); err != nil {
		return s.lost(OpRelease, c, err)
	}
	s.leases.forget(c)
	return nil
}

func (s *Store) release(ctx context.Context, c driver.Claim, mark driver.Mark) error {
	ctx, cancel, err := s.begin(ctx, OpRelease, c.Key, anySource)
	if err != nil {
		return err
	}
	defer cancel()
	st, err := s.lookAt(ctx, c)
	if err != nil {
		return err
	}
	if st.isDone {
		return driver.ErrLost
	}
	_, err = s.change(ctx, c, st.record, func(r record) record {
		r.released, r.mark = true, mark
		return r
	})
	if errors.Is(err, errReleased) {
		return nil
	}
	return err
}

// lookAt looks at the key of c: at its claim too, if this store does not know it.
func (s *Store) lookAt(ctx context.Context, c driver.Claim) (standing, error) {
	k, ok := s.leases.find(c)
	if !ok {
		return s.look(ctx, c)
	}
	done, isDone, err := s.readDone(ctx, c)
	return standing{k.record, done, isDone}, err
}

// extend has the lease of c end ttl from now.
func (s *Store) extend(ctx context.Context, c driver.Claim, r record, ttl time.Duration) (known, error) {
	var asked time.Time
	r, err := s.change(ctx, c, r, func(r record) record {
		r.ttl, asked = ttl, time.Now()
		return r
	})
	return known{r, asked.Add(ttl)}, err
}

// errReleased is the ErrLost of a claim that was released by its own holder.
var errReleased = fmt.Errorf("released already: %w", driver.ErrLost)

// change writes what to makes of r, which was read or remembered, for as long as
// the key is that of c. Refused, it reads again: the record is c's in a newer
// generation, or is another's, or it is what was to be written, and only the
// answer was lost.
func (s *Store) change(ctx context.Context, c driver.Claim, r record, to func(record) record) (record, error) {
	write := newWrite()
	for range attempts {
		switch {
		case r.generation == absent || !r.of(c):
			return record{}, driver.ErrLost
		case r.write == write:
			return r, nil
		case r.released:
			return record{}, errReleased
		}
		next := to(r)
		next.write = write
		written, err := s.writeRecord(ctx, c, next)
		if !errors.Is(err, errRefused) {
			return written, err
		}
		r, err = s.readRecord(ctx, c)
		if errors.Is(err, driver.ErrNotFound) {
			return record{}, driver.ErrLost
		}
		if err != nil {
			return record{}, err
		}
	}
	return record{}, errChanging
}

// lost says which claim it was that err happened to, and forgets it if it is lost.
func (s *Store) lost(op Operation, c driver.Claim, err error) error {
	if errors.Is(err, driver.ErrLost) {
		s.leases.forget(c)
	}
	return fmt.Errorf("gcsstore: %s: key %q, token %d: %w", op, c.Key, c.Token, err)
}

func notPositive(ttl time.Duration) error {
	return fmt.Errorf("a lease of %v is not positive", ttl)
}
