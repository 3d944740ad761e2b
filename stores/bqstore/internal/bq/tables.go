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

// Table is a table, or a view, that is to be there.
type Table struct {
	Name string
	Meta *bigquery.TableMetadata
}

// Ensure creates the dataset and the tables that are missing.
func (db *DB) Ensure(ctx context.Context, tables ...Table) error {
	dataset := db.client.Dataset(db.Dataset)
	life, err := db.ensureDataset(ctx, dataset)
	if err != nil {
		return fmt.Errorf("dataset %s: %w", db.Dataset, plain(ctx, err))
	}
	for _, t := range tables {
		if err := db.ensureTable(ctx, dataset.Table(t.Name), t.Meta, life); err != nil {
			return fmt.Errorf("table %s: %w", t.Name, plain(ctx, err))
		}
	}
	return nil
}

// ensureDataset returns how long a table lives in the dataset by default; 0: for good.
func (db *DB) ensureDataset(ctx context.Context, dataset *bigquery.Dataset) (life time.Duration, err error) {
	meta, err := dataset.Metadata(ctx)
	if isStatus(err, http.StatusNotFound) {
		return 0, unlessThere(dataset.Create(ctx, &bigquery.DatasetMetadata{Location: db.Location}))
	}
	if err != nil {
		return 0, err
	}
	return meta.DefaultTableExpiration, nil
}

// ensureTable makes no table that would end too soon.
func (db *DB) ensureTable(ctx context.Context, table *bigquery.Table, meta *bigquery.TableMetadata,
	life time.Duration,
) error {
	_, err := table.Metadata(ctx)
	if !isStatus(err, http.StatusNotFound) {
		return err
	}
	if life > 0 {
		if err := db.lasts(&bigquery.TableMetadata{ExpirationTime: time.Now().Add(life)}); err != nil {
			return err
		}
	}
	return unlessThere(table.Create(ctx, meta))
}

// unlessThere returns err, or nil where another was quicker to create something.
func unlessThere(err error) error {
	if isStatus(err, http.StatusConflict) {
		return nil
	}
	return err
}
