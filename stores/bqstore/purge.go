package bqstore

import (
	"context"
	"fmt"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore/internal/bq"
)

// PurgeEvents implements [driver.Purger]. It costs three statements, one after the other. BigQuery
// deletes no row for some 90 minutes after it was appended: until then the error is [ErrAppended].
func (s *Store) PurgeEvents(ctx context.Context, key string) error {
	return s.purge(ctx, "purge events", key, []string{letterTable, ""},
		[]string{eventTable, " AND NOT STARTS_WITH(source, '" + decisionMark + "')"}, []string{eventTable, ""})
}

// PurgeClaims implements [driver.Purger]. It costs a statement. The slots of the key's log stay used, so
// tokens go on to grow.
func (s *Store) PurgeClaims(ctx context.Context, key string) error {
	return s.purge(ctx, "purge claims", key, []string{claimTable, ""})
}

// ErrAppended: rows were appended so lately that BigQuery does not delete them yet.
var ErrAppended = bq.ErrAppended

// purge deletes the key's rows from each table, as far as a condition says.
func (s *Store) purge(ctx context.Context, operation, key string, from ...[]string) error {
	return s.do(ctx, operation, fmt.Sprintf("key %q", key), driver.ValidKey(key), func(ctx context.Context) error {
		for _, part := range from {
			if err := s.db.Delete(ctx, part[0], "key = @key"+part[1], "key", driver.ToText(key)); err != nil {
				return err
			}
		}
		return nil
	})
}
