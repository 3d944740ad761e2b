package bqstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"cloud.google.com/go/bigquery"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore/internal/bq"
	"example.com/eventdriver/stores/internal/letterid"
)

// letterRow is a row of the table of dead letters.
type letterRow struct {
	revision
	Ref     string                 `bigquery:"ref"`
	Writer  string                 `bigquery:"writer"`
	Reason  string                 `bigquery:"reason"`
	Error   string                 `bigquery:"error"`
	Handler string                 `bigquery:"handler"`
	EventID string                 `bigquery:"event_id"`
	Key     string                 `bigquery:"key"`
	Source  string                 `bigquery:"source"`
	Path    string                 `bigquery:"path"`
	Attempt int64                  `bigquery:"attempt"`
	At      bigquery.NullTimestamp `bigquery:"dead_lettered_at"`
	Header  string                 `bigquery:"header"`
	Body    []byte                 `bigquery:"body"`
	Whole   int64                  `bigquery:"body_size"` // 0: the body is whole
	Added   time.Time              `bigquery:"created_at"`
}

// The columns that describe a letter, and the others. The letters from before there were the columns ref and
// writer have neither.
const (
	letterColumns = formColumn + ", IFNULL(ref, '') AS ref, IFNULL(writer, '') AS writer, reason, key, source, event_id, created_at"
	letterContent = ", error, handler, IFNULL(path, '') AS path, attempt, dead_lettered_at, header, body, IFNULL(body_size, 0) AS body_size"
)

// AddDeadLetter implements [driver.DeadLetterStore]. A letter that is added again, with the same reason,
// ID, key, source, ce- headers and body, is one letter. It costs one request. Of a body that is
// too large for a request to BigQuery, the beginning is kept, and the error says what
// it was cut from: it would otherwise be delivered again without end. Such a letter is read as Cut.
func (s *Store) AddDeadLetter(ctx context.Context, d driver.DeadLetter) error {
	ref, header := letterid.Of(d), make(map[string][]string, len(d.Header))
	for name, values := range d.Header {
		for _, value := range values {
			header[driver.ToText(name)] = append(header[driver.ToText(name)], driver.ToText(value))
		}
	}
	texts, size := toJSON(header), len(d.Body)
	// The headers are JSON in the JSON of a request, which may double them.
	if room := max(rowLimit-2*len(texts)-len(d.Path), 0); len(d.Body) > room {
		d.Error += fmt.Sprintf(" (the body has %d bytes, SHA-256 %x; BigQuery takes the first %d)",
			len(d.Body), sha256.Sum256(d.Body), room)
		d.Body = d.Body[:room]
	}
	row := bq.Row{"form": form, "ref": ref, "writer": rand.Text(), "reason": driver.ToText(string(d.Reason)), "error": driver.ToText(d.Error),
		"handler": driver.ToText(d.Handler), "event_id": driver.ToText(d.ID), "key": driver.ToText(d.Key),
		"source": driver.ToText(d.Source), "path": driver.ToText(d.Path), "attempt": d.Attempt, "header": texts,
		"body":       append([]byte{}, d.Body...),
		"created_at": time.Now().UTC().Truncate(time.Microsecond)}
	if !d.Time.IsZero() {
		row["dead_lettered_at"] = d.Time.UTC().Truncate(time.Microsecond)
	}
	switch {
	case len(d.Body) < size:
		row["body_size"] = size
	case d.Cut:
		row["body_size"] = size + 1 // or more: nobody has read on
	}
	return s.do(ctx, "add dead letter", of(d.Key, d.Source), nil, func(ctx context.Context) error {
		return s.db.InsertAll(ctx, letterTable, row)
	})
}

// DeadLetters returns all the dead letters, ordered by their Time. It is for tests, local runs and tools.
func (s *Store) DeadLetters(ctx context.Context) (letters []driver.DeadLetter, err error) {
	err = s.do(ctx, "dead letters", "table "+letterTable, nil, func(ctx context.Context) error {
		rows, err := s.letterRows(ctx, letterColumns+letterContent, "TRUE", "dead_lettered_at")
		if err != nil {
			return err
		}
		for _, r := range distinct(rows) {
			d, err := r.letter()
			if err != nil {
				return err
			}
			letters = append(letters, d)
		}
		return nil
	})
	return letters, err
}

// letterRows returns the rows of the letters for which the condition holds and that are not deleted, in
// the order of a column. A letter may have several. It is seen for as long as the table keeps it.
func (s *Store) letterRows(ctx context.Context, columns, where, order string, parameters ...any) ([]letterRow, error) {
	return bq.Query[letterRow](ctx, s.db, "SELECT "+columns+" FROM "+s.db.Name(letterTable)+" WHERE "+where+
		" QUALIFY writer IS NULL OR MAX(IF(deleted, 1, 0)) OVER (PARTITION BY writer) = 0 ORDER BY "+order, parameters...)
}

// Check replaces that of the revision: who reads a letter as a whole checks its form, and others find it.
func (letterRow) Check() error { return nil }

func (r letterRow) letter() (driver.DeadLetter, error) {
	if err := r.revision.Check(); err != nil {
		return driver.DeadLetter{}, err
	}
	d := driver.DeadLetter{Reason: driver.Reason(fromText(r.Reason)), Error: fromText(r.Error),
		Handler: fromText(r.Handler), ID: fromText(r.EventID), Key: fromText(r.Key), Source: fromText(r.Source),
		Path: fromText(r.Path), Attempt: int(r.Attempt), Body: r.Body,
		Cut: r.Whole != 0}
	if r.At.Valid {
		d.Time = r.At.Timestamp
	}
	var texts map[string][]string
	if err := json.Unmarshal([]byte(r.Header), &texts); err != nil {
		return d, fmt.Errorf("header: %w", err)
	}
	for name, values := range texts {
		if d.Header == nil {
			d.Header = make(map[string][]string, len(texts))
		}
		for i := range values {
			values[i] = fromText(values[i])
		}
		d.Header[fromText(name)] = values
	}
	return d, nil
}
