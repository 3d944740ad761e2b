package bqstore

import (
	"context"
	"encoding/base64"

	"cloud.google.com/go/bigquery"

	"example.com/eventdriver/driver"
)

// eventBallot is the ballot on a key and source in BigQuery; or on the decision for a
// join.
type eventBallot struct {
	s           *Store
	key, source string
	join        string
}

func (s *Store) ballot(key, source string) *eventBallot {
	return &eventBallot{s: s, key: key, source: source}
}

// column is what the rows have as source.
func (b *eventBallot) column() string {
	if b.join != "" {
		return decisionMark + driver.ToText(b.join)
	}
	return driver.ToText(b.source)
}

func (b *eventBallot) log() log {
	if b.join != "" {
		return log{b.s.settings.tables.Events, []string{b.key, "decided", b.join}}
	}
	return log{b.s.settings.tables.Events, []string{b.key, b.source}}
}

// read returns the row that is kept, or [driver.ErrNotFound].
func (b *eventBallot) read(ctx context.Context) (eventRow, error) {
	rows, err := b.rows(ctx)
	if err != nil {
		return eventRow{}, err
	}
	v := verdictOf(rows)
	if !v.exists {
		return eventRow{}, driver.ErrNotFound
	}
	return v.settle(ctx, b)
}

func (b *eventBallot) rows(ctx context.Context) ([]eventRow, error) {
	return b.s.eventRows(ctx, eventColumns, "key = @key AND source = @source", "key", driver.ToText(b.key), "source", b.column())
}

// eventRows returns, for each source, the last row that is kept, or else all rows.
// Rows that were kept under the ID of a table that is gone never were.
func (s *Store) eventRows(ctx context.Context, columns, where string, parameters ...any) ([]eventRow, error) {
	id, _, err := s.identify(ctx, s.settings.tables.Events)
	if err != nil {
		return nil, err
	}
	return query[eventRow](ctx, s, "SELECT "+columns+" FROM "+s.name(s.settings.tables.Events)+" WHERE "+where+
		" AND created_at >= @since AND (seq = 0 OR incarnation = @incarnation) QUALIFY seq = MAX(seq) OVER (PARTITION BY source)",
		append(parameters, "since", s.since(), "incarnation", id.incarnation)...)
}

// add appends a row by tabledata.insertAll, the requests of which say that a row can be
// queried once they are acknowledged. BigQuery's client repeats them, so a row may be
// there twice; to a ballot that is the same.
func (b *eventBallot) add(ctx context.Context, r eventRow) error {
	id, _, err := b.s.identify(ctx, b.s.settings.tables.Events)
	if err != nil {
		return err
	}
	table := b.s.client.Dataset(b.s.settings.dataset).Table(b.s.settings.tables.Events)
	return plain(ctx, table.Inserter().Put(ctx, appended{r, b.key, id.incarnation}))
}

// appended is a row as insertAll takes it.
type appended struct {
	eventRow
	key, incarnation string
}

// Save implements [bigquery.ValueSaver].
func (r appended) Save() (row map[string]bigquery.Value, insertID string, err error) {
	row = map[string]bigquery.Value{
		"key": driver.ToText(r.key), "source": r.Source, "kind": r.Kind, "seq": r.Seq, "writer": r.Writer, "digest": r.Digest,
		"event_id": r.EventID, "content": append([]byte{}, r.Content...), "media_type": r.MediaType, "attributes": r.Attributes,
		"incarnation": r.incarnation, "created_at": r.CreatedAt,
	}
	if r.EventTime.Valid {
		row["event_time"] = r.EventTime.Timestamp
	}
	return row, bigquery.NoDedupeID, nil
}

func (b *eventBallot) keep(ctx context.Context, r eventRow) (eventRow, error) {
	var at position
	for {
		n, err := at.after(0)
		if err != nil {
			return eventRow{}, err
		}
		if err = b.insert(ctx, r, n); err == nil {
			r.Kind, r.Seq = kept, n
			return r, nil
		}
		if !at.again(err) {
			return eventRow{}, err
		}
		var last verdict
		err = b.s.reread(ctx, &at, b.log(), func() (int64, error) {
			rows, err := b.rows(ctx)
			last = verdictOf(rows)
			return last.row.Seq, err
		})
		if err != nil || last.row.Kind == kept {
			return last.row, err
		}
	}
}

// insert inserts a row into slot n of the log, or returns errRefused. An event without a
// time has no parameter for it, and the column is left out: the client can't read back a
// job with a parameter that is NULL, as refused does, and the emulator did not find
// rows that were inserted with a NULL among the values.
func (b *eventBallot) insert(ctx context.Context, r eventRow, n int64) error {
	parameters := []any{"key", driver.ToText(b.key), "source", r.Source, "kind", string(kept), "writer", r.Writer, "digest", r.Digest, "event_id", r.EventID,
		"content", base64.StdEncoding.EncodeToString(r.Content), "media_type", r.MediaType}
	column, value := "", ""
	if r.EventTime.Valid {
		column, value = "event_time, ", "@event_time, "
		parameters = append(parameters, "event_time", r.EventTime)
	}
	parameters = append(parameters, "attributes", r.Attributes)
	values := "(key, source, kind, seq, writer, digest, event_id, content, media_type, " + column + "attributes, incarnation, created_at) " +
		"VALUES (@key, @source, @kind, @seq, @writer, @digest, @event_id, FROM_BASE64(@content), @media_type, " + value +
		"@attributes, @incarnation, CURRENT_TIMESTAMP())"
	_, err := b.s.append(ctx, b.log(), "", n, "INSERT INTO "+b.s.name(b.s.settings.tables.Events)+" "+values, parameters...)
	return err
}
