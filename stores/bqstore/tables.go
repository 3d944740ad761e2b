package bqstore

import (
	"context"
	"crypto/rand"
	_ "embed" // of the view's statement
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"
)

// incarnationLabel is a label of the tables: a table that is dropped and created
// again has another value, as it has another creation time.
const incarnationLabel = "incarnation"

// EnsureTables creates the dataset, the tables and the view that are missing, and
// leaves alone those that exist. It is for local runs and tests; in production
// the tables belong into the description of the infrastructure.
func (s *Store) EnsureTables(ctx context.Context) error {
	ctx, cancel, err := s.begin(ctx, OpEnsureTables, anyKey, anySource)
	if err != nil {
		return fmt.Errorf("bqstore: %s: %w", OpEnsureTables, err)
	}
	defer cancel()
	dataset := s.client.Dataset(s.settings.dataset)
	if _, err := dataset.Metadata(ctx); isStatus(err, http.StatusNotFound) {
		err = dataset.Create(ctx, &bigquery.DatasetMetadata{Location: s.settings.location})
		if err != nil && !isStatus(err, http.StatusConflict) {
			return fmt.Errorf("bqstore: dataset %s: %w", s.settings.dataset, plain(ctx, err))
		}
	} else if err != nil {
		return fmt.Errorf("bqstore: dataset %s: %w", s.settings.dataset, plain(ctx, err))
	}
	t := s.settings.tables
	for _, table := range []struct {
		name string
		meta *bigquery.TableMetadata
	}{
		{t.Events, s.table("Events that wait to be joined. The rows of kind kept and agreed are events, the others steps on the way.", eventSchema, "key", "source")},
		{t.Claims, s.table("Who processes which key: a log. The last row of a key says how it stands.", claimSchema, "key")},
		{t.DeadLetters, s.table("Events that can never succeed, with the reason.", letterSchema, "reason", "key")},
		{t.Keys, &bigquery.TableMetadata{ViewQuery: s.viewQuery(), Description: "One row for each key: what has arrived, and how it stands."}},
	} {
		if err := s.ensure(ctx, dataset.Table(table.name), table.meta); err != nil {
			return fmt.Errorf("bqstore: table %s: %w", table.name, plain(ctx, err))
		}
	}
	return nil
}

func (s *Store) ensure(ctx context.Context, table *bigquery.Table, meta *bigquery.TableMetadata) error {
	_, err := table.Metadata(ctx)
	if !isStatus(err, http.StatusNotFound) {
		return err
	}
	if err := table.Create(ctx, meta); !isStatus(err, http.StatusConflict) {
		return err
	}
	return nil // another was quicker
}

// expiration is how long partitions are kept: a day longer than rows are seen, since
// a partition ends as a whole.
func (s Settings) expiration() time.Duration { return s.retention + 24*time.Hour }

func (s *Store) table(description string, schema bigquery.Schema, cluster ...string) *bigquery.TableMetadata {
	return &bigquery.TableMetadata{
		Description: description,
		Schema:      schema,
		TimePartitioning: &bigquery.TimePartitioning{
			Type: bigquery.DayPartitioningType, Field: "created_at", Expiration: s.settings.expiration()},
		Clustering: &bigquery.Clustering{Fields: cluster},
		Labels:     map[string]string{incarnationLabel: strings.ToLower(rand.Text())},
	}
}

// column returns a column. One that is added to a table that people have already is not
// required: BigQuery adds no others, and a table that is replaced loses its rows. So what
// reads it takes NULL for empty. That is how revisions work on the same rows, so rows carry
// no number of their form: an old one names the columns that it knows, and writes NULL to
// the others.
func column(name string, kind bigquery.FieldType, required bool, description string) *bigquery.FieldSchema {
	return &bigquery.FieldSchema{Name: name, Type: kind, Required: required, Description: description}
}

const texts = ` A string that is not UTF-8, or has a NUL, is in base64 behind "base64:".`

var eventSchema = bigquery.Schema{
	column("key", bigquery.StringFieldType, true, "What events are joined by."+texts),
	column("source", bigquery.StringFieldType, true, "Where the event comes from."+texts),
	column("kind", bigquery.StringFieldType, true, "kept or agreed: an event that is kept. proposed or disputed: a step on the way there."),
	column("seq", bigquery.IntegerFieldType, true, "Of kept rows, the number in the log of its key and source: the greatest counts. 0 of others."),
	column("writer", bigquery.StringFieldType, true, "Which call of Persist or Replace wrote the row."),
	column("digest", bigquery.StringFieldType, true, "SHA-256 of the payload, in hex."),
	column("event_id", bigquery.StringFieldType, true, "The event's ID."+texts),
	column("content", bigquery.BytesFieldType, true, "The event's payload, byte for byte; empty in steps on the way."),
	column("media_type", bigquery.StringFieldType, false, "What the payload is, as its producer says; empty: nobody has said."),
	column("event_time", bigquery.TimestampFieldType, false, "When the event happened, as its producer says."),
	column("attributes", bigquery.StringFieldType, true, "What the event carried beside its content: a JSON object."),
	column("incarnation", bigquery.StringFieldType, true, "Which table of this name the row was meant for."),
	column("created_at", bigquery.TimestampFieldType, true, "When the row was written, by the clock of whoever wrote it."),
}

var claimSchema = bigquery.Schema{
	column("scope", bigquery.StringFieldType, false, "Which of several caches claims the key; mostly empty."+texts),
	column("key", bigquery.StringFieldType, true, "The key that is claimed."+texts),
	column("seq", bigquery.IntegerFieldType, true, "The row's number in the log of its key. The greatest counts."),
	column("kind", bigquery.StringFieldType, true, "acquired, renewed, released or completed."),
	column("token", bigquery.IntegerFieldType, true, "The holder's fencing token: the seq of its acquired row."),
	column("owner", bigquery.StringFieldType, true, "The holder's nonce."+texts),
	column("takeover", bigquery.BooleanFieldType, true, "The holder before let its lease run out."),
	column("mark", bigquery.StringFieldType, false, "Of released rows, what the holder said: failed, quarantined or nothing. Of others, what the holder before said."),
	column("lease_ms", bigquery.IntegerFieldType, true, "How long the lease lasts from created_at on, in milliseconds."),
	column("incarnation", bigquery.StringFieldType, true, "Which table of this name the row was meant for."),
	column("created_at", bigquery.TimestampFieldType, true, "When the row was written, by BigQuery's clock."),
}

var letterSchema = bigquery.Schema{
	column("reason", bigquery.StringFieldType, true, "Why, in a word."),
	column("error", bigquery.StringFieldType, true, "Why, in a sentence."+texts),
	column("handler", bigquery.StringFieldType, true, "Where in the pipeline it failed; empty: before it."),
	column("event_id", bigquery.StringFieldType, true, "The event's ID; empty if it could not be read."+texts),
	column("key", bigquery.StringFieldType, true, "The event's key; empty if it could not be read."+texts),
	column("source", bigquery.StringFieldType, true, "The event's source; empty if it could not be read."+texts),
	column("path", bigquery.StringFieldType, false, "The request's path, if it named the source, as in /events/event1; empty otherwise."),
	column("attempt", bigquery.IntegerFieldType, true, "Which delivery this was, from 1; 0 if unknown."),
	column("dead_lettered_at", bigquery.TimestampFieldType, false, "When it was dead-lettered, by the function's clock."),
	column("header", bigquery.StringFieldType, true, "The request's header: a JSON object of lists."),
	column("body", bigquery.BytesFieldType, true, "The request's body, byte for byte."),
	column("created_at", bigquery.TimestampFieldType, true, "When the row was written, by BigQuery's clock."),
}

// keysView is the view's statement, which Terraform reads, too.
//
//go:embed schema/keys.sql
var keysView string

// viewQuery is one row for each key, for people.
func (s *Store) viewQuery() string {
	tables := map[string]string{"events": s.name(s.settings.tables.Events), "claims": s.name(s.settings.tables.Claims)}
	return os.Expand(keysView, func(table string) string { return tables[table] })
}
