package bqstore

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore/internal/bq"
)

// namesAtOnce is how many names of keys a list reads at once: some MB.
const namesAtOnce = 100_000

// names are the next of a list.
type names struct {
	at     place
	filter driver.KeyQuery // which the names pass; nothing but Open and Scope
	keys   []string        // the texts
	left   int             // how many there are, those that were not read included
}

// namesAt returns the next names of a list, one for each key of a page at least unless there are no more.
// This process may have read them for a page before. What was kept when the list began is among them, and
// that is all that a list must have.
func (s *Store) namesAt(ctx context.Context, q driver.KeyQuery, at place, limit int) (names, error) {
	filter := driver.KeyQuery{Open: q.Open, Scope: q.Scope}
	if n := s.names.Load(); n != nil && n.at == at && n.filter == filter && len(n.keys) >= min(limit, n.left) {
		return *n, nil
	}
	where, parameters := s.selects(q, "key > @after AND created_at >= @since", "after", at.after, "since", s.db.Since())
	rows, err := bq.Query[nameRow](ctx, s.db, "SELECT key, COUNT(*) OVER () AS remaining FROM ("+
		"SELECT key FROM "+s.db.Name(eventTable)+" WHERE "+where+" UNION DISTINCT "+
		"SELECT key FROM "+s.db.Name(claimTable)+" WHERE "+where+") "+
		"ORDER BY key LIMIT "+strconv.Itoa(max(limit, namesAtOnce)), parameters...)
	n := names{at: at, filter: filter}
	n.at.list = rand.Text()[:8]
	for _, r := range rows {
		n.keys, n.left = append(n.keys, r.Key), int(r.Remaining)
	}
	return n, err
}

type nameRow struct {
	Key       string `bigquery:"key"`
	Remaining int64  `bigquery:"remaining"` // as many rows as there are, without the limit
}

func (nameRow) Check() error { return nil }

// place is where a page begins.
type place struct {
	seen  int    // how many keys were seen before, which the share is estimated by
	list  string // which names go on there, if this process has them
	after string // the text of the last key that was seen
}

// cursor is the place in letters, digits and few signs, since people paste cursors into commands.
func (p place) cursor() string {
	return fmt.Sprintf("%d:%s:%s", p.seen, p.list, base64.RawURLEncoding.EncodeToString([]byte(p.after)))
}

func parsePlace(cursor string) (p place, err error) {
	if cursor == "" {
		return p, nil
	}
	parts := strings.SplitN(cursor, ":", 3)
	seen, err := strconv.Atoi(parts[0])
	if err == nil && len(parts) == 3 {
		var after []byte
		after, err = base64.RawURLEncoding.DecodeString(parts[2])
		p = place{seen, parts[1], string(after)}
	}
	if err != nil || seen < 1 || p.after == "" {
		return place{}, driver.Permanent(fmt.Errorf("%.80q is no cursor", cursor))
	}
	return p, nil
}
