// Package held remembers the claims that a store has handed out, so that their
// holders need not read them.
package held

import (
	"sync"
	"time"

	"example.com/eventdriver/driver"
)

// Claims are claims, each with what its store knows of it. They are remembered until
// they are forgotten or their leases run out. The zero value is empty; it is safe for
// concurrent use.
type Claims[K any] struct {
	mu      sync.Mutex
	byID    map[id]entry[K]
	sweepAt int // how many there may be before those whose leases ran out are dropped
}

// fewest is the number below which nothing is swept.
const fewest = 64

// id is what makes a claim the same: Expires and the rest may change.
type id struct {
	scope, key, owner string
	token             int64
}

type entry[K any] struct {
	known   K
	expires time.Time
}

func idOf(c driver.Claim) id { return id{c.Scope, c.Key, c.Owner, c.Token} }

// Find returns what is known of a claim. It may still know one that has expired.
func (h *Claims[K]) Find(c driver.Claim) (K, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e, ok := h.byID[idOf(c)]
	return e.known, ok
}

// Forget forgets a claim.
func (h *Claims[K]) Forget(c driver.Claim) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.byID, idOf(c))
}

// Remember notes what is known of a claim until c.Expires. Each time that the number
// has doubled those that expired are dropped, so there are never more than twice as
// many as live leases, or than a few.
func (h *Claims[K]) Remember(c driver.Claim, known K) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.byID) >= max(fewest, h.sweepAt) {
		now := time.Now()
		for id, e := range h.byID {
			if !now.Before(e.expires) {
				delete(h.byID, id)
			}
		}
		h.sweepAt = 2 * len(h.byID)
	}
	if h.byID == nil {
		h.byID = make(map[id]entry[K])
	}
	h.byID[idOf(c)] = entry[K]{known, c.Expires}
}
