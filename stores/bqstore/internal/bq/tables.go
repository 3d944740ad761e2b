package bq

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"cloud.google.com/go/bigquery"
)

// Expiration is how long partitions are kept: a day longer than rows are seen, since
// a partition ends as a whole.
func (db *DB) Expiration() time.Duration { return db.Retention + 24*time.Hour }

// Locate returns where a table is. When the table is first used, it is asked for that, and
// refused if it would forget rows too soon: what is completed would run again.
func (db *DB) Locate(ctx context.Context, table string) (location string, err error) {
	db.mu.Lock()
	location, known := db.locations[table]
	db.mu.Unlock()
	if known {
		return location, nil
	}
	meta, err := db.client.Dataset(db.Dataset).Table(table).Metadata(ctx)
	if err == nil {
		err = db.lasts(meta)
	}
	if err != nil {
		return "", fmt.Errorf("table %s: %w", table, plain(ctx, err))
	}
	location = cmp.Or(meta.Location, db.Location)
	db.mu.Lock()
	defer db.mu.Unlock()
	db.locations[table] = location
	return location, nil
}

// lasts returns an error where the table, or its partitions, expire too soon.
func (db *DB) lasts(meta *bigquery.TableMetadata) error {
	if p := meta.TimePartitioning; p != nil && p.Expiration > 0 && p.Expiration < db.Expiration() {
		return fmt.Errorf("its partitions expire after %v, and rows must be kept for %v, the retention and a day: "+
			"raise partition_expiration_days of the table, or lower the retention", p.Expiration, db.Expiration())
	}
	if end := meta.ExpirationTime; !end.IsZero() && time.Until(end) < db.Expiration() {
		return fmt.Errorf("it expires at %s, and rows must be kept for %v, the retention and a day: "+
			"remove the table's expiration, and the default table expiration of its dataset",
			end.UTC().Format(time.RFC3339), db.Expiration())
	}
	return nil
}

// Ensure creates the dataset and the tables that are missing. A table may get an end from the
// dataset's default; then Locate refuses it.
func (db *DB) Ensure(ctx context.Context, tables ...*bigquery.TableMetadata) error {
	dataset := db.client.Dataset(db.Dataset)
	_, err := dataset.Metadata(ctx)
	err = unlessThere(err, func() error {
		return dataset.Create(ctx, &bigquery.DatasetMetadata{Location: db.Location})
	})
	for _, t := range tables {
		if err == nil {
			_, err = dataset.Table(t.Name).Metadata(ctx)
			err = unlessThere(err, func() error { return dataset.Table(t.Name).Create(ctx, t) })
		}
	}
	return plain(ctx, err)
}

// unlessThere creates what was looked for and is not there.
func unlessThere(looked error, create func() error) error {
	if !isStatus(looked, http.StatusNotFound) {
		return looked
	}
	if err := create(); !isStatus(err, http.StatusConflict) { // nobody was quicker
		return err
	}
	return nil
}
