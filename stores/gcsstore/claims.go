package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
)

// Renew implements [driver.ClaimStore]. The token stays the same. It costs one
// Class B and one Class A operation; for a claim of another store, two and one.
func (s *Store) Renew(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	renewed, err := s.renew(ctx, c, ttl)
	if err != nil {
		return driver.Claim{}, s.failedClaim(OpRenew, c, err)
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
		return s.failedClaim(OpRelease, c, err)
	}
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
	k, ok := s.held.Find(c)
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
//
// What the store knew of the claim is forgotten first: as long as nobody knows what
// became of the write, only a look can tell.
func (s *Store) change(ctx context.Context, c driver.Claim, r record, to func(record) record) (record, error) {
	s.held.Forget(c)
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

// failedClaim says which claim it was that err happened to, and forgets it if it is
// lost.
func (s *Store) failedClaim(op Operation, c driver.Claim, err error) error {
	if errors.Is(err, driver.ErrLost) {
		s.held.Forget(c)
	}
	return fmt.Errorf("gcsstore: %s: %v: %w", op, c, err)
}
