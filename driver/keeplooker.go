package driver

import (
	"context"
	"errors"
	"slices"
)

// KeepLooker is an [EventStore] that can also keep an event and look for the others of its key in
// one call. That is for stores that read all that is kept for a key at once anyway. What EventStore
// says of names, concurrency, contexts and of what can't be read holds for KeepLooker, too.
type KeepLooker interface {
	// KeepAndLook keeps m as Persist does, and then looks for the events of sources. Where all of
	// them are kept, it returns those, in the order of sources, in a list that the caller may change.
	// Otherwise it returns no messages, but the sources that are missing.
	//
	// Where other content is kept for m's source, it changes nothing there and returns a
	// *[ConflictError], as Persist does, beside what it found: among the messages is the one that
	// is kept. Any other error comes alone; m may be kept then or not. So a caller that lost an
	// answer may simply call again.
	//
	// The look begins when m is kept and every other call can see it. So it sees m, and every
	// Persist, Replace and KeepAndLook that returned before this call was made. And of calls for
	// one key that are made at once, the one whose event is kept last sees the events of all.
	//
	// Of the contents that it returns it counts with [Grow] those that are not m's, as LookUp does.
	// Where an event is missing, it returns no content but that of a conflict, and counts no other.
	//
	// sources are in order, each once, none is empty, and m's is among them. Other lists are refused
	// as permanent errors: see [ValidLook].
	//
	// A wrapper of a store that is no KeepLooker does nothing and returns [errors.ErrUnsupported],
	// wrapped. Callers then use Persist and LookUp.
	KeepAndLook(ctx context.Context, m Message, sources []string) (messages []Message, missing []string, err error)
}

// ValidLook returns nil where a [KeepLooker] can keep m and look for sources, else the permanent
// error with which it refuses them.
func ValidLook(m Message, sources []string) error {
	if err := m.Valid(); err != nil {
		return err
	}
	previous := ""
	for _, source := range sources {
		if source <= previous {
			return Permanent(errors.New("the sources to look for are not in order, each once, without an empty one"))
		}
		previous = source
	}
	if !slices.Contains(sources, m.Source) {
		return Permanent(errors.New("the event's own source is not among those to look for"))
	}
	return nil
}
