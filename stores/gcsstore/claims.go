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
func (s *Store) Release(ctx context.Context, c driver.Claim, said driver.Released) error {
	if err := s.release(ctx, c, said); err != nil {
		return s.failedClaim(OpRelease, c, err)
	}
	return nil
}

func (s *Store) release(ctx context.Context, c driver.Claim, said driver.Released) error {
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
	_, err = s.change(ctx, c, st.record, func(r record) record { return r.release(said) })
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

// onTheWay is how long a request may take to arrive: longer than its sender waits for
// the answer, perhaps. A completion is sent only where the lease safely lasts for as
// long.
const onTheWay = 10 * time.Second

// errSlow asks for another try: the next one renews the lease again.
var errSlow = errors.New("renewing the lease took so long that the key can't be completed within it")

// known is what the store knows of a claim without asking.
type known struct {
	record record
	// until is when the lease runs out at the earliest. It counts from before the
	// request was sent, so it is no later than by the server's clock, which began
	// to count when it stored the claim.
	until time.Time
}

// marginOf is how long before its end a lease is not relied on any more, for clocks
// that differ: as the holder says. Where it says nothing it is package cache's
// default, or a quarter of a short lease.
func marginOf(c driver.Claim, ttl time.Duration) time.Duration {
	if c.Margin > 0 {
		return c.Margin
	}
	return min(ttl/4, 10*time.Second)
}

// safeUntil is until when nobody can have taken the lease over.
func (k known) safeUntil(c driver.Claim) time.Time {
	return k.until.Add(-marginOf(c, k.record.ttl))
}

// lasts says whether a request that is sent now arrives before safeUntil.
func (k known) lasts(c driver.Claim, now time.Time) bool {
	enough := k.safeUntil(c).Add(-onTheWay)
	// Both clocks of the process: the monotonic one stands still while a machine
	// is suspended, the wall clock can be set back.
	return now.Before(enough) && now.Round(0).Before(enough.Round(0))
}

// Complete implements [driver.ClaimStore]. The completion lasts as long as its
// object. It costs one Class A operation and one round trip, as long as this store
// knows the claim and its lease lasts for the claim's margin and 10 s more. Otherwise
// the lease is renewed first, which costs another A and round trip; and two B and one
// more round trip, where the store does not know the claim. A key that was reopened costs
// another A and B, and two round trips.
func (s *Store) Complete(ctx context.Context, c driver.Claim, outcome driver.Outcome) error {
	if err := s.complete(ctx, c, outcome); err != nil {
		return s.failedClaim(OpComplete, c, err)
	}
	s.held.Forget(c)
	return nil
}

// complete makes sure that nobody takes the key over before its done object is
// there.
//
// No precondition can tie the creation of the done object to the claim's generation,
// since they are two objects. It relies on the lease: others take a key over only after
// its lease has run out. As long as the lease safely lasts, by this process's clock, which
// began to count before the server's did, nobody can have taken the key over, and the
// claim need not be read. The request's deadline is the safe end of the lease. An answer
// in time says that the object was created in time; after a late answer the caller gets an
// error, and not that it has completed. A request that arrived after its deadline could
// create the object when another has taken over, so it is sent only if there is time for
// it to arrive.
//
// Otherwise the lease is renewed first, by compare-and-swap on the claim. That
// fails if another has taken over; if not, it keeps others away as above. So
// a holder that comes back after its lease ran out either completes, or learns
// that it has lost. It never completes beside another.
func (s *Store) complete(ctx context.Context, c driver.Claim, outcome driver.Outcome) error {
	ctx, cancel, err := s.begin(ctx, OpComplete, c.Key, anySource)
	if err != nil {
		return err
	}
	defer cancel()

	k, ok := s.held.Find(c)
	if !ok {
		st, err := s.look(ctx, c)
		if err != nil {
			return err
		}
		if st.isDone {
			return completedBy(c, st.done)
		}
		k.record = st.record
	}
	if !ok || !k.lasts(c, time.Now()) {
		ttl := max(k.record.ttl, marginOf(c, k.record.ttl)+2*onTheWay) // for the renewal, and for the completion
		if k, err = s.extend(ctx, c, k.record, ttl); err != nil {
			return err
		}
		if !k.lasts(c, time.Now()) {
			return errSlow
		}
	}
	// A claim that was given up, or whose completion is under way and uncertain,
	// is not remembered: what comes next has to look.
	s.held.Forget(c)
	ctx, cancel = context.WithDeadline(ctx, k.safeUntil(c))
	defer cancel()
	return s.close(ctx, c, outcome, func() bool { return k.lasts(c, time.Now()) })
}

// close writes the done object of c, whose lease keeps others away for as long as lasts says so.
func (s *Store) close(ctx context.Context, c driver.Claim, outcome driver.Outcome, lasts func() bool) error {
	for replaces := absent; ; {
		err := s.writeDone(ctx, c, outcome, replaces)
		if !errors.Is(err, errRefused) {
			return err
		}
		done, isDone, err := s.readDone(ctx, c)
		switch {
		case err != nil:
			return err
		case isDone:
			return completedBy(c, done)
		case done.token >= c.Token || done.generation == absent: // reopened since; or deleted, long before its time
			return driver.ErrLost
		case !lasts():
			return errSlow
		}
		replaces = done.generation
	}
}

// completedBy returns nil if it was c that completed the key.
func completedBy(c driver.Claim, done completion) error {
	if done.by(c) {
		return nil
	}
	return driver.ErrLost
}
