package bqstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore/internal/bq"
)

// eventBallot is the ballot in BigQuery on a source of a key, or on the decision for a join.
// Beside it, it reads the rows of other sources of the key.
type eventBallot struct {
	s       *Store
	key     string
	log     bq.Log
	own     string   // the text that its rows have as source
	sources []string // the texts of all that are read, own among them; nil: of all events

	mine eventRow              // what is to be kept; its content is not read again
	seen map[string][]eventRow // the rows at one moment, by their source; nil: they may have changed by what it did
}

func (s *Store) ballot(key, source string, read ...string) *eventBallot {
	b := &eventBallot{s: s, key: key, own: driver.ToText(source),
		log: bq.Log{Table: eventTable, Names: []string{key, source}}}
	for _, source := range read {
		b.sources = append(b.sources, driver.ToText(source))
	}
	return b
}

func (s *Store) decisionBallot(key, join string) *eventBallot {
	own := decisionMark + driver.ToText(join)
	return &eventBallot{s: s, key: key, own: own, sources: []string{own},
		log: bq.Log{Table: eventTable, Names: []string{key, "decided", join}}}
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

// rows implements ballot.
func (b *eventBallot) rows(ctx context.Context) ([]eventRow, error) {
	content, where, parameters := b.selection()
	rows, err := b.s.eventRows(ctx, eventColumns+", "+content+" AS content", where, parameters...)
	if err != nil {
		return nil, err
	}
	for i, r := range rows[b.own] {
		if r.Digest == b.mine.Digest && (r.Kind == kept || r.Kind == agreed) {
			rows[b.own][i].Content = b.mine.Content
		}
	}
	b.seen = rows
	return rows[b.own], nil
}

// selection says which rows are read, and of which the content is: where each source has one,
// and of its own source where it is not mine.
func (b *eventBallot) selection() (content, where string, parameters []any) {
	parameters = []any{"key", driver.ToText(b.key)}
	if b.sources == nil {
		return "content", "key = @key", parameters
	}
	parameters = append(parameters, "own", b.own, "digest", b.mine.Digest)
	names, cases := make([]string, len(b.sources)), ""
	for i, source := range b.sources {
		name := fmt.Sprint("source", i)
		names[i], cases = "@"+name, cases+fmt.Sprintf(" WHEN @%s THEN %d", name, i)
		parameters = append(parameters, name, source)
	}
	all := fmt.Sprintf("COUNT(DISTINCT IF(kind IN ('kept', 'agreed'), CASE source%s END, NULL)) OVER () = %d",
		cases, len(names))
	return "IF(IF(source = @own, digest != @digest, " + all + "), content, NULL)",
		"key = @key AND source IN (" + strings.Join(names, ", ") + ")", parameters
}

// eventRows returns, by the text of the source, the last row that is kept, or else all rows.
func (s *Store) eventRows(ctx context.Context, columns, where string, parameters ...any) (
	map[string][]eventRow, error,
) {
	if _, err := s.db.Locate(ctx, eventTable); err != nil {
		return nil, err
	}
	rows, err := bq.Query[eventRow](ctx, s.db, "SELECT "+columns+" FROM "+s.db.Name(eventTable)+
		" WHERE "+where+" AND created_at >= @since QUALIFY seq = MAX(seq) OVER (PARTITION BY source)",
		append(parameters, "since", s.db.Since())...)
	bySource := make(map[string][]eventRow)
	for _, r := range rows {
		bySource[r.Source] = append(bySource[r.Source], r)
	}
	return bySource, err
}

// messages returns what is kept of each source, in order, or which have nothing. Of contents
// it counts with [driver.Grow] those that are not mine: how much it is, nothing says before.
func (b *eventBallot) messages(ctx context.Context) (messages []driver.Message, missing []string, err error) {
	rows, missing, err := b.all(ctx)
	if err != nil || missing != nil {
		return nil, missing, err
	}
	messages = make([]driver.Message, len(rows))
	for i, row := range rows {
		if row.Content == nil {
			return nil, nil, fmt.Errorf("source %q: BigQuery returned no content", row.Source)
		}
		m, err := row.message(b.key)
		if isMine := row.Source == b.own && row.Digest == b.mine.Digest; err == nil && !isMine {
			err = driver.Grow(ctx, len(m.Content))
		}
		if err != nil {
			return nil, nil, fmt.Errorf("source %q: %w", row.Source, err)
		}
		messages[i] = m
	}
	return messages, nil, nil
}

// all returns the row that is kept of each source, or which have none. Where a source has
// different contents, a slot of the log keeps one of them. A source that is sealed is left out of
// all that have arrived; where it was asked for, the error is errSealed.
func (b *eventBallot) all(ctx context.Context) (rows []eventRow, missing []string, err error) {
	if b.seen == nil {
		if _, err := b.rows(ctx); err != nil {
			return nil, nil, err
		}
	}
	var verdicts []verdict
	for _, source := range b.texts() {
		v := verdictOf(b.seen[source])
		if verdicts = append(verdicts, v); !v.exists {
			missing = append(missing, fromText(source))
		}
	}
	for _, v := range verdicts {
		if missing != nil && !v.row.isSeal() {
			continue
		}
		source := fromText(v.row.Source)
		row, err := v.settle(ctx, b.s.ballot(b.key, source, source))
		if err == nil && row.isSeal() {
			if b.sources == nil {
				continue
			}
			err = errSealed
		}
		if err != nil {
			return nil, nil, fmt.Errorf("source %q: %w", source, err)
		}
		rows = append(rows, row)
	}
	if missing != nil {
		return nil, missing, nil
	}
	return rows, nil, nil
}

// texts are the sources that are looked for, or those that have arrived.
func (b *eventBallot) texts() []string {
	if b.sources != nil {
		return b.sources
	}
	texts := taken(b.seen)
	for i, source := range texts {
		texts[i] = driver.ToText(source)
	}
	return texts
}

// add implements ballot. A row may be there twice; to a ballot that is the same.
func (b *eventBallot) add(ctx context.Context, r eventRow) error {
	if _, err := b.s.db.Locate(ctx, b.log.Table); err != nil {
		return err
	}
	row := r.values(b.key)
	row["created_at"] = r.CreatedAt
	return b.s.db.InsertAll(ctx, b.log.Table, row)
}

// keep implements ballot.
func (b *eventBallot) keep(ctx context.Context, r eventRow) (eventRow, error) {
	var at bq.Position
	for {
		n, err := at.After(0)
		if err != nil {
			return eventRow{}, err
		}
		b.seen = nil
		if err = b.put(ctx, r, n); err == nil {
			r.Kind, r.Seq = kept, n
			return r, nil
		}
		if !errors.Is(err, bq.ErrRefused) {
			return eventRow{}, err
		}
		var last verdict
		err = b.s.db.Reread(ctx, &at, b.log, func() (int64, error) {
			rows, err := b.rows(ctx)
			last = verdictOf(rows)
			return last.row.Seq, err
		})
		if err != nil || last.row.Kind == kept {
			return last.row, err
		}
	}
}

// put inserts a row into slot n of the log, or returns bq.ErrRefused.
func (b *eventBallot) put(ctx context.Context, r eventRow, n int64) error {
	r.Kind, r.Seq = kept, n
	return b.s.db.Insert(ctx, b.log, n, r.values(b.key))
}
