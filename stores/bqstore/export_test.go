package bqstore

import (
	"time"

	"example.com/eventdriver/stores/bqstore/internal/bq"
)

// Project is for tests that go around the store.
func (s Settings) Project() string { return s.project }

// JobID is the lock on slot n of a log.
func (s *Store) JobID(table string, n int64, names ...string) string {
	return s.db.JobID(bq.Log{Table: table, Names: names}, n)
}

// StartWithin changes how long a statement may be queued.
func (s *Store) StartWithin(d time.Duration) { s.db.StartWithin = d }
