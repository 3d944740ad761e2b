package bqstore

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore/internal/bq"
)

// Persist implements [driver.EventStore]. It costs two requests that append a row and two
// queries, one after the other, half of that for an event that is kept already, and a slot
// of the log where different contents were written at once.
func (s *Store) Persist(ctx context.Context, m driver.Message) error {
	return s.do(ctx, "persist", of(m.Key, m.Source), m.Valid(), func(ctx context.Context) error {
		return s.ballot(m.Key, m.Source, m.Source).keepFirst(ctx, m)
	})
}

// KeepAndLook implements [driver.KeepLooker]. It costs what Persist costs: the query that
// says that m is kept reads the other sources as well, and their contents if each has one.
// After a dispute about m, one more query reads them.
func (s *Store) KeepAndLook(ctx context.Context, m driver.Message, sources []string) (
	messages []driver.Message, missing []string, err error,
) {
	err = s.do(ctx, "keep and look", of(m.Key, m.Source), driver.ValidLook(m, sources), func(ctx context.Context) error {
		b := s.ballot(m.Key, m.Source, sources...)
		kept := b.keepFirst(ctx, m)
		if kept != nil && !errors.Is(kept, driver.ErrConflict) {
			return kept
		}
		messages, missing, err = b.messages(ctx)
		return cmp.Or(err, kept)
	})
	return messages, missing, err
}

// keepFirst has m kept unless other content is: then it returns a [driver.ConflictError].
func (b *eventBallot) keepFirst(ctx context.Context, m driver.Message) error {
	row, err := b.first(ctx, m)
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
func (b *eventBallot) first(ctx context.Context, m driver.Message) (eventRow, error) {
	return b.agree(ctx, rowOf(m))
}

// agree has the row kept unless something is, and returns what is. Where the key is purged meanwhile, it
// begins again, as another writer.
func (b *eventBallot) agree(ctx context.Context, mine eventRow) (row eventRow, err error) {
	b.mine = mine
	b.mine.Source = b.own
	if err := b.mine.fits(); err != nil {
		return eventRow{}, err
	}
	for range 3 {
		if row, err = agree(ctx, b, b.mine); !errors.Is(err, errUnseen) {
			return row, err
		}
		b.mine.Writer = rand.Text()
	}
	return row, err
}

// Replace implements [driver.Replacer]. A replacement takes the slot of the log
// behind what is kept, so no one replaces what it has not seen. It costs a query,
// and a slot, again for each that was quicker; where nothing is kept, what Persist
// costs.
func (s *Store) Replace(ctx context.Context, m driver.Message) (stored driver.Message, err error) {
	err = s.do(ctx, "replace", of(m.Key, m.Source), m.Valid(), func(ctx context.Context) error {
		m.Time = m.Time.Truncate(time.Microsecond)
		stored, err = s.ballot(m.Key, m.Source, m.Source).replace(ctx, m)
		return err
	})
	return stored, err
}

func (b *eventBallot) replace(ctx context.Context, m driver.Message) (stored driver.Message, err error) {
	mine := rowOf(m)
	if err := mine.fits(); err != nil {
		return stored, err
	}
	var at bq.Position
	for {
		var row eventRow
		err := b.s.db.Reread(ctx, &at, b.log, func() (_ int64, err error) {
			row, err = b.read(ctx)
			if errors.Is(err, driver.ErrNotFound) {
				row, err = b.first(ctx, m)
			}
			return row.Seq, err
		})
		if err != nil {
			return driver.Message{}, err
		}
		if stored, err = row.message(m.Key); err != nil {
			return driver.Message{}, err
		}
		if later, err := b.replaces(ctx, m, stored); err != nil || !later {
			return stored, err
		}
		n, err := at.After(row.Seq)
		if err != nil {
			return driver.Message{}, err
		}
		if err = b.put(ctx, mine, n); !errors.Is(err, bq.ErrRefused) {
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
	mine := rowOf(m)
	rows, err := bq.Query[eventRow](ctx, b.s.db, "SELECT "+formColumn+", event_time FROM "+b.s.db.Name(b.log.Table)+
		" WHERE key = @key AND source = @source AND kind IN ('kept', 'agreed') AND digest = @digest"+
		" AND event_id = @event_id AND created_at >= @since", "key", driver.ToText(b.key), "source", b.own,
		"digest", mine.Digest, "event_id", mine.EventID, "since", b.s.db.Since())
	return !slices.ContainsFunc(rows, func(r eventRow) bool {
		return r.EventTime.Valid == mine.EventTime.Valid && r.EventTime.Timestamp.Equal(mine.EventTime.Timestamp)
	}), err
}

// LookUp implements [driver.EventStore]. It costs one query.
func (s *Store) LookUp(ctx context.Context, key, source string) (m driver.Message, err error) {
	err = s.do(ctx, "look up", of(key, source), driver.ValidName(key, source), func(ctx context.Context) error {
		messages, missing, err := s.ballot(key, source, source).messages(ctx)
		switch {
		case err != nil:
			return err
		case missing != nil:
			return driver.ErrNotFound
		}
		m = messages[0]
		return nil
	})
	return m, err
}

// LookUpByKey implements [driver.EventStore]. It costs one query.
func (s *Store) LookUpByKey(ctx context.Context, key string) (messages []driver.Message, err error) {
	err = s.do(ctx, "look up by key", fmt.Sprintf("key %q", key), driver.ValidKey(key), func(ctx context.Context) error {
		messages, _, err = s.ballot(key, "").messages(ctx)
		return err
	})
	return messages, err
}

// ListSourcesByKey implements [driver.EventStore]. It costs one query, which does
// not read the contents.
func (s *Store) ListSourcesByKey(ctx context.Context, key string) (sources []string, err error) {
	what := fmt.Sprintf("key %q", key)
	err = s.do(ctx, "list sources by key", what, driver.ValidKey(key), func(ctx context.Context) error {
		rows, err := s.eventRows(ctx, ballotColumns, "key = @key", "key", driver.ToText(key))
		if err == nil {
			sources, err = s.arrived(ctx, key, rows)
		}
		return err
	})
	return sources, err
}
