package bqstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"cloud.google.com/go/bigquery"

	"example.com/eventdriver/driver"
)

// letterRow is a row of the table of dead letters.
type letterRow struct {
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
}

// AddDeadLetter implements [driver.DeadLetterStore]. It costs one request. Of a body that is
// too large for a request to BigQuery, the beginning is kept, and the error says what
// it was cut from: it would otherwise be delivered again without end.
func (s *Store) AddDeadLetter(ctx context.Context, d driver.DeadLetter) error {
	opCtx, cancel, err := s.begin(ctx, OpAddDeadLetter, anyKey, anySource)
	if err != nil {
		return failed(OpAddDeadLetter, d.Key, d.Source, err)
	}
	defer cancel()
	header := make(map[string][]string, len(d.Header))
	for name, values := range d.Header {
		all := make([]string, len(values))
		for i, value := range values {
			all[i] = driver.ToText(value)
		}
		header[driver.ToText(name)] = all
	}
	texts := toJSON(header)
	if room := max(rowLimit-len(texts), 0); len(d.Body) > room {
		d.Error += fmt.Sprintf(" (the body has %d bytes, SHA-256 %x; BigQuery takes the first %d)", len(d.Body), sha256.Sum256(d.Body), room)
		d.Body = d.Body[:room]
	}
	at := bigquery.NullTimestamp{Timestamp: d.Time.UTC().Truncate(time.Microsecond), Valid: !d.Time.IsZero()}
	_, err = query[letterRow](opCtx, s, "INSERT INTO "+s.name(s.settings.tables.DeadLetters)+
		" (reason, error, handler, event_id, key, source, path, attempt, dead_lettered_at, header, body, created_at) VALUES "+
		"(@reason, @error, @handler, @event_id, @key, @source, @path, @attempt, @dead_lettered_at, @header, FROM_BASE64(@body), CURRENT_TIMESTAMP())",
		"reason", driver.ToText(string(d.Reason)), "error", driver.ToText(d.Error), "handler", driver.ToText(d.Handler), "event_id", driver.ToText(d.ID),
		"key", driver.ToText(d.Key), "source", driver.ToText(d.Source), "path", driver.ToText(d.Path), "attempt", d.Attempt, "dead_lettered_at", at,
		"header", texts, "body", base64.StdEncoding.EncodeToString(d.Body))
	if err != nil {
		return failed(OpAddDeadLetter, d.Key, d.Source, err)
	}
	return nil
}

// DeadLetters returns all the dead letters that are not older than the retention,
// ordered by their Time. It is for tests, local runs and tools.
func (s *Store) DeadLetters(ctx context.Context) ([]driver.DeadLetter, error) {
	opCtx, cancel, err := s.begin(ctx, OpDeadLetters, anyKey, anySource)
	if err != nil {
		return nil, fmt.Errorf("bqstore: %s: %w", OpDeadLetters, err)
	}
	defer cancel()
	rows, err := query[letterRow](opCtx, s, "SELECT reason, error, handler, event_id, key, source, IFNULL(path, '') AS path, attempt, dead_lettered_at, header, body FROM "+
		s.name(s.settings.tables.DeadLetters)+" WHERE created_at >= @since ORDER BY dead_lettered_at", "since", s.since())
	if err != nil {
		return nil, fmt.Errorf("bqstore: %s: %w", OpDeadLetters, err)
	}
	letters := make([]driver.DeadLetter, len(rows))
	for i, r := range rows {
		if letters[i], err = r.letter(); err != nil {
			return nil, fmt.Errorf("bqstore: %s: header: %w", OpDeadLetters, err)
		}
	}
	return letters, nil
}

func (r letterRow) letter() (driver.DeadLetter, error) {
	d := driver.DeadLetter{Reason: driver.Reason(fromText(r.Reason)), Error: fromText(r.Error), Handler: fromText(r.Handler),
		ID: fromText(r.EventID), Key: fromText(r.Key), Source: fromText(r.Source), Path: fromText(r.Path), Attempt: int(r.Attempt), Body: r.Body}
	if r.At.Valid {
		d.Time = r.At.Timestamp
	}
	var texts map[string][]string
	if err := json.Unmarshal([]byte(r.Header), &texts); err != nil {
		return d, err
	}
	for name, values := range texts {
		for i := range values {
			values[i] = fromText(values[i])
		}
		if d.Header == nil {
			d.Header = make(map[string][]string, len(texts))
		}
		d.Header[fromText(name)] = values
	}
	return d, nil
}
