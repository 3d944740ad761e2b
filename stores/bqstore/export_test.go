package bqstore

import "context"

// Project is for tests that go around the store.
func (s Settings) Project() string { return s.project }

// JobID is the lock on slot n of a log.
func (s *Store) JobID(ctx context.Context, table string, n int64, names ...string) (string, error) {
	id, _, err := s.identify(ctx, table)
	return s.jobID(log{table, names}, id.incarnation, n), err
}
