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
	ctx, cancel, err := s.beginEvent(ctx, OpPersist, m.Key, m.Source)
	if err != nil {
		return err
	}
	defer cancel()
	kept, _, err := s.create(ctx, m)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(kept.Last.Content, m.Content):
		return &driver.ConflictError{Stored: kept.Last}
	}
	return nil
}

// create keeps m where nothing is kept. It returns what is kept then, and the
// generation of its object.
func (s *Store) create(ctx context.Context, m driver.Message) (driver.Succession, int64, error) {
	for refused := (pauses{}); ; {
		mine := driver.Succession{Last: m}
		generation, err := s.write(ctx, mine, absent)
		if !errors.Is(err, errRefused) {
			return mine, generation, err
		}
		// Either another was first, or this very write was and its answer was lost.
		kept, generation, err := s.lookUp(ctx, m.Key, m.Source, m.Content)
		if !errors.Is(err, driver.ErrNotFound) {
			return kept, generation, err
		}
		if err := refused.wait(ctx); err != nil { // it was deleted meanwhile
			return driver.Succession{}, 0, err
		}
	}
}

// Replace implements [driver.Replacer]. It costs a Class A operation; where something is
// kept already, a Class B one as well; and another A if that is replaced. Where others
// replace it at the same moment, it pauses and tries again.
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
	ctx, cancel, err := s.beginEvent(ctx, OpReplace, m.Key, m.Source)
	if err != nil {
		return driver.Message{}, err
	}
	defer cancel()
	kept, generation, err := s.create(ctx, m)
	for refused := (pauses{}); err == nil; {
		next, later := kept.Replace(m)
		if !later {
			return own(ctx, kept.Last, m)
		}
		if _, err = s.write(ctx, next, generation); err == nil {
			return own(ctx, m, m)
		}
		if !errors.Is(err, errRefused) {
			break
		}
		if err = refused.wait(ctx); err != nil {
			break
		}
		if kept, generation, err = s.lookUp(ctx, m.Key, m.Source, m.Content); errors.Is(err, driver.ErrNotFound) {
			kept, generation, err = s.create(ctx, m) // it was deleted meanwhile
		}
	}
	return driver.Message{}, err
}

// own returns kept, which shares nothing with m, the caller's.
func own(ctx context.Context, kept, m driver.Message) (driver.Message, error) {
	if len(kept.Content) > 0 && len(m.Content) > 0 && &kept.Content[0] == &m.Content[0] {
		if err := driver.Grow(ctx, len(m.Content)); err != nil {
			return driver.Message{}, err
		}
		return kept.Clone(), nil
	}
	kept.Attributes = maps.Clone(kept.Attributes)
	return kept, nil
}

// write stores an event in place of a generation of its object, or errRefused.
func (s *Store) write(ctx context.Context, e driver.Succession, replaces int64) (int64, error) {
	m := e.Last
	line, err := encode(e)
	if err != nil {
		return 0, fmt.Errorf("encode: %w", err)
	}
	return s.insert(ctx, object{
		name:        s.layout.event(m.Key, m.Source),
		content:     bytesOf(line, m.Content),
		contentType: "application/octet-stream",
	}, replaces)
}

// LookUp implements [driver.EventStore]. It costs one Class B operation.
func (s *Store) LookUp(ctx context.Context, key, source string) (driver.Message, error) {
	opCtx, cancel, err := s.beginEvent(ctx, OpLookUp, key, source)
	if err != nil {
		return driver.Message{}, failed(OpLookUp, key, source, err)
	}
	defer cancel()
	kept, _, err := s.lookUp(opCtx, key, source, nil)
	if err != nil {
		return driver.Message{}, failed(OpLookUp, key, source, err)
	}
	return kept.Last, nil
}

// lookUp returns what is kept, and its object's generation. A content that is the
// same as like is like.
func (s *Store) lookUp(ctx context.Context, key, source string, like []byte) (driver.Succession, int64, error) {
	name := s.layout.event(key, source)
	e, generation, err := s.readEvent(ctx, name, like)
	if err != nil {
		return driver.Succession{}, 0, err
	}
	if m := e.Last; m.Key != key || m.Source != source {
		return driver.Succession{}, 0, s.unexpected(ctx, name, misplaced(m))
	}
	return e, generation, nil
}

// readEvent returns the event in an object, and its generation. Class B.
func (s *Store) readEvent(ctx context.Context, name string, like []byte) (driver.Succession, int64, error) {
	r, err := s.read(ctx, name)
	if err != nil {
		return driver.Succession{}, 0, err
	}
	defer r.Close()
	e := driver.Succession{}
	f, err := decode(ctx, r)
	if err == nil {
		e.Replaced = f.replaced
		e.Last, err = f.read(ctx, like)
	}
	if err != nil {
		return driver.Succession{}, 0, s.unexpected(ctx, name, f.damaged(r.Attrs.Size, err))
	}
	return e, r.Attrs.Generation, nil
}

func misplaced(m driver.Message) error {
	return fmt.Errorf("%w: it holds key %.80q, source %.80q", ErrCorrupt, m.Key, m.Source)
}
