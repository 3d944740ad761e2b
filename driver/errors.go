package driver

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Sentinel errors of the stores' contracts. Compare with [errors.Is]: stores wrap
// them with the key, and the source or token, that they are about.
var (
	// ErrNotFound: nothing is stored for that key and source.
	ErrNotFound = errors.New("not found")
	// ErrConflict: other content is stored for that key and source already.
	// The error is a [*ConflictError].
	ErrConflict = errors.New("other content is stored already")
	// ErrSealed: the event is awaited no more, since its key was sealed: see [Sealer]. It is
	// permanent, with [ReasonTooLate].
	ErrSealed = errors.New("sealed: the event is awaited no more")
	// ErrHeld: another holder's lease on that key has not run out. The error is
	// a [*HeldError].
	ErrHeld = errors.New("held by another")
	// ErrLater: the key's last run has asked for a pause, which has not passed. The error is a
	// [*LaterError].
	ErrLater = errors.New("its last run asked for a pause")
	// ErrDone: the key has been completed, and is never to be processed again.
	ErrDone = errors.New("already completed")
	// ErrLost: the claim is no longer the caller's: it was released, another
	// holder took the key over, or the key is completed.
	ErrLost = errors.New("claim lost")
	// ErrMarked: a sweep has found that the key failed for good, or is in quarantine, and leaves it
	// alone: see [WithSweep] and [Mark].
	ErrMarked = errors.New("left alone")
	// ErrNoKey: the event has no key to join by.
	ErrNoKey = errors.New("the event has no key")
	// ErrNoOwner: a claim that is asked for names no owner.
	ErrNoOwner = errors.New("the claim has no owner")
	// ErrNoSource: the event has no source.
	ErrNoSource = errors.New("the event has no source")
	// ErrNoMemory: what the event needs is not free now: see [Memory].
	ErrNoMemory = errors.New("not enough memory is free")
)

// ErrActed is for handlers: an error that wraps it says that the effect has happened, and
// that a later step failed. A cache with cache.QuarantineOnExpiry then quarantines the key
// and does not run it again; without that option the key runs again, as after any failure.
var ErrActed = errors.New("the effect has happened already")

// Error is a failure in a pipeline: what failed, at which handler, on which event.
type Error struct {
	Handler string // its name, see [Named]; empty: none in particular
	Key     string // of the message that the handler was given
	Source  string // likewise
	ID      string // likewise
	Err     error  // what the handler returned; never nil
}

// Error names the handler and the message, then says what went wrong. A message that is
// joined of several events is called an order. What Err says of the message itself is not
// said twice.
func (e *Error) Error() string {
	text := textOf(e.Err)
	if facts := e.facts(text); facts != "" {
		text = facts + ": " + text
	}
	if e.Handler != "" {
		text = e.Handler + ": " + text
	}
	return text
}

// facts returns what is known of the message and not said in text.
func (e *Error) facts(text string) string {
	var facts []string
	said := func(fact string) bool { return strings.Contains(text, fact) }
	add := func(what, value string) {
		if fact := fmt.Sprintf("%s %q", what, value); value != "" && !said(fact) {
			facts = append(facts, fact)
		}
	}
	if e.isOrder() {
		if !said(fmt.Sprintf("key %q", e.Key)) {
			add("order", e.Key)
		}
	} else {
		add("key", e.Key)
		add("source", e.Source)
		add("event", e.ID)
	}
	return strings.Join(facts, ", ")
}

// isOrder says whether the message is one that package joiner has made, by its ID.
func (e *Error) isOrder() bool { return e.Key != "" && e.ID == e.Source+"/"+e.Key }

// Unwrap returns what the handler returned.
func (e *Error) Unwrap() error { return e.Err }

// located says whether err says already where it happened.
func located(err error) bool {
	var e *Error
	return errors.As(err, &e)
}

// HeldError says that a key is held by another. It is an [ErrHeld].
type HeldError struct {
	Scope   string // of the claim, usually empty
	Key     string
	Token   int64     // the holder's
	Expires time.Time // when the holder's lease runs out, as the store knows it now
}

// Error gives the holder's token and when its lease runs out. The store names the key.
func (e *HeldError) Error() string {
	return fmt.Sprintf("%v until %s (token %d)", ErrHeld, e.Expires.UTC().Format(time.RFC3339), e.Token)
}

// Is says that a HeldError is an ErrHeld.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// LaterError says that nobody is given the key until a moment, which its last run has asked for:
// see [RetryAfter]. It is an [ErrLater], and also an [ErrHeld]: nothing is wrong, and the event is to
// be delivered again.
type LaterError struct {
	Scope string // of the claim, usually empty
	Key   string
	Token int64     // of the run that has asked
	Until time.Time // as the store knows it now
}

// Error gives the moment, and the token of the run. The store names the key.
func (e *LaterError) Error() string {
	return fmt.Sprintf("%v until %s (token %d)", ErrLater, e.Until.UTC().Format(time.RFC3339), e.Token)
}

// Is says that a LaterError is an ErrLater and an ErrHeld.
func (e *LaterError) Is(target error) bool { return target == ErrLater || target == ErrHeld }

// ConflictError says that other content is stored for a key and source. It is an
// [ErrConflict].
type ConflictError struct {
	Stored Message // what is stored
	// Corrected says that the event is a redelivery: its content was stored, and a person has
	// corrected it. See [Corrector].
	Corrected bool
}

// Error gives the ID of the stored event, and leaves the contents out. The store names the
// key and the source.
func (e *ConflictError) Error() string {
	if e.Corrected {
		return fmt.Sprintf("%v: this event was corrected", ErrConflict)
	}
	return fmt.Sprintf("%v, of event %q", ErrConflict, e.Stored.ID)
}

// Is says that a ConflictError is an ErrConflict.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// Reason says, in a word for people and for queries, why an event was dead-lettered.
type Reason string

// The reasons for which this project dead-letters events.
const (
	ReasonPermanent       Reason = "permanent-error"   // a handler said Permanent
	ReasonUndecodable     Reason = "undecodable"       // not a CloudEvent, or not a payload of its type
	ReasonNoKey           Reason = "no-key"            // nothing to join by
	ReasonUnknownSource   Reason = "unknown-source"    // not a source that the join waits for
	ReasonConflict        Reason = "conflict"          // other content came before, and the policy is to reject
	ReasonOutcomeUnknown  Reason = "outcome-unknown"   // a holder vanished, and the policy is not to run twice
	ReasonDuplicate       Reason = "duplicate"         // the key is completed, and the policy is to fail
	ReasonIncomplete      Reason = "incomplete"        // the join's deadline passed before all its events had arrived
	ReasonTooLate         Reason = "too-late"          // it came after its key was sealed, at the join's deadline
	ReasonTooOld          Reason = "too-old"           // it still failed when it was older than is allowed
	ReasonTooLarge        Reason = "too-large"         // it, or what it is joined with, never fits in the memory
	ReasonTooManyAttempts Reason = "too-many-attempts" // its business failed as often as is allowed
	ReasonCorrupt         Reason = "corrupt"           // what the store keeps for the key can't be read any more
	ReasonGone            Reason = "gone"              // an event that the join was decided on is not kept any more
)

// Reasons returns these reasons. A handler may have others: see [Reject].
func Reasons() []Reason {
	return []Reason{ReasonPermanent, ReasonUndecodable, ReasonNoKey, ReasonUnknownSource, ReasonConflict,
		ReasonOutcomeUnknown, ReasonDuplicate, ReasonIncomplete, ReasonTooLate, ReasonTooOld, ReasonTooLarge,
		ReasonTooManyAttempts, ReasonCorrupt, ReasonGone}
}

// Permanent marks err as one that no redelivery can fix, so that the event is
// dead-lettered instead of being delivered again. It returns nil for nil.
func Permanent(err error) error {
	return Reject(ReasonPermanent, err)
}

// Reject is [Permanent] with a reason of its own. It returns nil for nil.
func Reject(reason Reason, err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{reason, err}
}

// IsPermanent says whether err, or an error that it wraps, was marked by
// [Permanent] or [Reject]. The failure of a [Parallel] is permanent only if each
// of its failures is.
func IsPermanent(err error) bool {
	return ReasonOf(err) != ""
}

// ReasonOf returns the reason of a permanent error, and "" for any other.
func ReasonOf(err error) Reason {
	var r interface{ rejection() Reason }
	if errors.As(err, &r) {
		return r.rejection()
	}
	return ""
}

type permanentError struct {
	reason Reason
	err    error
}

func (e *permanentError) Error() string     { return e.err.Error() }
func (e *permanentError) Unwrap() error     { return e.err }
func (e *permanentError) rejection() Reason { return e.reason }
