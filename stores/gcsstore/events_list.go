package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"example.com/eventdriver/driver"
)

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
	e, _, err := s.readEvent(ctx, name, nil)
	m := e.Last
	if err == nil && (m.Key != key || s.layout.event(key, m.Source) != name) {
		err = s.unexpected(ctx, name, misplaced(m))
	}
	return m, err
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

// readSource reads as much of an event's object as tells its source.
func (s *Store) readSource(ctx context.Context, key, name string) (string, error) {
	ctx, free := driver.ScopeMemory(ctx)
	defer free()
	r, err := s.read(ctx, name)
	if err != nil {
		return "", err
	}
	defer r.Close()
	f, err := decode(ctx, r)
	if err == nil && s.layout.event(key, f.message.Source) != name {
		err = misplaced(f.message)
	}
	if err != nil {
		return "", s.unexpected(ctx, name, f.damaged(r.Attrs.Size, err))
	}
	return f.message.Source, nil
}

// ofSources lists the objects of key's events, calls of with the name of each, and
// returns the results in no order. An object that is gone by then is left out.
func ofSources[R any](ctx context.Context, s *Store, op Operation, key string, of func(ctx context.Context, name string) (R, error)) ([]R, error) {
	ctx, cancel, err := s.begin(ctx, op, key, anySource)
	if err != nil {
		return nil, err
	}
	defer cancel()
	objects, err := s.list(ctx, s.layout.events(key))
	if err != nil {
		return nil, err
	}
	return each(ctx, eventNames(objects), of)
}

// each calls of for each name, several at a time, and returns the results, in no
// order, without those that are ErrNotFound.
func each[R any](ctx context.Context, names []string, of func(ctx context.Context, name string) (R, error)) ([]R, error) {
	var mu sync.Mutex
	results := make([]R, 0, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readsAtOnce)
	for _, name := range names {
		group.Go(func() error {
			result, err := of(ctx, name)
			if errors.Is(err, driver.ErrNotFound) {
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
