package driver

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Inspector is a store that can say what it keeps of a key, and which keys it has: for
// people, and for tools that act on keys that nobody acts upon. It changes nothing, and
// reads no contents.
//
// What [EventStore] and [ClaimStore] say of names, concurrency and contexts holds for it,
// too. All times but [EventState.Time] are by the store's clock, or that of whoever wrote to a
// store that has none. What is changed while a method runs may be seen as it was before or as it
// is after.
type Inspector interface {
	// Inspect returns all that is kept of a key, or [ErrNotFound] where nothing is. It
	// sees every call of another method of the store that returned before Inspect was
	// called.
	Inspect(ctx context.Context, key string) (KeyState, error)

	// ListKeys returns a page of the keys of which more is kept than dead letters, in any
	// order. Begin without a Cursor, and go on with the Next of each page as the Cursor of
	// the next query, until Next is empty. Then each key that was kept all the time, and
	// passes the query, was in exactly one page, and any other key in one at most.
	//
	// Where it fails, or the context ends, it returns what it has found so far beside the
	// error, and Next is where to go on; that may be the Cursor of the query itself. A
	// Cursor that no page had is refused, as a permanent error.
	ListKeys(ctx context.Context, q KeyQuery) (KeyPage, error)
}

// KeyQuery says which keys are listed. The zero query lists the first of all keys.
type KeyQuery struct {
	// Cursor is where to begin: the Next of the page before; empty: at the beginning. It
	// is good for as long as the store, in any process, and also with another query.
	Cursor string
	// Limit is how many keys are looked at, whether they pass the query or not, before
	// the page ends; 0: [DefaultLimit]. A store that reads many keys at once may look at
	// some more, and pass them on.
	Limit int
	// Open leaves out the keys that are completed in Scope.
	Open  bool
	Scope string
	// KeptBefore leaves out the keys whose first event was kept then or later; zero: none.
	// A key without events is not left out.
	KeptBefore time.Time
}

// DefaultLimit is how many keys a page looks at where the query doesn't say.
const DefaultLimit = 10_000

// Takes says whether a key passes the query.
func (q KeyQuery) Takes(k KeyState) bool {
	if q.Open && k.Claim(q.Scope).Done != nil {
		return false
	}
	first := k.FirstKept()
	return q.KeptBefore.IsZero() || first.IsZero() || first.Before(q.KeptBefore)
}

// KeyPage is what one call of ListKeys has found.
type KeyPage struct {
	// Keys are those that pass the query. Their Letters are left out.
	Keys []KeyState
	// Next is the Cursor of the next page; empty on the last page.
	Next string
	// Seen is how many keys were looked at.
	Seen int
	// Share is how much of the keys this page and those before have seen, by estimation:
	// from 0 to 1, which only the last page has.
	Share float64
}

// KeyState is what a store keeps of a key: facts. What follows from them depends on the
// join's condition, which the store does not know: see joiner.Join.
type KeyState struct {
	Key     string
	Events  []EventState // ordered by source
	Sealed  []string     // the sources whose events are awaited no more, ordered: see [Sealer]
	Decided []Decision   // ordered by the join's name
	Claims  []ClaimState // ordered by scope; those that were ever claimed
	Letters []LetterRef  // in the order in which they were added, as far as that is known
	// Problems says, in a sentence each, what is kept and can't be described: because it
	// is corrupt, or because a later version has written it. It hides nothing else. Of a
	// key that has one for its name, Key is empty.
	Problems []string
}

// EventState describes an event that is kept.
type EventState struct {
	Source    string
	ID        string    // empty if it is not known without reading the event, as MediaType is
	Kept      time.Time // since when an event of this source is kept: replacing it does not change that
	Time      time.Time // when it happened, as its producer says, to the microsecond; zero if unknown
	Size      int64     // of its content, in bytes; -1 if it is not known without reading the event
	MediaType string
	// Corrections are how it came in the place of others, in the order in which they were made: see
	// [Corrector].
	Corrections []Corrected
}

// Decision is what a join was decided on: see [Decider].
type Decision struct {
	Join    string
	Sources []string // ordered
}

// ClaimState describes the claims of a key in one scope. Token, Owner and Takeover are
// those of the newest. Where its completion was reopened, Owner is who reopened it, and
// Changed when.
type ClaimState struct {
	Scope    string
	Token    int64
	Owner    string
	Takeover bool
	// Held says that the key was neither released nor completed: it is the owner's until
	// Expires, and from then on until another takes it over.
	Held bool
	// Expires is when the lease runs out; zero unless Held.
	Expires time.Time
	// Changed is when the claim was acquired, renewed or released last.
	Changed time.Time
	// Mark is what the key was released with; while it is Held, what the holder before has
	// released it with. Of a completed key it is MarkNone.
	Mark Mark
	// Attempts is how many runs of the key have failed: as it was released with; while it is
	// Held, before this run. Of a completed key it is 0.
	Attempts int
	// NotBefore is until when nobody is given the key, since its last run has asked for a pause;
	// zero where it was released without one, and while it is Held or completed.
	NotBefore time.Time
	// Done says how the key was completed; nil: it was not.
	Done *Completion
}

// ByOperator says that an operator released or reopened the key, and nobody has claimed it since:
// the key is to be run at once.
func (c ClaimState) ByOperator() bool {
	return !c.Held && c.Done == nil && c.Mark == MarkNone && strings.HasPrefix(c.Owner, operatorPrefix)
}

// Completion says how a key was completed, by which claim, and when.
type Completion struct {
	Outcome Outcome
	Token   int64
	Owner   string
	Time    time.Time
}

// LetterRef describes a dead letter.
type LetterRef struct {
	Ref    string // what the store calls it
	Reason Reason
	Key    string // empty if it has none, or it is not known without reading the letter, as Source and ID are
	Source string
	ID     string    // the event's
	Added  time.Time // when it was added first
}

// Claim returns what is known of the key's claims in scope: of one that was never claimed
// there, nothing but the Scope.
func (k KeyState) Claim(scope string) ClaimState {
	for _, c := range k.Claims {
		if c.Scope == scope {
			return c
		}
	}
	return ClaimState{Scope: scope}
}

// Sources returns the sources of the events that are kept, ordered.
func (k KeyState) Sources() []string {
	sources := make([]string, len(k.Events))
	for i, e := range k.Events {
		sources[i] = e.Source
	}
	return sources
}

// DecidedOn returns the sources on which the join of that name was decided, or nil.
func (k KeyState) DecidedOn(join string) []string {
	for _, d := range k.Decided {
		if d.Join == join {
			return slices.Clone(d.Sources)
		}
	}
	return nil
}

// FirstKept is when the first of the events was kept; zero without events.
func (k KeyState) FirstKept() (first time.Time) {
	for _, e := range k.Events {
		if first.IsZero() || e.Kept.Before(first) {
			first = e.Kept
		}
	}
	return first
}
