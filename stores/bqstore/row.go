package bqstore

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"cloud.google.com/go/bigquery"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore/internal/bq"
)

// eventRow is a row of the table of events.
type eventRow struct {
	revision
	Source     string                 `bigquery:"source"`
	Kind       eventKind              `bigquery:"kind"`
	Seq        int64                  `bigquery:"seq"`
	Writer     string                 `bigquery:"writer"`
	Digest     string                 `bigquery:"digest"`
	EventID    string                 `bigquery:"event_id"`
	Content    []byte                 `bigquery:"content"` // nil: it was not read
	MediaType  string                 `bigquery:"media_type"`
	EventTime  bigquery.NullTimestamp `bigquery:"event_time"`
	Attributes string                 `bigquery:"attributes"`
	CreatedAt  time.Time              `bigquery:"created_at"`
}

// The columns of a row without its content, and what decides which row is kept.
const (
	ballotColumns = formColumn + ", source, kind, seq, writer, created_at"
	eventColumns  = ballotColumns + ", digest, event_id, IFNULL(media_type, '') AS media_type, event_time, attributes"
)

// rowOf returns the row that keeps m, of a writer of its own.
func rowOf(m driver.Message) eventRow {
	digest := sha256.Sum256(m.Content)
	return eventRow{
		revision:   revision{form},
		Source:     driver.ToText(m.Source),
		Writer:     rand.Text(),
		Digest:     hex.EncodeToString(digest[:]),
		EventID:    driver.ToText(m.ID),
		Content:    append([]byte{}, m.Content...),
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
		r.Content, r.MediaType, r.Attributes = []byte{}, "", "{}"
	}
	return r
}

// values are the row's columns, but created_at, which is the clock's of whoever writes.
func (r eventRow) values(key string) bq.Row {
	row := bq.Row{"form": r.Form, "key": driver.ToText(key), "source": r.Source, "kind": string(r.Kind), "seq": r.Seq,
		"writer": r.Writer, "digest": r.Digest, "event_id": r.EventID, "content": r.Content,
		"size": len(r.Content), "media_type": r.MediaType, "attributes": r.Attributes}
	if r.EventTime.Valid {
		row["event_time"] = r.EventTime.Timestamp
	}
	return row
}

// message returns the event that the row keeps, unless that is a seal.
func (r eventRow) message(key string) (driver.Message, error) {
	if r.isSeal() {
		return driver.Message{}, errSealed
	}
	attributes, err := attributesFromText(r.Attributes)
	if err != nil {
		return driver.Message{}, corrupt(fmt.Sprintf("source %q: attributes", r.Source), err)
	}
	m := driver.Message{ID: fromText(r.EventID), Key: key, Source: fromText(r.Source), Content: bytes.Clone(r.Content),
		MediaType: fromText(r.MediaType), Attributes: attributes}
	if r.EventTime.Valid {
		m.Time = r.EventTime.Timestamp
	}
	return m, nil
}

// rowLimit is how many bytes a row may have: a request may have 10 MB
// (https://cloud.google.com/bigquery/quotas), and has bytes in base64.
const rowLimit = 7_000_000

// fits refuses a row that BigQuery can't take.
func (r eventRow) fits() error {
	// Attributes are JSON in the JSON of a request, which may double them.
	if size := len(r.Content) + 2*len(r.Attributes) + len(r.MediaType); size > rowLimit {
		return driver.Permanent(fmt.Errorf("content, attributes and media type have %d bytes, and a row in BigQuery "+
			"can have %d: send a reference to the data instead, or keep events in Cloud Storage", size, rowLimit))
	}
	if t := r.EventTime.Timestamp; r.EventTime.Valid && (t.Year() < 1 || t.Year() > 9999) {
		return driver.Permanent(fmt.Errorf("the event's time, %v, is not within the years 1 to 9999, as BigQuery wants", t))
	}
	return nil
}

// fromText is the inverse of driver.ToText, and returns as it is what that never makes.
func fromText(text string) string {
	if s, err := driver.FromText(text); err == nil {
		return s
	}
	return text
}

// toJSON returns v, of texts, as JSON.
func toJSON(v any) string {
	b, _ := json.Marshal(v) // maps of strings can't fail
	return string(b)
}

func attributesToText(attributes map[string]string) string {
	texts := make(map[string]string, len(attributes))
	for name, value := range attributes {
		texts[driver.ToText(name)] = driver.ToText(value)
	}
	return toJSON(texts)
}

func attributesFromText(text string) (map[string]string, error) {
	var texts map[string]string
	if err := json.Unmarshal([]byte(text), &texts); err != nil {
		return nil, err
	}
	attributes := make(map[string]string, len(texts))
	for name, value := range texts {
		attributes[fromText(name)] = fromText(value)
	}
	return attributes, nil
}
