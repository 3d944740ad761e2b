package gcsstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	"example.com/eventdriver/driver"
)

// Persist implements [driver.EventStore]. It costs one Class A operation, and a
// Class B one if something is stored already.
func (s *Store) Persist(ctx context.Context, m driver.Message) error {
	if err := s.persist(ctx, m); err != nil {
		return failed(OpPersist, m.Key, m.Source, err)
	}
	return nil
}

func (s *Store) persist(ctx context.Context, m driver.Message) error {
	ctx, cancel, err := s.begin(ctx, OpPersist, m.Key, m.Source)
	if err != nil {
		return err
	}
	defer cancel()
	for {
		_, err := s.write(ctx, m, absent)
		if !errors.Is(err, errRefused) {
			return err
		}
		// Either another was first, or this very write was and its answer was lost.
		kept, _, err := s.lookUp(ctx, m.Key, m.Source, m.Content)
		switch {
		case errors.Is(err, driver.ErrNotFound): // deleted meanwhile
		case err != nil:
			return err
		case bytes.Equal(kept.Content, m.Content):
			return nil
		default:
			return &driver.ConflictError{Stored: kept}
		}
	}
}

// Replace implements [driver.Replacer]. It costs a Class A and a Class B
// operation, again for each time that another was quicker.
func (s *Store) Replace(ctx context.Context, m driver.Message) (driver.Message, error) {
	kept, err := s.replace(ctx, m)
	if err != nil {
		return driver.Message{}, failed(OpReplace, m.Key, m.Source, err)
	}
	return kept, nil
}

// replace tries for as long as it may: each time that it is refused another has
// got its way, so together they come to an end.
func (s *Store) replace(ctx context.Context, m driver.Message) (driver.Message, error) {
	ctx, cancel, err := s.begin(ctx, OpReplace, m.Key, m.Source)
	if err != nil {
		return driver.Message{}, err
	}
	defer cancel()
	for {
		kept, generation, err := s.lookUp(ctx, m.Key, m.Source, nil)
		switch {
		case errors.Is(err, driver.ErrNotFound):
			generation = absent
		case err != nil:
			return driver.Message{}, err
		case kept.Time.After(m.Time) || same(kept, m): // same: perhaps our own write, its answer lost
			return kept, nil
		}
		_, err = s.write(ctx, m, generation)
		if err == nil {
			if err := driver.Grow(ctx, len(m.Content)); err != nil {
				return driver.Message{}, err
			}
			return m.Clone(), nil
		}
		if !errors.Is(err, errRefused) {
			return driver.Message{}, err
		}
	}
}

// same says that two messages with the same key and source are equal.
func same(a, b driver.Message) bool {
	return a.ID == b.ID && a.MediaType == b.MediaType && a.Time.Equal(b.Time) && bytes.Equal(a.Content, b.Content) && maps.Equal(a.Attributes, b.Attributes)
}

// write stores m in place of a generation of its object, or errRefused.
func (s *Store) write(ctx context.Context, m driver.Message, replaces int64) (int64, error) {
	if s.settings.compression != None { // the compressed content, too, is held
		if err := driver.Grow(ctx, len(m.Content)); err != nil {
			return 0, err
		}
	}
	line, content, err := encode(m, s.settings.compression)
	if err != nil {
		return 0, fmt.Errorf("encode: %w", err)
	}
	return s.insert(ctx, object{
		name:        s.layout.event(m.Key, m.Source),
		content:     bytesOf(line, content),
		contentType: "application/octet-stream",
	}, replaces)
}

// LookUp implements [driver.EventStore]. It costs one Class B operation.
func (s *Store) LookUp(ctx context.Context, key, source string) (driver.Message, error) {
	opCtx, cancel, err := s.begin(ctx, OpLookUp, key, source)
	if err != nil {
		return driver.Message{}, failed(OpLookUp, key, source, err)
	}
	defer cancel()
	m, _, err := s.lookUp(opCtx, key, source, nil)
	if err != nil {
		return driver.Message{}, failed(OpLookUp, key, source, err)
	}
	return m, nil
}

// lookUp returns what is kept, and its object's generation. A content that is the
// same as like is like.
func (s *Store) lookUp(ctx context.Context, key, source string, like []byte) (driver.Message, int64, error) {
	name := s.layout.event(key, source)
	m, generation, err := s.readEvent(ctx, name, like)
	if err != nil {
		return driver.Message{}, 0, err
	}
	if m.Key != key || m.Source != source {
		return driver.Message{}, 0, s.unexpected(ctx, name, misplaced(m))
	}
	return m, generation, nil
}

// readEvent returns the event in an object, and its generation. Class B.
func (s *Store) readEvent(ctx context.Context, name string, like []byte) (driver.Message, int64, error) {
	r, err := s.read(ctx, name)
	if err != nil {
		return driver.Message{}, 0, err
	}
	defer r.Close()
	f, err := decode(r)
	if err != nil {
		return driver.Message{}, 0, s.unexpected(ctx, name, err)
	}
	m, err := f.read(ctx, like)
	if err != nil {
		return driver.Message{}, 0, s.unexpected(ctx, name, err)
	}
	return m, r.Attrs.Generation, nil
}

func misplaced(m driver.Message) error {
	return fmt.Errorf("%w: it holds key %.80q, source %.80q", ErrCorrupt, m.Key, m.Source)
}
