// Package bq is what bqstore needs of BigQuery: tables that are made and looked at, statements,
// rows that are appended, and rows that take the slots of a log by the IDs of jobs.
package bq

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
)

// DB is a dataset. It is safe for concurrent use.
type DB struct {
	// Project, Dataset and Location say which; an empty Location is asked for.
	Project, Dataset, Location string
	// Retention is how long rows are seen.
	Retention time.Duration
	// StartWithin is how long a statement that writes may be queued. One that begins later
	// writes nothing. It may end a third later than that; after a sixth, its status is asked for.
	StartWithin time.Duration

	client  *bigquery.Client
	cancels sync.WaitGroup // requests that cancel jobs

	mu        sync.Mutex
	locations map[string]string // of the tables that were used
}

// Row is a row, by its columns.
type Row = map[string]bigquery.Value

// Open makes the client. Where BIGQUERY_EMULATOR_HOST is set, it goes there.
func (db *DB) Open(ctx context.Context, opts ...option.ClientOption) error {
	if host := os.Getenv("BIGQUERY_EMULATOR_HOST"); host != "" {
		opts = append([]option.ClientOption{option.WithEndpoint("http://" + host), option.WithoutAuthentication()}, opts...)
	}
	opts = append(opts, bigquery.WithDefaultJobCreationMode(bigquery.JobCreationModeOptional))
	client, err := bigquery.NewClient(ctx, db.Project, opts...)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	client.Location = db.Location
	db.client, db.locations = client, make(map[string]string)
	return nil
}

// Close closes the client's connections.
func (db *DB) Close() error {
	db.cancels.Wait()
	return db.client.Close()
}

// Name is a table's name in SQL. Its parts were checked and hold no backtick.
func (db *DB) Name(table string) string {
	return "`" + db.Project + "." + db.Dataset + "." + table + "`"
}

// Since is from when on rows are seen. Tables keep partitions for longer, so
// that what a partition's end takes along was unseen before.
func (db *DB) Since() time.Time { return time.Now().Add(-db.Retention) }

// params makes named parameters of pairs of a name and a value. Values never
// become part of a statement's text.
func params(pairs ...any) (list []bigquery.QueryParameter) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, bigquery.QueryParameter{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	return list
}

// statement is a statement with named parameters. What its tables held before is no answer.
func (db *DB) statement(sql string, parameters ...any) *bigquery.Query {
	q := db.client.Query(sql)
	q.Parameters, q.DisableQueryCache = params(parameters...), true
	return q
}

// Query runs a statement that needs no job of its own, with named parameters, given as pairs,
// and returns its rows, or why one of them can't be read.
func Query[R interface{ Check() error }](ctx context.Context, db *DB, sql string, parameters ...any) ([]R, error) {
	rows, err := db.statement(sql, parameters...).Read(ctx)
	if err != nil {
		return nil, plain(ctx, err)
	}
	var found []R
	for {
		var row R
		err := rows.Next(&row)
		if errors.Is(err, iterator.Done) {
			return found, nil
		}
		if err == nil {
			err = row.Check()
		}
		if err != nil {
			return nil, plain(ctx, err)
		}
		found = append(found, row)
	}
}

type inserted Row

// Save implements [bigquery.ValueSaver]. The client makes the row's ID.
func (r inserted) Save() (Row, string, error) { return r, "", nil }

// InsertAll appends a row by tabledata.insertAll: it can be queried when this returns. If an
// answer is lost, BigQuery's client sends the row again. BigQuery tries to notice that by the row's
// ID, and promises nothing: the row may be there twice.
func (db *DB) InsertAll(ctx context.Context, table string, row Row) error {
	return plain(ctx, db.client.Dataset(db.Dataset).Table(table).Inserter().Put(ctx, inserted(row)))
}

// ErrAppended: BigQuery deletes no rows that were appended in the last 90 minutes.
var ErrAppended = errors.New("BigQuery deletes no rows that were appended in the last 90 minutes: try again then")

// Delete deletes the rows for which the condition holds.
func (db *DB) Delete(ctx context.Context, table, where string, parameters ...any) error {
	_, err := db.statement("DELETE FROM "+db.Name(table)+" WHERE "+where, parameters...).Read(ctx)
	if err != nil && strings.Contains(err.Error(), "streaming buffer") {
		return fmt.Errorf("%w: %w", ErrAppended, err)
	}
	return queued(plain(ctx, err))
}

// plain returns err, as one that wraps the context's error if that has ended:
// the client's errors don't always.
func plain(ctx context.Context, err error) error {
	if end := ctx.Err(); err != nil && end != nil && !errors.Is(err, end) {
		return fmt.Errorf("%w (%w)", err, end)
	}
	return err
}
