// Package straight is the straightforward implementation of a join, to compare with: keep the event,
// list what is there, read each, mark the key as done, act. It has none of the promises of this
// project: a crash between the mark and the act loses the order, nothing takes over, and one that
// fails is not tried again.
package straight

import (
	"context"
	"encoding/json"
	"errors"
)

// Store is what such an implementation needs of a store.
type Store interface {
	// Put writes an object, in place of what is there.
	Put(ctx context.Context, name string, content []byte) error
	// Create writes an object that does not exist; the error of one that does is [ErrExists].
	Create(ctx context.Context, name string, content []byte) error
	// List returns the names that begin with prefix.
	List(ctx context.Context, prefix string) ([]string, error)
	// Read reads an object.
	Read(ctx context.Context, name string) ([]byte, error)
}

// ErrExists says that an object exists.
var ErrExists = errors.New("it exists")

// Joiner joins events of sources, and calls act once a key.
type Joiner struct {
	Store   Store
	Sources int
	Act     func(joined []byte) error
}

// Handle handles an event.
func (j Joiner) Handle(ctx context.Context, key, source string, content []byte) error {
	folder := "events/" + key + "/"
	if err := j.Store.Put(ctx, folder+source, content); err != nil {
		return err
	}
	names, err := j.Store.List(ctx, folder)
	if err != nil || len(names) < j.Sources {
		return err
	}
	joined := make(map[string]json.RawMessage, len(names))
	for _, name := range names {
		content, err := j.Store.Read(ctx, name)
		if err != nil {
			return err
		}
		joined[name[len(folder):]] = content
	}
	message, err := json.Marshal(joined)
	if err != nil {
		return err
	}
	if err := j.Store.Create(ctx, "done/"+key, nil); errors.Is(err, ErrExists) {
		return nil
	} else if err != nil {
		return err
	}
	return j.Act(message)
}
