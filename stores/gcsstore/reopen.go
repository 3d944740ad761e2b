package gcsstore

import (
	"context"
	"errors"
	"strconv"
	"time"

	"example.com/eventdriver/driver"
)

// Reopen implements [driver.Reopener]. The completion's object is overwritten and stays, with the
// owner of the reopening. It costs two Class A and two Class B operations.
func (s *Store) Reopen(ctx context.Context, c driver.Claim) error {
	if err := s.reopen(ctx, c); err != nil {
		return s.failedClaim(OpReopen, c, err)
	}
	return nil
}

// reopen first leaves the claim released, then overwrites the completion by its generation. Between
// the two, and where the second fails, the key is still done: a claim beside a completion means
// nothing. The other way round, the next holder would be told of a takeover.
func (s *Store) reopen(ctx context.Context, c driver.Claim) error {
	if err := driver.ValidClaim(c); err != nil {
		return err
	}
	ctx, cancel, err := s.begin(ctx, OpReopen, c.Key, anySource)
	if err != nil {
		return err
	}
	defer cancel()
	for range attempts {
		st, err := s.look(ctx, c)
		switch {
		case err != nil:
			return err
		case st.done.generation == absent || st.done.token != c.Token:
			return driver.ErrLost
		case st.done.reopened:
			return nil
		}
		err = s.leaveReleased(ctx, c, st)
		if err == nil {
			err = s.writeReopened(ctx, c, st.done)
		}
		if !errors.Is(err, errRefused) {
			return err
		}
	}
	return errChanging
}

// leaveReleased leaves the claim of a key that is done released, with a token that is not less
// than that of the completion. One with a greater token and a live lease is of a caller of Acquire that
// has not yet looked for the completion. If it still finds it, it releases the claim; else it holds
// the key.
func (s *Store) leaveReleased(ctx context.Context, c driver.Claim, st standing) error {
	r := st.record
	live := !r.released && time.Now().Before(r.expires())
	if r.saysNothing() && r.token >= st.done.token || live && r.token > st.done.token {
		return nil
	}
	r = r.release(driver.Released{})
	r.write, r.token = newWrite(), max(r.token, st.done.token)
	if r.generation == absent {
		r.owner = st.done.owner
	}
	_, err := s.writeRecord(ctx, c, r)
	return err
}

func (s *Store) writeReopened(ctx context.Context, c driver.Claim, done completion) error {
	_, err := s.insert(ctx, object{
		name:        s.layout.done(c),
		content:     bytesOf([]byte(c.Key)),
		contentType: "text/plain",
		metadata: map[string]string{
			fieldState: stateReopened,
			fieldToken: strconv.FormatInt(done.token, 10),
			fieldOwner: ownerMark(c.Owner),
			fieldForm:  strconv.Itoa(reopenedForm),
		},
	}, done.generation)
	return err
}
