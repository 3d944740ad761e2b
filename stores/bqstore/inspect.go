package bqstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore/internal/bq"
)

// Inspect implements [driver.Inspector]. It costs three queries, at once: one of each table, which
// read no contents. When an event was kept is by the clock of the instance that wrote it.
func (s *Store) Inspect(ctx context.Context, key string) (k driver.KeyState, err error) {
	err = s.do(ctx, "inspect", fmt.Sprintf("key %q", key), driver.ValidKey(key), func(ctx context.Context) error {
		var letters []letterRow
		var found map[string]driver.KeyState
		group, ctx := errgroup.WithContext(ctx)
		together(group, func() (err error) {
			found, err = s.describe(ctx, "key = @key AND created_at >= @since", "key", driver.ToText(key), "since", s.db.Since())
			return err
		})
		together(group, func() (err error) {
			letters, err = s.letterRows(ctx, letterColumns, "key = @key AND ref IS NOT NULL", "created_at", "key", driver.ToText(key))
			return err
		})
		if err := group.Wait(); err != nil {
			return err
		}
		k = found[driver.ToText(key)]
		k.Key = key
		k.Letters = refsOf(letters)
		if isEmpty(k) && len(letters) == 0 {
			return driver.ErrNotFound
		}
		return nil
	})
	if err != nil {
		return driver.KeyState{}, err
	}
	return k, nil
}

// together calls fn in a goroutine of the group; a panic is an error of fn.
func together(group *errgroup.Group, fn func() error) {
	group.Go(func() error { return driver.Recover(fn) })
}

// isEmpty says that nothing is kept of a key but letters: an event may have been proposed.
func isEmpty(k driver.KeyState) bool {
	return len(k.Events)+len(k.Sealed)+len(k.Decided)+len(k.Claims)+len(k.Problems) == 0
}

// ListKeys implements [driver.Inspector]. The keys are ordered by their texts. A page costs two
// queries, at once, of the events and of the claims between its first key and its last. They read all
// columns that describe them, but no contents. A list costs another one before for each [namesAtOnce] of
// its keys, for their names. It reads the columns key and created_at of the events and the claims behind
// the cursor; where q is Open, of the claims seq, kind and scope as well. So keys that are completed
// are left out at once; they do not count as Seen.
//
// A list that another process goes on with costs that query once more. What all this costs depends on
// how well BigQuery leaves out what lies before and behind these names, by the clustering of the tables:
// docs/bigquery.md has figures.
func (s *Store) ListKeys(ctx context.Context, q driver.KeyQuery) (page driver.KeyPage, err error) {
	at, valid := parsePlace(q.Cursor)
	err = s.do(ctx, "list keys", "dataset "+s.settings.dataset, valid, func(ctx context.Context) error {
		page, err = s.listKeys(ctx, q, at)
		return err
	})
	if err != nil {
		return driver.KeyPage{Next: q.Cursor}, err
	}
	return page, nil
}

func (s *Store) listKeys(ctx context.Context, q driver.KeyQuery, at place) (page driver.KeyPage, err error) {
	limit := q.Limit
	if limit <= 0 {
		limit = driver.DefaultLimit
	}
	names, err := s.namesAt(ctx, q, at, limit)
	if err != nil || len(names.keys) == 0 {
		return driver.KeyPage{Share: 1}, err
	}
	n := min(limit, len(names.keys))
	first, last := names.keys[0], names.keys[n-1]
	where, parameters := s.selects(q, "key >= @first AND key <= @last AND created_at >= @since",
		"first", first, "last", last, "since", s.db.Since())
	found, err := s.describe(ctx, where, parameters...)
	if err != nil {
		return page, err
	}
	for _, k := range found {
		if !isEmpty(k) && q.Takes(k) {
			page.Keys = append(page.Keys, k)
		}
	}
	slices.SortFunc(page.Keys, func(a, b driver.KeyState) int { return strings.Compare(a.Key, b.Key) })
	page.Seen, page.Share = max(n, len(page.Keys)), 1
	names.at = place{seen: at.seen + n, list: names.at.list, after: last}
	if names.keys, names.left = names.keys[n:], names.left-n; names.left > 0 {
		page.Next, page.Share = names.at.cursor(), float64(names.at.seen)/float64(names.at.seen+names.left)
		s.names.Store(&names)
	}
	return page, nil
}

// selects is the condition of the rows that a query lists, and its parameters.
func (s *Store) selects(q driver.KeyQuery, where string, parameters ...any) (string, []any) {
	if !q.Open {
		return where, parameters
	}
	return where + " AND key NOT IN (SELECT key FROM " + s.db.Name(claimTable) + " WHERE " + where +
			" AND IFNULL(scope, '') = @scope QUALIFY kind = 'completed' AND seq = MAX(seq) OVER (PARTITION BY key))",
		append(parameters, "scope", driver.ToText(q.Scope))
}

// describe describes the keys that have rows of events or claims for which the condition holds, but for
// their letters, by their texts. The events and the claims are read at once.
func (s *Store) describe(ctx context.Context, where string, parameters ...any) (map[string]driver.KeyState, error) {
	var events []eventState
	var claims []claimState
	group, ctx := errgroup.WithContext(ctx)
	together(group, func() (err error) {
		events, err = bq.Query[eventState](ctx, s.db, "SELECT "+ballotColumns+", key, event_id, IFNULL(media_type, '') AS media_type, "+
			"event_time, size, IF(STARTS_WITH(source, '"+decisionMark+"'), attributes, '') AS attributes, "+
			"MIN(IF(kind IN ('kept', 'agreed'), created_at, NULL)) OVER (PARTITION BY key, source) AS kept_since "+
			"FROM "+s.db.Name(eventTable)+" WHERE "+where+" QUALIFY seq = MAX(seq) OVER (PARTITION BY key, source)", parameters...)
		return err
	})
	together(group, func() (err error) {
		claims, err = bq.Query[claimState](ctx, s.db, "SELECT "+claimColumns+", key, IFNULL(scope, '') AS scope, created_at "+
			"FROM "+s.db.Name(claimTable)+" WHERE "+where+
			" QUALIFY seq = MAX(seq) OVER (PARTITION BY key, IFNULL(scope, ''))", parameters...)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	keys := make(map[string]driver.KeyState)
	for text, places := range byPlace(events) {
		k := keys[text]
		for source := range places {
			places.addTo(&k, source)
		}
		keys[text] = k
	}
	for _, r := range claims {
		k := keys[r.Key]
		r.addTo(&k)
		keys[r.Key] = k
	}
	for text, k := range keys {
		k.Key = fromText(text)
		order(&k)
		keys[text] = k
	}
	return keys, nil
}
