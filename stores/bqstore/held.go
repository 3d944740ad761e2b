package bqstore

import (
	"sync"
	"time"

	"example.com/eventdriver/driver"
)

// held remembers where the logs of claims end that this store handed out, so that
// their holders need not read them. It may forget any of them.
type held struct {
	mu     sync.Mutex
	claims map[claimID]heldClaim
}

// claimID is what a claim is known by.
type claimID struct {
	scope, key, owner string
	token             int64
}

type heldClaim struct {
	end   claimRow
	until time.Time // when the lease runs out
}

// manyHeld is how many claims are remembered before those whose lease has run out,
// which nobody will ask for any more, are looked for.
const manyHeld = 1000

func idOf(c driver.Claim) claimID { return claimID{c.Scope, c.Key, c.Owner, c.Token} }

func (h *held) get(c driver.Claim) (claimRow, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	found, ok := h.claims[idOf(c)]
	return found.end, ok
}

func (h *held) put(c driver.Claim, end claimRow) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.claims == nil {
		h.claims = make(map[claimID]heldClaim)
	}
	if len(h.claims) >= manyHeld {
		now := time.Now()
		for id, other := range h.claims {
			if now.After(other.until) {
				delete(h.claims, id)
			}
		}
	}
	h.claims[idOf(c)] = heldClaim{end, c.Expires}
}

func (h *held) remove(c driver.Claim) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.claims, idOf(c))
}
