package gcsstore

import (
	"context"
	"errors"
	"time"

	"example.com/eventdriver/driver"
)

// completionLease is how long a lease lasts at least that is renewed in order to
// complete.
const completionLease = 10 * time.Second

// Complete implements [driver.ClaimStore]. The completion lasts as long as its
// object. It costs one Class A operation and one round trip, as long as there is
// half of the lease left (all but 20 s of a longer one) and this store has
// acquired or renewed it. Otherwise it costs two A, two B and three round trips.
func (s *Store) Complete(ctx context.Context, c driver.Claim) error {
	if err := s.complete(ctx, c); err != nil {
		return s.lost(OpComplete, c, err)
	}
	s.leases.forget(c)
	return nil
}

// complete makes sure that nobody takes the key over before its done object is
// there.
//
// The done object is not the claim's, so creating it can't depend on the claim's
// generation. What it stands on is the lease: others take a key over only after
// its lease has run out. While that is safely not so, by this process's clock,
// which began to count before the server's did, nobody can have taken it over and
// the claim need not be read. The request's deadline is the safe end of the
// lease: an answer that arrives in time says that the object was created in time.
// Where the answer is late the caller is told so, and not that it has completed.
//
// Otherwise the lease is renewed first, by compare-and-swap on the claim. That
// fails if another has taken over, and if not, it keeps others away as above. So
// a holder that comes back after its lease ran out either completes, or learns
// that it has lost; never both it and another.
func (s *Store) complete(ctx context.Context, c driver.Claim) error {
	ctx, cancel, err := s.begin(ctx, OpComplete, c.Key, anySource)
	if err != nil {
		return err
	}
	defer cancel()

	k, ok := s.leases.find(c)
	if !ok || !k.lasts(time.Now()) {
		st, err := s.look(ctx, c)
		if err != nil {
			return err
		}
		if st.isDone {
			return completedBy(c, st.done)
		}
		if k, err = s.extend(ctx, c, st.record, max(st.record.ttl, completionLease)); err != nil {
			return err
		}
	}
	// A claim that was given up, or whose completion is under way and uncertain,
	// is not remembered: what comes next has to look.
	s.leases.forget(c)
	ctx, cancel = context.WithDeadline(ctx, k.safeUntil())
	defer cancel()
	err = s.createDone(ctx, c)
	if !errors.Is(err, errRefused) {
		return err
	}
	done, isDone, err := s.readDone(ctx, c)
	if err != nil {
		return err
	}
	if !isDone { // deleted meanwhile, long before its time
		return driver.ErrLost
	}
	return completedBy(c, done)
}

// completedBy returns nil if it was c that completed the key.
func completedBy(c driver.Claim, done completion) error {
	if done.by(c) {
		return nil
	}
	return driver.ErrLost
}
