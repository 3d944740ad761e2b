// Package combined looks at the keys of a function whose events and claims are in two stores.
package combined

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"example.com/eventdriver/driver"
)

// Inspector is a [driver.Inspector] of two stores. Make one with [New]. It is safe for concurrent use.
type Inspector struct {
	events, claims driver.Inspector

	mu    sync.Mutex
	known *known // of the list that began last; nil: it has ended
}

var _ driver.Inspector = (*Inspector)(nil)

// New returns an Inspector that takes the claims of keys from the one store, and all else from the other.
func New(events, claims driver.Inspector) *Inspector {
	return &Inspector{events: events, claims: claims}
}

// Inspect implements [driver.Inspector]. It costs what Inspect of both stores costs, and asks them at once.
func (i *Inspector) Inspect(ctx context.Context, key string) (driver.KeyState, error) {
	var events, claims driver.KeyState
	ofEvents := driver.Go(func() (err error) {
		events, err = i.events.Inspect(ctx, key)
		return err
	})
	ofClaims := driver.Go(func() (err error) {
		claims, err = i.claims.Inspect(ctx, key)
		return err
	})
	for _, err := range []error{<-ofEvents, <-ofClaims} {
		if err != nil && !errors.Is(err, driver.ErrNotFound) {
			return driver.KeyState{}, err
		}
	}
	k := merge(key, events, claims)
	if isEmpty(k) && len(k.Letters) == 0 {
		return driver.KeyState{}, fmt.Errorf("combined: inspect: key %q: %w", key, driver.ErrNotFound)
	}
	return k, nil
}

// merge takes from each store what it is for.
func merge(key string, events, claims driver.KeyState) driver.KeyState {
	events.Key, events.Claims = key, claims.Claims
	events.Problems = slices.Concat(events.Problems, claims.Problems)
	return events
}

func isEmpty(k driver.KeyState) bool {
	return len(k.Events)+len(k.Sealed)+len(k.Decided)+len(k.Claims)+len(k.Problems) == 0
}

// The cursors of the two parts of a list begin with these. The cursor of the events' store follows, or the
// last key, in base64, since people paste cursors into commands.
const (
	inEvents = "events:"
	inClaims = "claims:"
)

// longPage is how many keys the store of the events is asked for at least, once a list has begun. It does not
// know which of them are completed, so most are left out, and a page of it may cost as much as the whole.
const longPage = 3000

// ListKeys implements [driver.Inspector]. A list begins with one of all keys in the store of the claims.
// Then follow pages of the store of the events, and in the end the keys of which the other store alone has
// something: each costs an Inspect of the store of the events. They are few, unless what that store deletes
// is kept by the other.
//
// Of the claims, the list has what was there when it began, or when another process went on with it. What
// is kept in memory meanwhile is 8 bytes for each key that is completed, and the claims of the others;
// where q is not Open, those of all.
//
// A key of which there were claims alone when the list began, and whose first event comes before it ends,
// may be in no page.
func (i *Inspector) ListKeys(ctx context.Context, q driver.KeyQuery) (page driver.KeyPage, err error) {
	cursor, isInEvents := strings.CutPrefix(q.Cursor, inEvents)
	text, isInClaims := strings.CutPrefix(q.Cursor, inClaims)
	after, err := base64.RawURLEncoding.DecodeString(text)
	if q.Cursor != "" && !isInEvents && (!isInClaims || err != nil) {
		return driver.KeyPage{Next: q.Cursor}, driver.Permanent(fmt.Errorf("combined: list keys: %.80q is no cursor", q.Cursor))
	}
	known, err := i.claimsOf(ctx, q)
	if err != nil {
		return driver.KeyPage{Next: q.Cursor}, err
	}
	if isInClaims {
		page, err = i.listRest(ctx, q, known, string(after))
	} else {
		page, err = i.listEvents(ctx, q, known, cursor)
	}
	if page.Next == "" && err == nil {
		i.forget(known)
	}
	return page, err
}

// listEvents lists a page of the store of the events.
func (i *Inspector) listEvents(ctx context.Context, q driver.KeyQuery, known *known, cursor string) (driver.KeyPage, error) {
	all := driver.KeyQuery{Cursor: cursor, Limit: q.Limit, KeptBefore: q.KeptBefore}
	if all.Limit > 0 && cursor != "" {
		all.Limit = max(all.Limit, longPage)
	}
	found, err := i.events.ListKeys(ctx, all)
	page := driver.KeyPage{Seen: found.Seen, Share: found.Share}
	for _, k := range found.Keys {
		claims, done := known.take(k.Key)
		if k = merge(k.Key, k, claims); !done && !isEmpty(k) && q.Takes(k) {
			page.Keys = append(page.Keys, k)
		}
	}
	switch {
	case found.Next != "" || err != nil:
		page.Next = inEvents + found.Next
	case known.hasMore(""):
		page.Next = inClaims
	}
	if page.Next != "" {
		page.Share = min(page.Share, 0.99)
	}
	return page, err
}

// inspectAtOnce is how many keys of which there are claims alone are asked for at once.
const inspectAtOnce = 8

// listRest lists keys that were not among the events.
func (i *Inspector) listRest(ctx context.Context, q driver.KeyQuery, known *known, after string) (page driver.KeyPage, err error) {
	limit := q.Limit
	if limit <= 0 {
		limit = driver.DefaultLimit
	}
	keys := known.rest(after, limit)
	states := make([]driver.KeyState, len(keys))
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(inspectAtOnce)
	for n, key := range keys {
		group.Go(func() error {
			var k driver.KeyState
			err := driver.Recover(func() (err error) {
				k, err = i.events.Inspect(asking, key)
				return err
			})
			if err != nil && !errors.Is(err, driver.ErrNotFound) {
				return err
			}
			k.Claims = nil // those of that store, from before the other had them
			if k.Letters = nil; isEmpty(k) {
				states[n] = merge(key, k, known.claims[key])
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return driver.KeyPage{Next: inClaims + base64.RawURLEncoding.EncodeToString([]byte(after))}, err
	}
	page = driver.KeyPage{Seen: len(keys), Share: 1}
	for _, k := range states {
		if !isEmpty(k) && q.Takes(k) {
			page.Keys = append(page.Keys, k)
		}
	}
	if len(keys) > 0 && known.hasMore(keys[len(keys)-1]) {
		page.Next, page.Share = inClaims+base64.RawURLEncoding.EncodeToString([]byte(keys[len(keys)-1])), 0.99
	} else {
		page.Keys = append(page.Keys, known.nameless...)
	}
	return page, nil
}
