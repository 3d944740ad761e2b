package driver

import (
	"context"
	"crypto/rand"
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
	// Key, Source, Content, Time (to the microsecond at least) and Attributes;
	// nil and empty Content, and nil and empty Attributes, are the same.
	Persist(ctx context.Context, m Message) error

	// LookUp returns what is kept for key and source, or [ErrNotFound]. It sees
	// every Persist that returned before LookUp was called.
	LookUp(ctx context.Context, key, source string) (Message, error)

	// LookUpByKey returns all that is kept for key, ordered by source; none is
	// an empty list and no error. It sees every Persist that returned before
	// LookUpByKey was called.
	LookUpByKey(ctx context.Context, key string) ([]Message, error)

	// ListSourcesByKey returns the sources of what is kept for key, ordered,
	// with the same promises as LookUpByKey.
	ListSourcesByKey(ctx context.Context, key string) ([]string, error)
}

// Replacer is an [EventStore] that can also replace what it keeps, as the
// policy to keep the last of several contents needs. What EventStore says of
// names, concurrency and contexts holds for it, too.
type Replacer interface {
	// Replace keeps m under its key and source in place of what is kept there,
	// in one step, unless that has the later Time; it returns what is kept
	// afterwards. Times that are equal count as m being the later. Where nothing
	// is kept, m is.
	Replace(ctx context.Context, m Message) (Message, error)
}

// Claim is the right to process one key now: a lease that runs out by itself,
// with a fencing token.
type Claim struct {
	// Key is the claimed key.
	Key string
	// Token is the fencing token: it grows from holder to holder of a key and
	// never goes back, so that whoever receives effects can refuse those of a
	// holder older than the newest that it has seen.
	Token int64
	// Owner is the holder's nonce: see [WithOwner].
	Owner string
	// Expires is when the lease runs out, by the caller's clock.
	Expires time.Time
	// Takeover says that the holder before this one let its lease run out:
	// it crashed or hung, and whether it acted is not known.
	Takeover bool
}

// ClaimStore hands out claims, one holder for each key at a time, and remembers
// the keys that are completed.
//
// Keys are any non-empty strings; an empty one is refused with [ErrNoKey], as a
// permanent error. All methods are safe for concurrent use, also by other
// processes, and return promptly with the context's error, wrapped, when the
// context ends; what they were doing may then have been done or not.
//
// Where an answer is lost, the caller may make the same call again with the same
// claim, also after a Renew whose answer was lost.
type ClaimStore interface {
	// Acquire claims key for the length ttl, which must be positive. Of any
	// number of calls at once, one succeeds.
	//
	// While another's lease has not run out it returns a *[HeldError]; for a key
	// that is completed, [ErrDone]. A key that was released, or whose holder let
	// the lease run out, is claimed with a token greater than all before; in the
	// second case the claim says Takeover. A takeover looks for completion after
	// it has taken the key, since the old holder may have completed it until
	// then.
	//
	// The claim's owner is the context's ([WithOwner]), or else a new one. An
	// owner that holds the key already is given its claim again, with the same
	// token and a lease of ttl from now: so a caller that lost an answer may
	// call again.
	Acquire(ctx context.Context, key string, ttl time.Duration) (Claim, error)

	// Renew makes the lease end ttl, which must be positive, from now, for a
	// holder that still has the key, and returns the claim to use from then on; its token is not smaller.
	// It returns [ErrLost] when the key was released, completed or taken over.
	// A lease that ran out can be renewed while nobody has taken the key over.
	Renew(ctx context.Context, c Claim, ttl time.Duration) (Claim, error)

	// Complete remembers for good (or for the store's retention) that the key
	// is done. It returns [ErrLost], and changes nothing, when the key was
	// released, taken over, completed by another, or never claimed. A holder
	// whose lease ran out can complete while nobody has taken the key over.
	// Completing again with the same claim returns nil.
	//
	// When such a late holder completes at the same moment as another takes
	// over, a store should let one of them win. One that can't decide that in a
	// single step may let both: the key is then done, and the taker's own
	// Complete returns ErrLost.
	Complete(ctx context.Context, c Claim) error

	// Release gives the key up without completing it, so that another can
	// claim it at once; the token never goes back. It returns [ErrLost], and
	// changes nothing, when the key was taken over or completed. Releasing
	// again with the same claim returns nil, until another claims the key.
	Release(ctx context.Context, c Claim) error
}

type ownerKey struct{}

// WithOwner returns a context whose claims belong to owner, a string that no
// other caller uses: see [NewOwner]. With it, a call of Acquire whose answer was
// lost can be made again without being told that the key is held.
func WithOwner(ctx context.Context, owner string) context.Context {
	return context.WithValue(ctx, ownerKey{}, owner)
}

// OwnerFrom returns the context's owner, or a new one if it has none. It is for
// implementations of [ClaimStore].
func OwnerFrom(ctx context.Context) string {
	if owner, _ := ctx.Value(ownerKey{}).(string); owner != "" {
		return owner
	}
	return NewOwner()
}

// NewOwner returns a random string that has never been an owner before.
func NewOwner() string {
	return rand.Text()
}
