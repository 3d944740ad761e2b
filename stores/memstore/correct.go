package memstore

import (
	"cmp"
	"context"
	"fmt"
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

	r := s.read(m.Key)
	if err := r.checkSealed(m.Source); err != nil {
		return failed("correct", m.Key, m.Source, err)
	}
	kept := r.events.of(m.Source)
	if kept == nil {
		return failed("correct", m.Key, m.Source, driver.ErrNotFound)
	}
	before := kept.succession(r.key)
	next, changes := before.Correct(m, c)
	if !changes {
		return nil
	}
	s.corrections++
	ref := strconv.Itoa(s.corrections)
	s.corrected[ref] = before.Last
	kept.set(next)
	kept.past.corrections = append(kept.past.corrections, driver.Corrected{Correction: c, Ref: ref})
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

	s.letters = slices.DeleteFunc(s.letters, func(l letter) bool { return l.Key == key })
	r := s.keys[key]
	if r == nil {
		return nil
	}
	for _, e := range r.events {
		for _, c := range e.corrections() {
			delete(s.corrected, c.Ref)
		}
	}
	r.events, r.sealed, r.decided = nil, nil, nil
	s.forget(r)
	return nil
}

// PurgeClaims implements [driver.Purger].
func (s *Store) PurgeClaims(ctx context.Context, key string) error {
	if err := cmp.Or(ctx.Err(), driver.ValidKey(key)); err != nil {
		return failed("purge claims", key, anySource, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	r := s.keys[key]
	if r == nil {
		return nil
	}
	for _, l := range r.leases {
		s.purged = max(s.purged, l.claim.Token)
	}
	r.leases = nil
	s.forget(r)
	return nil
}
