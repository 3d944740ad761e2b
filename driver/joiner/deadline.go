package joiner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/eventdriver/driver"
)

// Deadline ends the waiting of a join that is not complete after d, counted from when the first of
// its events was kept. A sweep then seals the places of the events that are missing, and the
// joiner goes on with what is there; [driver.Message.Missing] says what is not. An event that comes
// later fails as [driver.ReasonTooLate], and a duplicate of one that is there is joined as ever.
//
// No time passes here by itself: something must call the pipeline for each key, now and then, with
// a context of [driver.WithSweep]. And the handler behind the cache must heed Missing;
// convert.DeadLetterIncomplete is one. 0 is no deadline, which is the default; then an event whose key was sealed
// nonetheless, by a joiner that had one, fails as too late, and nothing is joined in part.
//
// The needed sources must be known, as they are for [MatchAll] and And of those, and the store must
// be a [driver.Sealer].
func Deadline(d time.Duration) Option {
	return func(j *Joiner) { j.deadline = d }
}

// canExpire says what is in the way of a deadline.
func (j *Joiner) canExpire(store driver.EventStore) error {
	if j.deadline == 0 {
		return nil
	}
	if j.deadline < 0 {
		return fmt.Errorf("joiner: a Deadline of %v is not positive", j.deadline)
	}
	if j.needed == nil {
		return errors.New("joiner: a Deadline needs a condition of MatchAll alone, which says what is missing")
	}
	if _, can := store.(driver.Sealer); !can {
		return fmt.Errorf("joiner: a Deadline needs a store that is a driver.Sealer, and %T is not", store)
	}
	return nil
}

func isSweep(ctx context.Context, in driver.Message) bool {
	_, sweep := driver.SweepFrom(ctx)
	return sweep && in.Source == ""
}

// sweep looks for all that is needed, and keeps nothing. Where the deadline has passed it seals the
// places of the events that are missing. It returns nil if the join goes on to wait. A key of which
// no event is kept is left alone: it waits for nothing.
func (j *Joiner) sweep(ctx context.Context, in driver.Message, w *waiting) ([]driver.Message, error) {
	if err := driver.ValidKey(in.Key); err != nil {
		return nil, err
	}
	if j.needed == nil {
		return j.decide(ctx, in, w)
	}
	first, free := driver.ScopeMemory(ctx)
	messages, errs := each(j.needed, func(source string) (driver.Message, error) {
		return j.store.LookUp(first, in.Key, source)
	})
	for _, err := range errs {
		if err != nil && !errors.Is(err, driver.ErrNotFound) && !j.isSealed(err) {
			return nil, err
		}
	}
	w.missing = missing(j.needed, errs)
	if !slices.Contains(errs, nil) || len(w.missing) > 0 && !j.isLate(ctx) {
		return nil, nil
	}
	if err := j.seal(first, in.Key, messages, errs); err != nil {
		return nil, err
	}
	if j.policy == KeepLast {
		free()
		return j.lookAgain(ctx, in.Key, w)
	}
	return j.arrived(messages, errs, w), nil
}

// isLate says whether the deadline of the key that is swept has passed.
func (j *Joiner) isLate(ctx context.Context) bool {
	since, _ := driver.SweepFrom(ctx)
	return j.deadline > 0 && time.Since(since) >= j.deadline
}

// seal seals the places of the events that were not found. An event that was kept since then is
// read instead. It returns an error unless it is known now what is in each place.
func (j *Joiner) seal(ctx context.Context, key string, messages []driver.Message, errs []error) error {
	for i, source := range j.needed {
		if !errors.Is(errs[i], driver.ErrNotFound) {
			continue
		}
		sealed, err := j.store.Seal(ctx, key, source)
		if err != nil {
			return err
		}
		if sealed {
			errs[i] = driver.ErrSealed
			continue
		}
		if messages[i], errs[i] = j.store.LookUp(ctx, key, source); errs[i] != nil {
			return errs[i]
		}
	}
	return nil
}

// isSealed says that a place is sealed. Without a deadline that is a failure like others.
func (j *Joiner) isSealed(err error) bool {
	return j.deadline > 0 && errors.Is(err, driver.ErrSealed)
}

// arrived returns the events of those places that are not sealed, and notes the others.
func (j *Joiner) arrived(messages []driver.Message, errs []error, w *waiting) []driver.Message {
	arrived := make([]driver.Message, 0, len(messages))
	for i, source := range j.needed {
		if j.isSealed(errs[i]) {
			w.sealed = append(w.sealed, source)
		} else {
			arrived = append(arrived, messages[i])
		}
	}
	return arrived
}
