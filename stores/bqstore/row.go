package bqstore

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"cloud.google.com/go/bigquery"

	"example.com/eventdriver/driver"
)

// eventRow is a row of the table of events.
type eventRow struct {
	Source     string                 `bigquery:"source"`
	Kind       eventKind              `bigquery:"kind"`
	Seq        int64                  `bigquery:"seq"`
	Writer     string                 `bigquery:"writer"`
	Digest     string                 `bigquery:"digest"`
	EventID    string                 `bigquery:"event_id"`
	Content    []byte                 `bigquery:"content"`
	MediaType  string                 `bigquery:"media_type"`
	EventTime  bigquery.NullTimestamp `bigquery:"event_time"`
	Attributes string                 `bigquery:"attributes"`
	CreatedAt  time.Time              `bigquery:"created_at"`
}

const eventColumns = "source, kind, seq, writer, digest, event_id, content, IFNULL(media_type, '') AS media_type, event_time, attributes, created_at"

// rowOf returns the row that keeps m, of a writer of its own.
func rowOf(m driver.Message) eventRow {
	digest := sha256.Sum256(m.Content)
	return eventRow{
		Source:     driver.ToText(m.Source),
		Writer:     rand.Text(),
		Digest:     hex.EncodeToString(digest[:]),
		EventID:    driver.ToText(m.ID),
		Content:    m.Content,
		MediaType:  driver.ToText(m.MediaType),
		EventTime:  bigquery.NullTimestamp{Timestamp: m.Time.UTC().Truncate(time.Microsecond), Valid: !m.Time.IsZero()},
		Attributes: attributesToText(m.Attributes),
		CreatedAt:  time.Now().UTC().Truncate(time.Microsecond),
	}
}

// step returns the row of that kind, which has the content only if it is kept
// thereby.
func (r eventRow) step(to eventKind) eventRow {
	r.Kind = to
	if to == proposed || to == disputed {
		r.Content, r.MediaType, r.Attributes = nil, "", "{}"
	}
	return r
}

// message returns the event that the row keeps.
func (r eventRow) message(key string) (driver.Message, error) {
	attributes, err := attributesFromText(r.Attributes)
	if err != nil {
		return driver.Message{}, corrupt(fmt.Sprintf("source %q: attributes", r.Source), err)
	}
	m := driver.Message{ID: fromText(r.EventID), Key: key, Source: fromText(r.Source), Content: bytes.Clone(r.Content), MediaType: fromText(r.MediaType), Attributes: attributes}
	if r.EventTime.Valid {
		m.Time = r.EventTime.Timestamp
	}
	return m, nil
}
