package driver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"
)

// EventStore keeps one message for each key and source.
//
// Keys and sources are any non-empty strings; two different ones never meet. An
// empty one is refused by every method with [ErrNoKey] or [ErrNoSource], as a
// permanent error. All methods are safe for concurrent use, also by other
// processes, and return promptly with the context's error, wrapped, when the
// context ends; what they were doing may then have been done or not.
type EventStore interface {
	// Persist keeps m under its key and source. The first write wins: of any
	// number of calls at once, with different contents, one content is kept and
	// all see the same one. Persist of the same content again returns nil,
	// whatever the other fields say; Persist of other content changes nothing
	// and returns a *[ConflictError] with the message that is kept. So a caller
	// that lost an answer may simply call again. The kept message has m's ID,
	// Key, Source, Content, MediaType, Time (to the microsecond at least) and Attributes;
	// nil and empty Content, and nil and empty Attributes, are the same.
	//
	// What is kept and can't be read any more is a permanent error of every method that
	// needs it, with [ReasonCorrupt]; it names the place.
	Persist(ctx context.Context, m Message) error

	// LookUp returns what is kept for key and source, or [ErrNotFound]. It sees
	// every Persist that returned before LookUp was called.
	LookUp(ctx context.Context, key, source string) (Message, error)

	// LookUpByKey returns all that is kept for key, ordered by source; none is
	// an empty list and no error. It sees every Persist that returned before
	// LookUpByKey was called.
	LookUpByKey(ctx context.Context, key string) ([]Message, error)

	// ListSourcesByKey returns the sources of what is kept for key, ordered, with the same
	// promises as LookUpByKey. No handler of this project calls it: it is for tools, which
	// show what has arrived for a key without reading contents that may be large.
	ListSourcesByKey(ctx context.Context, key string) ([]string, error)
}

// PromptStore is an [EventStore] whose methods wait for nothing, as those of one in memory, and
// always return to their caller. Handlers that call no other can be [Prompt].
type PromptStore interface {
	EventStore
	// IsPrompt says whether store is this one itself. It is not if it embeds this one: it may then
	// have methods that wait.
	IsPrompt(store EventStore) bool
}

// Replacer is an [EventStore] that can also keep the last of several events, as the
// policy to keep the last content needs. What EventStore says of names, concurrency
// and contexts holds for it, too.
type Replacer interface {
	// Replace keeps m under its key and source, in one step, unless what is kept there
	// is later; it returns what is kept afterwards. Where nothing is kept, m is.
	//
	// The event with the later Time is later, to the microsecond; one without a Time is
	// earlier than any that has one. Of events with the same Time, or with none, the
	// later is the one for which Replace was called later, or, of calls at once, any. An
	// event with the ID, Time and Content of what is kept, or of what was replaced, is a
	// redelivery and changes nothing: it does not bring back what was replaced. A store
	// may forget what was replaced beyond the last 1,000 of the same Time.
	//
	// So where Times differ, the order of the calls does not matter. Where they are equal,
	// redeliveries do not matter.
	Replace(ctx context.Context, m Message) (Message, error)
}

// Decider is an [EventStore] that can also keep decisions. A decision says which events
// make a join; a join needs one if its condition may hold for several sets of sources. What
// EventStore says of keys, concurrency and contexts holds for Decider, too.
//
// A decision is kept in a place of its own: no event is ever taken for one, nor does one
// appear among the events.
type Decider interface {
	// Decide keeps that the join called name is made of the events of sources, unless it
	// is decided already, and returns the sources that are decided, ordered, each once.
	// The first write wins: of any number of calls at once, all return the same. So a
	// caller that lost an answer may simply call again. A name is any non-empty string;
	// an empty one, an empty list, and an empty source in it are refused, as permanent
	// errors.
	Decide(ctx context.Context, key, name string, sources []string) ([]string, error)

	// ListDecided returns what ListSourcesByKey returns, and what is decided for the
	// join called name, or nil. It sees every Persist, Replace and Decide that returned
	// before ListDecided was called.
	ListDecided(ctx context.Context, key, name string) (sources, decided []string, err error)
}

// Claim is the right to process one key now: a lease that runs out by itself,
// with a fencing token. What makes it the same claim is its Scope, Key, Token and
// Owner.
type Claim struct {
	// Scope and Key say what is claimed. Claims of one key in two scopes, such as
	// those of two caches in one pipeline, have nothing to do with each other. Any
	// scope is legal, the empty one too.
	Scope, Key string
	// Token is the fencing token: it grows from holder to holder of a key and
	// never goes back, so that whoever receives effects can refuse those of a
	// holder older than the newest that it has seen. Tokens are positive.
	Token int64
	// Owner is the holder's nonce: see [NewOwner].
	Owner string
	// Margin is how long before Expires the holder stops relying on the lease, since
	// clocks differ: by less than this. The caller of Acquire says it, the store
	// returns it unchanged and relies on the lease no longer than the holder does;
	// 0 leaves it to the store.
	Margin time.Duration
	// Expires is when the lease runs out, by the caller's clock. It counts from
	// before the store's clock began to count, so it is not too late.
	Expires time.Time
	// Takeover says that the holder before this one let its lease run out:
	// it crashed or hung, and whether it acted is not known.
	Takeover bool
	// Mark is what the holder before this one said when it released the key;
	// MarkNone where nobody did.
	Mark Mark
	// Attempts is how many runs before this one have failed: as the holder before said when it
	// released the key, and one more for each holder since that let its lease run out.
	Attempts int
	// Early, which the caller of Acquire says, is for operators: it claims the key also
	// during a pause that its last holder has asked for.
	Early bool
}

// String names the claim for errors: its key, its scope and its token, where it has them.
func (c Claim) String() string {
	text := fmt.Sprintf("key %q", c.Key)
	if c.Scope != "" {
		text += fmt.Sprintf(", scope %q", c.Scope)
	}
	if c.Token != 0 {
		text += fmt.Sprintf(", token %d", c.Token)
	}
	return text
}

// Mark is what a holder says of a key when it releases it, for whoever looks at the
// key later.
type Mark string

// The marks.
const (
	MarkNone        Mark = ""
	MarkFailed      Mark = "failed"      // the handler said that it can never succeed
	MarkQuarantined Mark = "quarantined" // nobody knows whether the handler acted
)

// Released is what a holder says of a key when it releases it. The zero value says nothing.
type Released struct {
	Mark Mark
	// Pause is how long nobody is to be given the key, by the store's clock, counted from when
	// it records the release. The store rounds it to a millisecond at most.
	Pause time.Duration
	// Attempts is how many runs have failed: see [Claim].
	Attempts int
}

// Outcome is how a key came to be completed, for whoever looks at the key later. Who
// completes a key may use a word of its own, as short as these.
type Outcome string

// The outcomes.
const (
	OutcomeProcessed Outcome = "processed" // the handler returned nil
	OutcomeExpired   Outcome = "expired"   // its deadline passed before all events had arrived
	OutcomeOperator  Outcome = "operator"  // a person said that it is done
)

// ClaimStore hands out claims, one holder for each key and scope at a time, and
// remembers the keys that are completed.
//
// Keys are any non-empty strings, and scopes any strings; two different pairs never
// meet. An empty key is refused with [ErrNoKey], as a permanent error. All methods
// are safe for concurrent use, also by other processes, and return promptly with the
// context's error, wrapped, when the context ends; what they were doing may then have
// been done or not.
//
// Where an answer is lost, the caller may make the same call again with the same
// claim, also after a Renew whose answer was lost.
//
// A claim belongs to the handle on the store that acquired it: that one may remember
// the claim, and rely on its lease without asking. Another process that has the claim
// may renew, complete or release it, when the handle that acquired it does so no
// more. Where it does nevertheless, what the other has done is sure to be seen by the
// handle only when the lease has run out: it may still complete a key that the other
// has released. Then the key is done, and whoever has claimed it since is told so, as
// Complete returns ErrLost.
type ClaimStore interface {
	// Acquire claims c.Key in c.Scope for c.Owner, with a lease of the length ttl,
	// which must be positive. Of any number of calls at once, one succeeds. It
	// returns c with Token, Expires, Takeover, Mark and Attempts; what c says of all but
	// the first does not matter.
	//
	// While another's lease has not run out it returns a *[HeldError]; for a key
	// that is completed, [ErrDone]. During the pause that a key was released with it
	// returns a *[LaterError], and changes nothing, unless c is Early. A key that was
	// released, or whose holder let the lease run out, is claimed with a token greater
	// than all before. In the first case the claim has the Mark and the Attempts that it
	// was released with; in the second it says Takeover, with the Attempts of that holder
	// and one more. A takeover looks for completion after it has taken the key, since
	// the old holder may have completed it before that.
	//
	// An owner that holds the key already is given its claim again, also when its
	// lease has run out and nobody has taken the key over: with the same token,
	// Takeover, Mark and Attempts, and a lease of ttl from now. So a caller that lost an
	// answer may call again. An empty owner is refused with [ErrNoOwner], as a permanent
	// error.
	//
	// c.Token, unless it is 0, is a hint that changes no result: the caller has been
	// told that a claim with this token holds the key, and may well be told so again.
	// A store for which a write costs more than a look looks first.
	Acquire(ctx context.Context, c Claim, ttl time.Duration) (Claim, error)

	// Renew makes the lease end ttl, which must be positive, from now, for a
	// holder that still has the key, and returns the claim with the new Expires, and
	// nothing else changed. So the claim of before, whose answer may be all that the
	// holder has, is the same, and either can be used.
	// It returns [ErrLost] when the key was released, completed or taken over.
	// A lease that ran out can be renewed while nobody has taken the key over.
	Renew(ctx context.Context, c Claim, ttl time.Duration) (Claim, error)

	// Complete remembers for good (or for the store's retention) that the key
	// is done. It returns [ErrLost], and changes nothing, when the key was
	// released, taken over, completed by another, or never claimed. A holder
	// whose lease ran out can complete while nobody has taken the key over.
	// Completing again with the same claim returns nil, and changes nothing: the first
	// outcome stays. An empty outcome is [OutcomeProcessed].
	//
	// When such a late holder completes at the same moment as another takes
	// over, a store should let one of them win. One that can't decide that in a
	// single step may let both: the key is then done, and the taker's own
	// Complete returns ErrLost.
	Complete(ctx context.Context, c Claim, outcome Outcome) error

	// Release gives the key up without completing it, so that another can
	// claim it: at once, or after r.Pause. It keeps the rest of r for that claim; the
	// token never goes back. It returns [ErrLost], and changes nothing, when the key was
	// taken over or completed. Releasing again with the same claim returns nil, until
	// another claims the key, and changes nothing: what was said first stays.
	Release(ctx context.Context, c Claim, r Released) error
}

type claimKey struct{}

// claimContext is a context with a claim.
type claimContext struct {
	context.Context
	claim Claim
}

// Value implements [context.Context].
func (c *claimContext) Value(key any) any {
	if key == (claimKey{}) {
		return &c.claim
	}
	return c.Context.Value(key)
}

// WithClaim returns a context whose handlers run under the claim.
func WithClaim(ctx context.Context, c Claim) context.Context {
	return &claimContext{ctx, c}
}

// ClaimFrom returns the claim under which a handler after a cache runs; of several caches,
// that of the nearest. Its Token is the fencing token of this run. Its Expires is when the
// lease ended that was acquired; the cache may have renewed it since. The second result is
// false outside of a cache.
func ClaimFrom(ctx context.Context) (Claim, bool) {
	c, ok := ctx.Value(claimKey{}).(*Claim)
	if !ok {
		return Claim{}, false
	}
	return *c, true
}

// NewClaim returns a claim of key to ask for, for an owner that has never been one
// before.
func NewClaim(key string) Claim {
	return Claim{Key: key, Owner: NewOwner()}
}

// NewOwner returns a random string that has never been an owner before.
func NewOwner() string {
	return rand.Text()
}

const operatorPrefix = "operator-"

// NewOperator returns an owner that has never been before, for changes by an operator: see
// [ClaimState.ByOperator]. by is who that is.
func NewOperator(by string) string {
	return operatorPrefix + by + "-" + NewOwner()
}

// ValidClaim returns nil where c names a key and an owner, else a permanent error:
// [ErrNoKey] or [ErrNoOwner].
func ValidClaim(c Claim) error {
	if err := ValidKey(c.Key); err != nil {
		return err
	}
	if c.Owner == "" {
		return Permanent(ErrNoOwner)
	}
	return nil
}

// ValidJoin returns nil where key and name can name a join to a [Decider], else a
// permanent error.
func ValidJoin(key, name string) error {
	if err := ValidKey(key); err != nil {
		return err
	}
	if name == "" {
		return Permanent(errors.New("the join has no name"))
	}
	return nil
}

// ValidDecision returns what a [Decider] keeps of sources, ordered and each once, or the
// permanent error with which it refuses a decision without a key, a name or sources.
func ValidDecision(key, name string, sources []string) ([]string, error) {
	if err := ValidJoin(key, name); err != nil {
		return nil, err
	}
	if len(sources) == 0 || slices.Contains(sources, "") {
		return nil, Permanent(errors.New("a decision needs sources, and none that is empty"))
	}
	return slices.Compact(slices.Sorted(slices.Values(sources))), nil
}
