package memstore

import (
	"cmp"
	"context"

	"example.com/eventdriver/driver"
)

// Seal implements [driver.Sealer].
func (s *Store) Seal(ctx context.Context, key, source string) (sealed bool, err error) {
	if err := cmp.Or(ctx.Err(), driver.ValidName(key, source)); err != nil {
		return false, failed("seal", key, source, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.events[key].of(source) != nil {
		return false, nil
	}
	if s.sealed[key] == nil {
		s.sealed[key] = make(map[string]bool)
	}
	s.sealed[key][source] = true
	return true, nil
}

// checkSealed returns the error of a place that is sealed. The caller holds the mutex.
func (s *Store) checkSealed(key, source string) error {
	if s.sealed[key][source] {
		return driver.Reject(driver.ReasonTooLate, driver.ErrSealed)
	}
	return nil
}
