package driver

import "context"

// Purger is a store that can delete all that it keeps of a key. What [EventStore] and [ClaimStore]
// say of keys, concurrency and contexts holds for it, too.
//
// It deletes in two steps, because deliveries of the key's events may be under way, which have read
// the events before: whoever purges a key first completes it in each scope, so that nobody acts upon
// a part of it. Then follow PurgeEvents, a wait until such deliveries have ended, and PurgeClaims.
//
// Both may simply be called again, after a failure too. What is written while one of them runs is
// deleted, or kept whole. What is written after it has returned is never deleted.
type Purger interface {
	// PurgeEvents deletes the key's events with what was corrected, its seals, its decisions and its
	// dead letters. It leaves the claims alone. It deletes each event before the decision
	// that names it, so that no other is taken when it dies half way.
	PurgeEvents(ctx context.Context, key string) error

	// PurgeClaims deletes the key's claims and completions, in all scopes. It deletes each
	// completion last, so that a key that is completed stays so until all else is gone. The next
	// Acquire has a token greater than all before, by the clock of this process: where tokens
	// come from clocks, callers wait for as long as those of others may differ.
	PurgeClaims(ctx context.Context, key string) error
}
