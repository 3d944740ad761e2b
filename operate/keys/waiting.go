package keys

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
)

// Query says which keys [Function.Waiting] looks for.
type Query struct {
	OlderThan time.Duration  // since the first event was kept; 0: any
	For       string         // a source whose event is missing; "": any
	States    []joiner.State // nil: all but done
	Limit     int            // how many keys are returned, the oldest; less than 1: none, they are only counted
	Cursor    string         // where to go on, as a List before said; "": at the beginning
	// Page is how many keys are looked at between two calls of Progress; 0: driver.DefaultLimit.
	Page int
	// Progress is called after each page, with what has been found so far; nil: no call.
	Progress func(List)
}

// List is what Waiting has found.
type List struct {
	Seen   int     `json:"seen"`             // how many keys were looked at
	Found  int     `json:"found"`            // how many of them pass the query
	Counts []Count `json:"counts"`           // of those, by state and what they wait for, the most first
	Oldest []Key   `json:"oldest"`           // the oldest of them; without events come last
	Cursor string  `json:"cursor,omitempty"` // where to go on; "": all keys were looked at
	Share  float64 `json:"share"`            // how much of the keys was seen, by estimation, from 0 to 1
}

// Count says how many keys stand alike.
type Count struct {
	State    joiner.State `json:"state"`
	WaitsFor string       `json:"waitsFor,omitempty"`
	Keys     int          `json:"keys"`
}

// Key is one that is not completed.
type Key struct {
	Key      string       `json:"key"`
	State    joiner.State `json:"state"`
	WaitsFor string       `json:"waitsFor,omitempty"`
	Since    *time.Time   `json:"since,omitempty"` // when its first event was kept
	Problems []string     `json:"problems,omitempty"`
}

// Waiting looks at all keys, and returns those that are not completed and pass the query. When
// the context ends, or the store fails without getting on, it returns what it has found so far beside the error,
// and the Cursor from which another call finds the rest.
func (f Function) Waiting(ctx context.Context, q Query) (List, error) {
	l := lister{Function: f, query: q, now: time.Now(), counts: make(map[Count]int)}
	l.list.Cursor = q.Cursor
	pages := driver.KeyQuery{Cursor: q.Cursor, Limit: q.Page, Open: true, Scope: f.Join.Scope}
	if q.OlderThan > 0 {
		pages.KeptBefore = l.now.Add(-q.OlderThan)
	}
	for {
		page, err := f.Store.ListKeys(ctx, pages)
		l.add(page)
		if err != nil && (page.Seen == 0 || ctx.Err() != nil) { // else the store has got on, and may go on
			return l.result(), fmt.Errorf("list keys: %w", err)
		}
		if pages.Cursor = page.Next; page.Next == "" {
			return l.result(), nil
		}
		if q.Progress != nil {
			q.Progress(l.result())
		}
	}
}

type lister struct {
	Function
	query  Query
	now    time.Time
	list   List
	counts map[Count]int // with Keys 0
}

func (l *lister) add(page driver.KeyPage) {
	l.list.Seen += page.Seen
	l.list.Cursor, l.list.Share = page.Next, max(l.list.Share, page.Share)
	for _, k := range page.Keys {
		a := answer(l.Join, k, l.now)
		if !l.query.takes(a) {
			continue
		}
		l.list.Found++
		l.counts[Count{State: a.State, WaitsFor: waitsFor(a)}]++
		l.list.Oldest = append(l.list.Oldest, Key{k.Key, a.State, waitsFor(a), known(k.FirstKept()), k.Problems})
	}
	slices.SortStableFunc(l.list.Oldest, older)
	l.list.Oldest = l.list.Oldest[:min(len(l.list.Oldest), max(l.query.Limit, 0))]
}

// waitsFor says for what a key waits that nobody has ever run.
func waitsFor(a Answer) string {
	if a.State == joiner.Waiting {
		return a.WaitsFor
	}
	return ""
}

func (q Query) takes(a Answer) bool {
	if q.States != nil && !slices.Contains(q.States, a.State) {
		return false
	}
	return q.For == "" || slices.ContainsFunc(a.Sources, func(s Source) bool { return s.Name == q.For && !s.Arrived })
}

// older orders keys by when they began to wait; those without events come last.
func older(a, b Key) int {
	if a.Since == nil || b.Since == nil {
		return cmp.Compare(unknown(a.Since), unknown(b.Since))
	}
	return a.Since.Compare(*b.Since)
}

func unknown(t *time.Time) int {
	if t == nil {
		return 1
	}
	return 0
}

func (l *lister) result() List {
	list := l.list
	list.Oldest, list.Counts = append([]Key{}, list.Oldest...), []Count{}
	for count, keys := range l.counts {
		count.Keys = keys
		list.Counts = append(list.Counts, count)
	}
	slices.SortFunc(list.Counts, func(a, b Count) int {
		return cmp.Or(b.Keys-a.Keys, cmp.Compare(a.State, b.State), cmp.Compare(a.WaitsFor, b.WaitsFor))
	})
	return list
}
