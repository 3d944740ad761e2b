package bqstore

import "context"

// Project is for tests that go around the store.
func (s Settings) Project() string { return s.project }

// JobID is the lock on slot n of a log.
func (s *Store) JobID(ctx context.Context, table string, n int64, names ...string) (string, error) {
	id, _, err := s.identify(ctx, table)
	return s.jobID(log{table, names}, id.incarnation, n), err
}

// ForgetTables has the store find out anew which tables there are, as it does after
// a minute.
func (s *Store) ForgetTables() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tables)
}
