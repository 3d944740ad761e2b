package gcsstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

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
	if err != nil {
		return err
	}
	return kept.Conflict(m)
}

// create keeps m where nothing is kept. It returns what is kept then, and the
// generation of its object.
func (s *Store) create(ctx context.Context, m driver.Message) (keptEvent, int64, error) {
	for pause := rewritingBy(m.ID, m.Source); ; {
		mine := keptOf(driver.Succession{Last: m})
		generation, err := s.write(ctx, mine, absent, describe(m))
		if !errors.Is(err, errRefused) {
			return mine, generation, err
		}
		// Either another was first, or this very write was and its answer was lost.
		other, generation, err := s.lookUp(ctx, m.Key, m.Source, m.Content)
		if !errors.Is(err, driver.ErrNotFound) {
			return other, generation, err
		}
		if err := pause.wait(ctx); err != nil { // it was deleted meanwhile
			return keptEvent{}, 0, err
		}
	}
}

// Replace implements [driver.Replacer]. It costs a Class A operation; where something is
// kept already, a Class B one as well; and another of each if that is replaced. Where others
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
	for pause := rewritingBy(m.ID, m.Source); err == nil; {
		next, later := kept.Replace(m)
		if !later {
			return own(ctx, kept.Last, m)
		}
		if err = s.overwrite(ctx, keptOf(next), generation); err == nil {
			return own(ctx, m, m)
		}
		if !errors.Is(err, errRefused) {
			break
		}
		if err = pause.wait(ctx); err != nil {
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

// overwrite stores an event in place of a generation, or errRefused. Its object says since
// when an event of this source is kept, which the object's own time does not any more.
func (s *Store) overwrite(ctx context.Context, e keptEvent, replaces int64) error {
	attrs, err := s.stat(ctx, s.layout.event(e.Last.Key, e.Last.Source))
	if errors.Is(err, driver.ErrNotFound) {
		return errRefused // it was deleted meanwhile
	}
	if err != nil {
		return err
	}
	metadata := describe(e.Last)
	setField(metadata, fieldWas, e.Was)
	metadata[fieldKept] = cmp.Or(attrs.metadata[fieldKept], timeText(attrs.created))
	_, err = s.write(ctx, e, replaces, metadata)
	return err
}

// write stores an event in place of a generation of its object, or errRefused.
func (s *Store) write(ctx context.Context, e keptEvent, replaces int64, metadata map[string]string) (int64, error) {
	return s.writeAt(ctx, s.layout.event(e.Last.Key, e.Last.Source), e, replaces, metadata)
}

// writeAt is write for an object of that name.
func (s *Store) writeAt(ctx context.Context, name string, e keptEvent, replaces int64, metadata map[string]string) (int64, error) {
	m := e.Last
	line, err := encode(e)
	if err != nil {
		return 0, fmt.Errorf("encode: %w", err)
	}
	return s.insert(ctx, object{
		name:        name,
		content:     bytesOf(line, m.Content),
		contentType: "application/octet-stream",
		metadata:    metadata,
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
func (s *Store) lookUp(ctx context.Context, key, source string, like []byte) (keptEvent, int64, error) {
	return s.readEvent(ctx, key, s.layout.event(key, source), like)
}

// readEvent returns key's event in an object, and its generation. A seal is errSealed. Class B.
func (s *Store) readEvent(ctx context.Context, key, name string, like []byte) (keptEvent, int64, error) {
	return s.readKept(ctx, name, like, func(m driver.Message) bool {
		return m.Key == key && s.layout.event(key, m.Source) == name
	})
}

// readKept returns the event in an object, which must be one that belongs there, and the object's
// generation.
func (s *Store) readKept(
	ctx context.Context, name string, like []byte, belongs func(driver.Message) bool,
) (keptEvent, int64, error) {
	r, err := s.read(ctx, name)
	if err != nil {
		return keptEvent{}, 0, err
	}
	defer r.Close()
	f, err := decode(ctx, r)
	e := f.kept
	if err == nil {
		e.Last, err = f.read(ctx, like)
	}
	if err == nil && !belongs(e.Last) {
		err = misplaced(e.Last)
	}
	if err != nil {
		return keptEvent{}, 0, s.unexpected(ctx, name, f.damaged(r.size, err))
	}
	if f.header.Sealed {
		return keptEvent{}, 0, errSealed
	}
	return e, r.generation, nil
}

func misplaced(m driver.Message) error {
	return fmt.Errorf("%w: it holds key %.80q, source %.80q", ErrCorrupt, m.Key, m.Source)
}

// readsAtOnce is how many objects one operation reads at the same time.
const readsAtOnce = 16

// LookUpByKey implements [driver.EventStore]. It costs one Class A operation for
// each 1,000 events, and one Class B operation for each event.
func (s *Store) LookUpByKey(ctx context.Context, key string) ([]driver.Message, error) {
	messages, err := ofSources(ctx, s, OpLookUpByKey, key, func(ctx context.Context, name string) (driver.Message, error) {
		return s.readListed(ctx, key, name)
	})
	if err != nil {
		return nil, failed(OpLookUpByKey, key, anySource, err)
	}
	slices.SortFunc(messages, func(a, b driver.Message) int { return strings.Compare(a.Source, b.Source) })
	return messages, nil
}

// readListed returns the event in an object that a list of key's has named.
func (s *Store) readListed(ctx context.Context, key, name string) (driver.Message, error) {
	e, _, err := s.readEvent(ctx, key, name, nil)
	return e.Last, err
}

// ListSourcesByKey implements [driver.EventStore]. It costs one Class A operation
// for each 1,000 events, and one Class B operation for each source too long to be
// part of an object's name.
func (s *Store) ListSourcesByKey(ctx context.Context, key string) ([]string, error) {
	sources, err := ofSources(ctx, s, OpListSourcesByKey, key, s.sourceOf(key))
	if err != nil {
		return nil, failed(OpListSourcesByKey, key, anySource, err)
	}
	slices.Sort(sources)
	return sources, nil
}

// sourceOf returns a function that tells an event's source from its object's name.
func (s *Store) sourceOf(key string) func(ctx context.Context, name string) (string, error) {
	return func(ctx context.Context, name string) (string, error) {
		segment := strings.TrimPrefix(name, s.layout.events(key))
		if isHashed(segment) {
			return s.readSource(ctx, key, name)
		}
		source, err := unescape(segment)
		if err != nil {
			return "", s.unexpected(ctx, name, fmt.Errorf("%w: %w", ErrCorrupt, err))
		}
		return source, nil
	}
}

// readSource reads as much of an event's object as tells its source, which it also returns
// with the errSealed of a seal.
func (s *Store) readSource(ctx context.Context, key, name string) (string, error) {
	belongs := func(m driver.Message) bool { return s.layout.event(key, m.Source) == name }
	m, sealed, err := s.readHeader(ctx, name, belongs)
	if err == nil && sealed {
		err = errSealed
	}
	return m.Source, err
}

// readHeader reads the object of an event, or of a seal, up to its content. It must be one
// that belongs there. Class B.
func (s *Store) readHeader(
	ctx context.Context, name string, belongs func(driver.Message) bool,
) (m driver.Message, sealed bool, err error) {
	ctx, free := driver.ScopeMemory(ctx)
	defer free()
	r, err := s.read(ctx, name)
	if err != nil {
		return driver.Message{}, false, err
	}
	defer r.Close()
	f, err := decode(ctx, r)
	if err == nil && !belongs(f.message) {
		err = misplaced(f.message)
	}
	if err != nil {
		return driver.Message{}, false, s.unexpected(ctx, name, f.damaged(r.size, err))
	}
	return f.message, f.header.Sealed, nil
}

// ofSources lists the objects of key's events, reads each by its name, and returns the
// results in no order. An object that is gone by then is left out.
func ofSources[R any](ctx context.Context, s *Store, op Operation, key string, read func(ctx context.Context, name string) (R, error)) ([]R, error) {
	ctx, cancel, err := s.begin(ctx, op, key, anySource)
	if err != nil {
		return nil, err
	}
	defer cancel()
	objects, err := s.list(ctx, s.layout.events(key))
	if err != nil {
		return nil, err
	}
	return each(ctx, eventNames(objects), read)
}

// each calls read with each name, several at a time, and returns the results in no order,
// without those that are ErrNotFound, or were sealed since they were listed.
func each[R any](ctx context.Context, names []string, read func(ctx context.Context, name string) (R, error)) ([]R, error) {
	var mu sync.Mutex
	results := make([]R, 0, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readsAtOnce)
	for _, name := range names {
		group.Go(func() error {
			var result R
			err := driver.Recover(func() (err error) {
				result, err = read(ctx, name)
				return err
			})
			if errors.Is(err, driver.ErrNotFound) || errors.Is(err, driver.ErrSealed) {
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			results = append(results, result)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return results, nil
}
