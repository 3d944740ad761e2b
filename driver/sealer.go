package driver

import "context"

// Sealer is an [EventStore] that can also be told that an event is awaited no more. What
// EventStore says of names, concurrency and contexts holds for Sealer, too.
//
// A seal is kept in the place where the event of its key and source would be, for as long as an
// event would be. So what is kept in a place never changes from one to the other.
type Sealer interface {
	// Seal seals the place of key and source unless an event is kept there, and says whether it
	// is sealed. The first write wins: of an event and its seal that come at once, one is kept, and
	// the callers of both are told which. Seal of a sealed place returns true again. So a caller
	// that lost an answer may simply call again.
	//
	// Persist, Replace and KeepAndLook of an event whose place is sealed return [ErrSealed], as a
	// permanent error with [ReasonTooLate], and change nothing. LookUp of a sealed place returns
	// the same error, not [ErrNotFound]. So does a KeepAndLook that finds that the place of another
	// of its sources is sealed; then its own event is kept, and Persist and LookUp tell the rest.
	// Each sees every Seal that returned before it was called.
	//
	// LookUpByKey, ListSourcesByKey and ListDecided leave seals out.
	Seal(ctx context.Context, key, source string) (sealed bool, err error)
}
