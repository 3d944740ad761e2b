package bqstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"example.com/eventdriver/driver"
)

// Persist implements [driver.EventStore].
//
// It costs two requests that append a row and two queries, one after the other, half of
// that for an event that is kept already, and a slot of the log where different contents
// were written at once.
func (s *Store) Persist(ctx context.Context, m driver.Message) error {
	if err := s.persist(ctx, m); err != nil {
		return failed(OpPersist, m.Key, m.Source, err)
	}
	return nil
}

func (s *Store) persist(ctx context.Context, m driver.Message) error {
	ctx, cancel, err := s.beginEvent(ctx, OpPersist, m.Key, m.Source)
	if err != nil {
		return err
	}
	defer cancel()
	row, err := s.first(ctx, s.ballot(m.Key, m.Source), m)
	if err != nil {
		return err
	}
	stored, err := row.message(m.Key)
	if err == nil && !bytes.Equal(stored.Content, m.Content) {
		err = &driver.ConflictError{Stored: stored}
	}
	return err
}

// first has m kept unless something is, and returns what is.
func (s *Store) first(ctx context.Context, b *eventBallot, m driver.Message) (eventRow, error) {
	mine := rowOf(m)
	mine.Source = b.column()
	if err := s.fits(mine); err != nil {
		return eventRow{}, err
	}
	return agree(ctx, b, mine)
}

// fits refuses a row that BigQuery can't take: its requests are limited to 10 MB
// (https://cloud.google.com/bigquery/quotas), and has bytes in base64.
func (s *Store) fits(r eventRow) error {
	// Attributes are JSON in the JSON of a request, which may double them.
	if size := len(r.Content) + 2*len(r.Attributes); size > rowLimit {
		return driver.Permanent(fmt.Errorf("content and attributes have %d bytes, and a row in BigQuery can have %d: "+
			"send a reference to the data instead, or keep events in Cloud Storage", size, rowLimit))
	}
	if t := r.EventTime.Timestamp; r.EventTime.Valid && (t.Year() < 1 || t.Year() > 9999) {
		return driver.Permanent(fmt.Errorf("the event's time, %v, is not within the years 1 to 9999 of BigQuery's timestamps", t))
	}
	return nil
}

const rowLimit = 7_000_000

// Replace implements [driver.Replacer]. A replacement takes the slot of the log
// behind what is kept, so no one replaces what it has not seen. It costs a query,
// and a slot, again for each that was quicker; where nothing is kept, what Persist
// costs.
func (s *Store) Replace(ctx context.Context, m driver.Message) (driver.Message, error) {
	stored, err := s.replace(ctx, m)
	if err != nil {
		return driver.Message{}, failed(OpReplace, m.Key, m.Source, err)
	}
	return stored, nil
}

func (s *Store) replace(ctx context.Context, m driver.Message) (driver.Message, error) {
	ctx, cancel, err := s.beginEvent(ctx, OpReplace, m.Key, m.Source)
	if err != nil {
		return driver.Message{}, err
	}
	defer cancel()
	b := s.ballot(m.Key, m.Source)
	m.Time = m.Time.Truncate(time.Microsecond)
	mine := rowOf(m)
	if err := s.fits(mine); err != nil {
		return driver.Message{}, err
	}
	var at position
	for {
		var row eventRow
		err := s.reread(ctx, &at, b.log(), func() (int64, error) {
			var err error
			row, err = b.read(ctx)
			if errors.Is(err, driver.ErrNotFound) {
				row, err = s.first(ctx, b, m)
			}
			return row.Seq, err
		})
		if err != nil {
			return driver.Message{}, err
		}
		stored, err := row.message(m.Key)
		if err != nil {
			return driver.Message{}, err
		}
		later, err := b.replaces(ctx, m, stored)
		if err != nil || !later {
			return stored, err
		}
		n, err := at.after(row.Seq)
		if err != nil {
			return driver.Message{}, err
		}
		if err = b.insert(ctx, mine, n); !at.again(err) {
			return m.Clone(), err
		}
	}
}

// replaces says whether m is to be kept in place of what is. An event of the same Time
// that was replaced before has left its row.
func (b *eventBallot) replaces(ctx context.Context, m, stored driver.Message) (bool, error) {
	next, later := driver.Succession{Last: stored}.Replace(m)
	if !later || len(next.Replaced) == 0 { // the Times differ
		return later, nil
	}
	id, _, err := b.s.identify(ctx, b.s.settings.tables.Events)
	if err != nil {
		return false, err
	}
	mine := rowOf(m)
	rows, err := query[eventRow](ctx, b.s, "SELECT event_time FROM "+b.s.name(b.s.settings.tables.Events)+
		" WHERE key = @key AND source = @source AND kind IN ('kept', 'agreed') AND digest = @digest AND event_id = @event_id"+
		" AND created_at >= @since AND (seq = 0 OR incarnation = @incarnation)",
		"key", driver.ToText(b.key), "source", b.column(), "digest", mine.Digest, "event_id", mine.EventID,
		"since", b.s.since(), "incarnation", id.incarnation)
	return !slices.ContainsFunc(rows, func(r eventRow) bool {
		return r.EventTime.Valid == mine.EventTime.Valid && r.EventTime.Timestamp.Equal(mine.EventTime.Timestamp)
	}), err
}

// LookUp implements [driver.EventStore]. It costs one query.
func (s *Store) LookUp(ctx context.Context, key, source string) (driver.Message, error) {
	opCtx, cancel, err := s.beginEvent(ctx, OpLookUp, key, source)
	if err != nil {
		return driver.Message{}, failed(OpLookUp, key, source, err)
	}
	defer cancel()
	row, err := s.ballot(key, source).read(opCtx)
	if err != nil {
		return driver.Message{}, failed(OpLookUp, key, source, err)
	}
	m, err := row.message(key)
	if err != nil {
		return driver.Message{}, failed(OpLookUp, key, source, err)
	}
	if err := driver.Grow(ctx, len(m.Content)); err != nil { // how much it is, nothing says before
		return driver.Message{}, failed(OpLookUp, key, source, err)
	}
	return m, nil
}

// LookUpByKey implements [driver.EventStore]. It costs one query.
func (s *Store) LookUpByKey(ctx context.Context, key string) ([]driver.Message, error) {
	messages, err := s.lookUpByKey(ctx, OpLookUpByKey, key)
	if err != nil {
		return nil, failed(OpLookUpByKey, key, anySource, err)
	}
	return messages, nil
}

func (s *Store) lookUpByKey(ctx context.Context, op Operation, key string) ([]driver.Message, error) {
	ctx, cancel, err := s.begin(ctx, op, key, anySource)
	if err != nil {
		return nil, err
	}
	defer cancel()
	verdicts, _, err := s.verdicts(ctx, key, eventColumns)
	if err != nil {
		return nil, err
	}
	messages := make([]driver.Message, 0, len(verdicts))
	for source, v := range verdicts {
		row, err := v.settle(ctx, s.ballot(key, source))
		if err != nil {
			return nil, fmt.Errorf("source %q: %w", source, err)
		}
		m, err := row.message(key)
		if err == nil {
			err = driver.Grow(ctx, len(m.Content))
		}
		if err != nil {
			return nil, fmt.Errorf("source %q: %w", source, err)
		}
		messages = append(messages, m)
	}
	slices.SortFunc(messages, func(a, b driver.Message) int { return strings.Compare(a.Source, b.Source) })
	return messages, nil
}

// ListSourcesByKey implements [driver.EventStore]. It costs one query, which does
// not read the contents.
func (s *Store) ListSourcesByKey(ctx context.Context, key string) ([]string, error) {
	opCtx, cancel, err := s.begin(ctx, OpListSourcesByKey, key, anySource)
	if err != nil {
		return nil, failed(OpListSourcesByKey, key, anySource, err)
	}
	defer cancel()
	// What is agreed on is kept in the end, even where a slot has yet to say so.
	verdicts, _, err := s.verdicts(opCtx, key, "source, kind, seq, writer, created_at")
	if err != nil {
		return nil, failed(OpListSourcesByKey, key, anySource, err)
	}
	return slices.Sorted(maps.Keys(verdicts)), nil
}

// verdicts returns what is kept of each of the key's sources, and what is decided, by
// the text of the join's name.
func (s *Store) verdicts(ctx context.Context, key, columns string) (events, decisions map[string]verdict, err error) {
	rows, err := s.eventRows(ctx, columns, "key = @key", "key", driver.ToText(key))
	if err != nil {
		return nil, nil, err
	}
	bySource := make(map[string][]eventRow)
	for _, r := range rows {
		bySource[r.Source] = append(bySource[r.Source], r)
	}
	events, decisions = make(map[string]verdict), make(map[string]verdict)
	for source, rows := range bySource {
		v := verdictOf(rows)
		join, isDecision := splitDecision(source)
		switch {
		case !v.exists:
		case isDecision:
			decisions[join] = v
		default:
			events[fromText(source)] = v
		}
	}
	return events, decisions, nil
}
