package memstore

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"example.com/eventdriver/driver"
)

// Correct implements [driver.Corrector].
func (s *Store) Correct(ctx context.Context, m driver.Message, c driver.Correction) error {
	if err := cmp.Or(ctx.Err(), driver.ValidCorrection(m, c)); err != nil {
		return failed("correct", m.Key, m.Source, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	if err := s.checkSealed(m.Key, m.Source); err != nil {
		return failed("correct", m.Key, m.Source, err)
	}
	kept := s.events[m.Key].of(m.Source)
	if kept == nil {
		return failed("correct", m.Key, m.Source, driver.ErrNotFound)
	}
	next, changes := kept.Correct(m, c)
	if !changes {
		return nil
	}
	s.corrections++
	ref := strconv.Itoa(s.corrections)
	s.corrected[ref] = kept.message()
	kept.corrections = append(kept.corrections, driver.Corrected{Correction: c, Ref: ref})
	s.keep(next)
	return nil
}

// ReadCorrected implements [driver.Corrector].
func (s *Store) ReadCorrected(ctx context.Context, ref string) (driver.Message, error) {
	if err := ctx.Err(); err != nil {
		return driver.Message{}, failedCorrected(ref, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	m, ok := s.corrected[ref]
	if !ok {
		return driver.Message{}, failedCorrected(ref, driver.ErrNotFound)
	}
	if err := driver.Grow(ctx, len(m.Content)); err != nil {
		return driver.Message{}, failedCorrected(ref, err)
	}
	return m.Clone(), nil
}

func failedCorrected(ref string, err error) error {
	return fmt.Errorf("memstore: read corrected %.200q: %w", ref, err)
}

// PurgeEvents implements [driver.Purger].
func (s *Store) PurgeEvents(ctx context.Context, key string) error {
	if err := cmp.Or(ctx.Err(), driver.ValidKey(key)); err != nil {
		return failed("purge events", key, anySource, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	for _, e := range s.events[key] {
		for _, c := range e.corrections {
			delete(s.corrected, c.Ref)
		}
	}
	delete(s.events, key)
	delete(s.sealed, key)
	delete(s.decided, key)
	s.letters = slices.DeleteFunc(s.letters, func(l letter) bool { return l.Key == key })
	return nil
}

// PurgeClaims implements [driver.Purger].
func (s *Store) PurgeClaims(ctx context.Context, key string) error {
	if err := cmp.Or(ctx.Err(), driver.ValidKey(key)); err != nil {
		return failed("purge claims", key, anySource, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	maps.DeleteFunc(s.leases, func(id claimed, l *lease) bool {
		if id.key == key {
			s.purged = max(s.purged, l.claim.Token)
		}
		return id.key == key
	})
	return nil
}
