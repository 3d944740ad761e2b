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

	r := s.record(key)
	if r.events.of(source) != nil {
		return false, nil
	}
	if r.sealed == nil {
		r.sealed = make(map[string]bool)
	}
	r.sealed[source] = true
	return true, nil
}

// checkSealed returns the error of a place that is sealed.
func (r *record) checkSealed(source string) error {
	if r.sealed[source] {
		return driver.Reject(driver.ReasonTooLate, driver.ErrSealed)
	}
	return nil
}
