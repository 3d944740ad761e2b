package bqstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"

	"example.com/eventdriver/driver"
)

// eventRow is a row of the table of events.
type eventRow struct {
	Source     string                 `bigquery:"source"`
	Seq        int64                  `bigquery:"seq"`
	EventID    string                 `bigquery:"event_id"`
	Content    []byte                 `bigquery:"content"`
	EventTime  bigquery.NullTimestamp `bigquery:"event_time"`
	Attributes string                 `bigquery:"attributes"`
}

const eventColumns = "source, seq, event_id, content, event_time, attributes"

// Persist implements [driver.EventStore]. It takes the first slot of the log of
// the key and source: three requests, two of them one after the other. Where that
// is taken, it asks for the job that took it and reads what is kept: three more.
func (s *Store) Persist(ctx context.Context, m driver.Message) error {
	if err := s.persist(ctx, m); err != nil {
		return failed(OpPersist, m.Key, m.Source, err)
	}
	return nil
}

func (s *Store) persist(ctx context.Context, m driver.Message) error {
	ctx, cancel, err := s.begin(ctx, OpPersist, m.Key, m.Source)
	if err != nil {
		return err
	}
	defer cancel()
	var at position
	for {
		n, err := at.after(0)
		if err != nil {
			return err
		}
		if err = s.write(ctx, m, n); !at.again(err) {
			return err
		}
		kept, _, err := s.lookUp(ctx, m.Key, m.Source)
		switch {
		case errors.Is(err, driver.ErrNotFound): // burned, or expired
		case err != nil:
			return err
		case bytes.Equal(kept.Content, m.Content):
			return nil
		default:
			return &driver.ConflictError{Stored: kept}
		}
	}
}

// Replace implements [driver.Replacer]. The log's last row is what is kept, and a
// replacement takes the slot behind it, so no one replaces what it has not seen.
// It costs a query, and what Persist costs, again for each that was quicker.
func (s *Store) Replace(ctx context.Context, m driver.Message) (driver.Message, error) {
	kept, err := s.replace(ctx, m)
	if err != nil {
		return driver.Message{}, failed(OpReplace, m.Key, m.Source, err)
	}
	return kept, nil
}

func (s *Store) replace(ctx context.Context, m driver.Message) (driver.Message, error) {
	ctx, cancel, err := s.begin(ctx, OpReplace, m.Key, m.Source)
	if err != nil {
		return driver.Message{}, err
	}
	defer cancel()
	var at position
	for {
		kept, end, err := s.lookUp(ctx, m.Key, m.Source)
		switch {
		case errors.Is(err, driver.ErrNotFound):
			end = 0
		case err != nil:
			return driver.Message{}, err
		case kept.Time.After(m.Time) || same(kept, m):
			return kept, nil
		}
		n, err := at.after(end)
		if err != nil {
			return driver.Message{}, err
		}
		if err = s.write(ctx, m, n); !at.again(err) {
			return m.Clone(), err
		}
	}
}

// same says that two messages with the same key and source are equal.
func same(a, b driver.Message) bool {
	return a.ID == b.ID && a.Time.Equal(b.Time) && bytes.Equal(a.Content, b.Content) && maps.Equal(a.Attributes, b.Attributes)
}

// write inserts m as row n of the log of its key and source.
func (s *Store) write(ctx context.Context, m driver.Message, n int64) error {
	const values = "(key, source, seq, event_id, content, event_time, attributes, incarnation, created_at) " +
		"VALUES (@key, @source, @seq, @event_id, FROM_BASE64(@content), @event_time, @attributes, @incarnation, CURRENT_TIMESTAMP())"
	at := bigquery.NullTimestamp{Timestamp: m.Time.UTC().Truncate(time.Microsecond), Valid: !m.Time.IsZero()}
	return s.append(ctx, log{s.settings.tables.Events, []string{m.Key, m.Source}}, n,
		"INSERT INTO "+s.name(s.settings.tables.Events)+" "+values,
		"key", toText(m.Key), "source", toText(m.Source), "event_id", toText(m.ID),
		"content", base64.StdEncoding.EncodeToString(m.Content), "event_time", at, "attributes", attributesToText(m.Attributes))
}

// LookUp implements [driver.EventStore]. It costs one query.
func (s *Store) LookUp(ctx context.Context, key, source string) (driver.Message, error) {
	opCtx, cancel, err := s.begin(ctx, OpLookUp, key, source)
	if err != nil {
		return driver.Message{}, failed(OpLookUp, key, source, err)
	}
	defer cancel()
	m, _, err := s.lookUp(opCtx, key, source)
	if err != nil {
		return driver.Message{}, failed(OpLookUp, key, source, err)
	}
	return m, nil
}

// lookUp returns what is kept, and which row of its log it is.
func (s *Store) lookUp(ctx context.Context, key, source string) (driver.Message, int64, error) {
	rows, err := query[eventRow](ctx, s, "SELECT "+eventColumns+" FROM "+s.name(s.settings.tables.Events)+
		" WHERE key = @key AND source = @source AND created_at >= @since ORDER BY seq DESC LIMIT 1",
		"key", toText(key), "source", toText(source), "since", s.since())
	if err != nil {
		return driver.Message{}, 0, err
	}
	if len(rows) == 0 {
		return driver.Message{}, 0, driver.ErrNotFound
	}
	m, err := rows[0].message(key)
	return m, rows[0].Seq, err
}

func (r eventRow) message(key string) (driver.Message, error) {
	attributes, err := attributesFromText(r.Attributes)
	if err != nil {
		return driver.Message{}, fmt.Errorf("attributes: %w", err)
	}
	m := driver.Message{ID: fromText(r.EventID), Key: key, Source: fromText(r.Source), Content: r.Content, Attributes: attributes}
	if r.EventTime.Valid {
		m.Time = r.EventTime.Timestamp
	}
	return m, nil
}

// LookUpByKey implements [driver.EventStore]. It costs one query.
func (s *Store) LookUpByKey(ctx context.Context, key string) ([]driver.Message, error) {
	rows, err := s.latest(ctx, OpLookUpByKey, key, eventColumns)
	if err != nil {
		return nil, err
	}
	messages := make([]driver.Message, len(rows))
	for i, r := range rows {
		if messages[i], err = r.message(key); err != nil {
			return nil, failed(OpLookUpByKey, key, fromText(r.Source), err)
		}
	}
	slices.SortFunc(messages, func(a, b driver.Message) int { return strings.Compare(a.Source, b.Source) })
	return messages, nil
}

// ListSourcesByKey implements [driver.EventStore]. It costs one query, which does
// not read the contents.
func (s *Store) ListSourcesByKey(ctx context.Context, key string) ([]string, error) {
	rows, err := s.latest(ctx, OpListSourcesByKey, key, "source, seq")
	if err != nil {
		return nil, err
	}
	sources := make([]string, len(rows))
	for i, r := range rows {
		sources[i] = fromText(r.Source)
	}
	slices.Sort(sources)
	return sources, nil
}

// latest returns columns of the last row of each of the key's logs.
func (s *Store) latest(ctx context.Context, op Operation, key, columns string) ([]eventRow, error) {
	opCtx, cancel, err := s.begin(ctx, op, key, anySource)
	if err != nil {
		return nil, failed(op, key, anySource, err)
	}
	defer cancel()
	rows, err := query[eventRow](opCtx, s, "SELECT "+columns+" FROM "+s.name(s.settings.tables.Events)+
		" WHERE key = @key AND created_at >= @since QUALIFY ROW_NUMBER() OVER (PARTITION BY source ORDER BY seq DESC) = 1",
		"key", toText(key), "since", s.since())
	if err != nil {
		return nil, failed(op, key, anySource, err)
	}
	return rows, nil
}
