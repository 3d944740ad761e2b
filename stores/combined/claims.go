package combined

import (
	"cmp"
	"context"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"time"

	"example.com/eventdriver/driver"
)

// known is what a list knows of the claims.
type known struct {
	open  bool // the completed keys of the scope are known by their hashes alone
	scope string
	since time.Time

	claims   map[string]driver.KeyState // of keys that are not completed, or of all
	nameless []driver.KeyState          // what can't be described, not even by its key
	seed     maphash.Seed
	done     []uint64 // hashes of the completed keys, ordered

	mu    sync.Mutex
	taken map[string]bool // the keys among claims that the events have
}

// knownFor is how long a list in one process relies on what it has read of the claims.
const knownFor = 10 * time.Minute

// claimsOf returns what is known of the claims. It reads all where a list begins, or another process has
// begun it.
func (i *Inspector) claimsOf(ctx context.Context, q driver.KeyQuery) (*known, error) {
	i.mu.Lock()
	k := i.known
	i.mu.Unlock()
	if q.Cursor != "" && k != nil && k.open == q.Open && k.scope == q.Scope && time.Since(k.since) < knownFor {
		return k, nil
	}
	k = &known{open: q.Open, scope: q.Scope, since: time.Now(), claims: make(map[string]driver.KeyState),
		seed: maphash.MakeSeed(), taken: make(map[string]bool)}
	for pages := (driver.KeyQuery{}); ; {
		page, err := i.claims.ListKeys(ctx, pages)
		k.add(page.Keys)
		if err != nil && (page.Seen == 0 || ctx.Err() != nil) { // else it has got on
			return nil, err
		}
		if pages.Cursor = page.Next; pages.Cursor == "" {
			break
		}
	}
	slices.Sort(k.done)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.known = k
	return k, nil
}

// forget frees the memory of a list that has ended.
func (i *Inspector) forget(k *known) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.known == k {
		i.known = nil
	}
}

func (k *known) add(keys []driver.KeyState) {
	for _, one := range keys {
		switch {
		case one.Key == "":
			k.nameless = append(k.nameless, one)
		case k.open && one.Claim(k.scope).Done != nil:
			k.done = append(k.done, maphash.String(k.seed, one.Key))
		case len(one.Claims)+len(one.Problems) > 0:
			k.claims[one.Key] = one
		}
	}
}

// take returns the claims of a key that has events, or says that it is completed. Two keys with the same
// hash are told apart by the next list, whose seed is another.
func (k *known) take(key string) (claims driver.KeyState, done bool) {
	if claims, found := k.claims[key]; found {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.taken[key] = true
		return claims, false
	}
	_, done = slices.BinarySearch(k.done, maphash.String(k.seed, key))
	return driver.KeyState{}, done
}

// rest returns the next keys behind one, in order, that were not taken.
func (k *known) rest(after string, limit int) []string {
	keys := slices.SortedFunc(maps.Keys(k.claims), cmp.Compare[string])
	k.mu.Lock()
	defer k.mu.Unlock()
	keys = slices.DeleteFunc(keys, func(key string) bool { return key <= after || k.taken[key] })
	return keys[:min(limit, len(keys))]
}

func (k *known) hasMore(after string) bool {
	return len(k.rest(after, 1)) > 0 || after == "" && len(k.nameless) > 0
}
