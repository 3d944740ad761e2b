package driver

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Corrector is an [EventStore] in which a person can replace an event that is wrong by a corrected
// one. What EventStore says of names, concurrency, contexts and of what can't be read holds for
// Corrector, too.
type Corrector interface {
	// Correct keeps m in the place of the event that is kept for its key and source, in one step.
	// What was there is kept elsewhere before that, so that nothing is lost where Correct fails or
	// its process dies: the place has the old event or the new one. Since when an event of the source
	// is kept does not change.
	//
	// It returns [ErrNotFound] where nothing is kept, and [ErrSealed], as a permanent error with
	// [ReasonTooLate], where the place is sealed; then it changes nothing. A Correction without an
	// account, a time or a reason, or with a longer text than [MaxCorrection], is refused as a
	// permanent error.
	//
	// No event overrides a corrected one: Replace returns it, whatever its Time is. Persist and
	// KeepAndLook of content that was corrected return a *[ConflictError] that says Corrected: the
	// event is a redelivery, under every policy. Correct of a corrected event corrects it once more.
	//
	// Correct of the same content and media type by the same Correction returns nil again, and
	// changes nothing, until the event is corrected otherwise. So a caller that lost an answer may
	// simply call again.
	Correct(ctx context.Context, m Message, c Correction) error

	// ReadCorrected returns an event as it was before it was corrected, or ErrNotFound. ref is what
	// the store calls it: see [EventState.Corrections].
	ReadCorrected(ctx context.Context, ref string) (Message, error)
}

// Correction says who has corrected an event, when, and why.
type Correction struct {
	By   string    // an account
	Time time.Time // kept to the microsecond at least
	Why  string    // a reason, for people
}

// MaxCorrection is how many bytes the account and the reason of a [Correction] may have, each.
const MaxCorrection = 1000

// same says whether d is the correction c, whose time a store may have cut to microseconds.
func (c Correction) same(d Correction) bool {
	return c.By == d.By && c.Why == d.Why && c.Time.Truncate(time.Microsecond).Equal(d.Time.Truncate(time.Microsecond))
}

// ValidCorrection returns nil where a [Corrector] can put m in the place of another event, else the
// permanent error with which it refuses them.
func ValidCorrection(m Message, c Correction) error {
	if err := m.Valid(); err != nil {
		return err
	}
	switch {
	case c.By == "" || c.Time.IsZero() || c.Why == "":
		return Permanent(errors.New("a correction needs an account, a time and a reason"))
	case len(c.By) > MaxCorrection || len(c.Why) > MaxCorrection:
		return Permanent(fmt.Errorf("the account or the reason of a correction has more than %d bytes", MaxCorrection))
	}
	return nil
}

// Corrected describes an event that was corrected.
type Corrected struct {
	Correction
	Ref string // what the store calls the event as it was before: see [Corrector]
}
