package gcsstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"example.com/eventdriver/driver"
)

// record is what a key's claim object says. It is kept in the object's custom
// metadata, so that one metadata GET returns it together with the generation and
// with the time at which the server stored it. The content is the key, for people.
// The object outlives its holder, so that the token never goes back.
type record struct {
	token    int64
	owner    string
	ttl      time.Duration
	takeover bool
	released bool
	// mark is what the key was released with: of a released record by its holder, of
	// a held one by the holder before.
	mark driver.Mark
	// attempts is how many runs have failed: of a released record with that of its holder, of a
	// held one before it.
	attempts int
	// pause is how long nobody is given the key after a release, counted from when the server
	// stored it.
	pause time.Duration
	// write is a nonce of the request that stored this: by it a caller that is
	// refused recognises its own write, whose answer was lost.
	write string

	// These two are the server's, not ours to write.
	generation int64
	stored     time.Time
}

// newWrite returns a nonce for record.write.
func newWrite() string { return rand.Text() }

// of says whether c is the claim that r records. Expires is left out: it may have
// been renewed.
func (r record) of(c driver.Claim) bool {
	return r.token == c.Token && r.owner == ownerMark(c.Owner)
}

// expires is when the lease runs out, by the server's clock.
func (r record) expires() time.Time { return r.stored.Add(r.ttl) }

// resumes is when the pause ends, by the server's clock; zero: no pause was asked for.
func (r record) resumes() time.Time {
	if !r.released || r.pause <= 0 {
		return time.Time{}
	}
	return r.stored.Add(r.pause)
}

// release returns r as its holder releases it.
func (r record) release(said driver.Released) record {
	r.released, r.mark, r.pause, r.attempts = true, said.Mark, said.Pause, said.Attempts
	return r
}

// saysNothing says whether r was released as driver.Released{} releases it.
func (r record) saysNothing() bool {
	return r.released && r.mark == driver.MarkNone && r.pause == 0 && r.attempts == 0
}

// ownerMark is an owner as metadata can hold it; different owners have different
// marks.
func ownerMark(owner string) string { return objectName(owner) }

// The fields of a record and of a completion in an object's custom metadata.
const (
	fieldState    = "state"
	fieldToken    = "token"
	fieldOwner    = "owner"
	fieldTTL      = "ttl"
	fieldTakeover = "takeover"
	fieldWrite    = "write"
	fieldMark     = "mark"
	fieldPause    = "pause"
	fieldAttempts = "attempts"
	fieldOutcome  = "outcome"
	fieldForm     = "form"

	stateHeld     = "held"
	stateReleased = "released"
	stateDone     = "done"
	stateReopened = "reopened"
)

// recordForm is the form in which claims and completions are written. Those of before
// forms were written down have it, too.
const recordForm = 1

// reopenedForm is the form of a completion that was reopened: earlier revisions of this package,
// which would take it for one that holds, can't read it.
const reopenedForm = 2

// checkForm returns an error unless metadata is of a form up to newest.
func checkForm(metadata map[string]string, newest int) error {
	text, written := metadata[fieldForm]
	if !written {
		return nil
	}
	switch form, err := strconv.Atoi(text); {
	case err != nil || form < 1:
		return fmt.Errorf("%w: form %.40q", ErrCorrupt, text)
	case form > newest:
		return fmt.Errorf("%w: form %d, and this program reads up to %d", ErrNewer, form, newest)
	}
	return nil
}

func (r record) metadata() map[string]string {
	state := stateHeld
	if r.released {
		state = stateReleased
	}
	metadata := map[string]string{
		fieldState:    state,
		fieldToken:    strconv.FormatInt(r.token, 10),
		fieldOwner:    r.owner,
		fieldTTL:      r.ttl.String(),
		fieldTakeover: strconv.FormatBool(r.takeover),
		fieldWrite:    r.write,
		fieldMark:     string(r.mark),
		fieldForm:     strconv.Itoa(recordForm),
	}
	// Earlier revisions read what is left out here, and no more: they run a key during its pause,
	// and begin to count anew.
	if r.pause > 0 {
		metadata[fieldPause] = r.pause.String()
	}
	if r.attempts > 0 {
		metadata[fieldAttempts] = strconv.Itoa(r.attempts)
	}
	return metadata
}

func parseRecord(metadata map[string]string) (record, error) {
	if err := checkForm(metadata, recordForm); err != nil {
		return record{}, err
	}
	token, errToken := strconv.ParseInt(metadata[fieldToken], 10, 64)
	ttl, errTTL := time.ParseDuration(metadata[fieldTTL])
	takeover, errTakeover := strconv.ParseBool(metadata[fieldTakeover])
	attempts, errAttempts := strconv.Atoi(cmp.Or(metadata[fieldAttempts], "0"))
	pause, errPause := time.ParseDuration(cmp.Or(metadata[fieldPause], "0"))
	var errState error
	state := metadata[fieldState]
	if state != stateHeld && state != stateReleased {
		errState = fmt.Errorf("state %q", state)
	}
	if err := errors.Join(errToken, errTTL, errTakeover, errAttempts, errPause, errState); err != nil {
		return record{}, fmt.Errorf("%w: claim: %w", ErrCorrupt, err)
	}
	if token < 1 || token == math.MaxInt64 { // the next would be less
		return record{}, fmt.Errorf("%w: claim: token %d", ErrCorrupt, token)
	}
	return record{
		token:    token,
		owner:    metadata[fieldOwner],
		ttl:      ttl,
		takeover: takeover,
		released: state == stateReleased,
		write:    metadata[fieldWrite],
		mark:     driver.Mark(metadata[fieldMark]),
		attempts: attempts,
		pause:    pause,
	}, nil
}

// readRecord returns what key's claim object says, or driver.ErrNotFound.
func (s *Store) readRecord(ctx context.Context, c driver.Claim) (record, error) {
	name := s.layout.claim(c)
	attrs, err := s.stat(ctx, name)
	if err != nil {
		return record{}, err
	}
	r, err := parseRecord(attrs.metadata)
	if err != nil {
		return record{}, s.unexpected(ctx, name, err)
	}
	// It is when this generation was stored. Updated is the same at first,
	// but moves whenever something changes the object's metadata.
	r.generation, r.stored = attrs.generation, attrs.created
	return r, nil
}

// writeRecord stores r as key's claim object in place of the generation that r
// came from (none, if 0), or errRefused. It returns r with the new generation.
func (s *Store) writeRecord(ctx context.Context, c driver.Claim, r record) (record, error) {
	generation, err := s.insert(ctx, object{
		name:        s.layout.claim(c),
		content:     bytesOf([]byte(c.Key)),
		contentType: "text/plain",
		metadata:    r.metadata(),
	}, r.generation)
	if err != nil {
		return record{}, err
	}
	r.generation = generation
	return r, nil
}

// completion is what a key's done object says. One that was reopened holds no more, but its
// object stays, so that no completion by its token, or one before, can come in its place.
type completion struct {
	token    int64
	owner    string
	outcome  driver.Outcome
	reopened bool

	generation int64 // of its object: the server's
}

// by says whether it was c that completed the key.
func (d completion) by(c driver.Claim) bool {
	return d.token == c.Token && d.owner == ownerMark(c.Owner)
}

// of says whether it was the claim of r that completed the key.
func (d completion) of(r record) bool { return d.token == r.token && d.owner == r.owner }

// readDone returns what key's done object says; false: there is none, or it was reopened.
func (s *Store) readDone(ctx context.Context, c driver.Claim) (completion, bool, error) {
	name := s.layout.done(c)
	attrs, err := s.stat(ctx, name)
	if errors.Is(err, driver.ErrNotFound) {
		return completion{}, false, nil
	}
	if err != nil {
		return completion{}, false, err
	}
	done, err := parseCompletion(attrs.metadata)
	if err != nil {
		return completion{}, false, s.unexpected(ctx, name, err)
	}
	done.generation = attrs.generation
	return done, !done.reopened, nil
}

func parseCompletion(metadata map[string]string) (completion, error) {
	if err := checkForm(metadata, reopenedForm); err != nil {
		return completion{}, err
	}
	token, err := strconv.ParseInt(metadata[fieldToken], 10, 64)
	if err != nil {
		return completion{}, fmt.Errorf("%w: completion: %w", ErrCorrupt, err)
	}
	// Before outcomes were written down, all that was completed had been processed.
	outcome := cmp.Or(driver.Outcome(metadata[fieldOutcome]), driver.OutcomeProcessed)
	return completion{token: token, owner: metadata[fieldOwner], outcome: outcome, reopened: metadata[fieldState] == stateReopened}, nil
}

// writeDone writes c's done object in place of the given generation, or errRefused.
func (s *Store) writeDone(ctx context.Context, c driver.Claim, outcome driver.Outcome, replaces int64) error {
	_, err := s.insert(ctx, object{
		name:        s.layout.done(c),
		content:     bytesOf([]byte(c.Key)),
		contentType: "text/plain",
		metadata: map[string]string{
			fieldState:   stateDone,
			fieldToken:   strconv.FormatInt(c.Token, 10),
			fieldOwner:   ownerMark(c.Owner),
			fieldOutcome: string(cmp.Or(outcome, driver.OutcomeProcessed)),
			fieldForm:    strconv.Itoa(recordForm),
		},
	}, replaces)
	return err
}

// standing is all that is recorded of a key.
type standing struct {
	record record // its generation is absent if there is none
	done   completion
	isDone bool
}

// look reads a key's claim and completion, both at once.
func (s *Store) look(ctx context.Context, c driver.Claim) (standing, error) {
	var st standing
	looked := driver.Go(func() (err error) {
		st.done, st.isDone, err = s.readDone(ctx, c)
		return err
	})
	r, err := s.readRecord(ctx, c)
	errDone := <-looked
	if errors.Is(err, driver.ErrNotFound) {
		r, err = record{}, nil
	}
	st.record = r
	return st, both(err, errDone)
}
