package memstore

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"example.com/eventdriver/driver"
)

// Inspect implements [driver.Inspector].
func (s *Store) Inspect(ctx context.Context, key string) (driver.KeyState, error) {
	if err := cmp.Or(ctx.Err(), driver.ValidKey(key)); err != nil {
		return driver.KeyState{}, failed("inspect", key, anySource, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	k := s.read(key).state()
	k.Letters = s.lettersOf(key)
	if len(k.Events)+len(k.Sealed)+len(k.Decided)+len(k.Claims)+len(k.Letters) == 0 {
		return driver.KeyState{}, failed("inspect", key, anySource, driver.ErrNotFound)
	}
	return k, nil
}

// cursorMark begins a cursor; the last key that was looked at follows.
const cursorMark = "after:"

// ListKeys implements [driver.Inspector]. The keys are ordered, and a page looks at no more of
// them than its limit.
func (s *Store) ListKeys(ctx context.Context, q driver.KeyQuery) (driver.KeyPage, error) {
	after, err := parseCursor(q.Cursor)
	if err := cmp.Or(ctx.Err(), err); err != nil {
		return driver.KeyPage{Next: q.Cursor}, failedList(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	keys := slices.Sorted(maps.Keys(s.keys))
	begin, found := slices.BinarySearch(keys, after)
	if found {
		begin++
	}
	end := min(len(keys), begin+cmp.Or(max(q.Limit, 0), driver.DefaultLimit))
	page := driver.KeyPage{Seen: end - begin, Share: 1}
	for _, key := range keys[begin:end] {
		if k := s.read(key).state(); q.Takes(k) {
			page.Keys = append(page.Keys, k)
		}
	}
	if end < len(keys) {
		page.Next, page.Share = cursorMark+driver.ToText(keys[end-1]), float64(end)/float64(len(keys))
	}
	return page, nil
}

// parseCursor returns the key behind which a page begins.
func parseCursor(cursor string) (after string, err error) {
	text, isCursor := strings.CutPrefix(cursor, cursorMark)
	if after, err = driver.FromText(text); err != nil || cursor != "" && !isCursor {
		return "", driver.Permanent(fmt.Errorf("%.80q is no cursor", cursor))
	}
	return after, nil
}

// state describes what is kept of a key, but for its letters.
func (r record) state() driver.KeyState {
	k := driver.KeyState{Key: r.key, Sealed: slices.Sorted(maps.Keys(r.sealed))}
	for i := range r.events {
		k.Events = append(k.Events, r.events[i].describe())
	}
	for _, join := range slices.Sorted(maps.Keys(r.decided)) {
		k.Decided = append(k.Decided, driver.Decision{Join: join, Sources: slices.Clone(r.decided[join])})
	}
	for i := range r.leases {
		k.Claims = append(k.Claims, r.leases[i].describe())
	}
	return k
}

func (e *event) describe() driver.EventState {
	m := e.head("")
	return driver.EventState{Source: m.Source, ID: m.ID, Kept: time.Unix(0, e.since), Time: m.Time,
		Size: int64(len(e.content())), MediaType: m.MediaType, Corrections: slices.Clone(e.corrections())}
}

func (l *lease) describe() driver.ClaimState {
	c := driver.ClaimState{Scope: l.claim.Scope, Token: l.claim.Token, Owner: l.claim.Owner,
		Takeover: l.claim.Takeover, Changed: l.changed}
	switch l.state {
	case held:
		c.Held, c.Expires, c.Mark, c.Attempts = true, l.claim.Expires, l.claim.Mark, l.claim.Attempts
	case done:
		c.Done = &driver.Completion{Outcome: l.outcome, Token: c.Token, Owner: c.Owner, Time: l.changed}
	default:
		c.Mark, c.Attempts = l.said.Mark, l.said.Attempts
		if l.said.Pause > 0 {
			c.NotBefore = l.paused
		}
		if l.opened == c.Token {
			c.Owner = l.opener
		}
	}
	return c
}

func failedList(err error) error { return fmt.Errorf("memstore: list keys: %w", err) }
