package gcsstore

import (
	"sync"
	"time"

	"example.com/eventdriver/driver"
)

// leases remembers the leases that this store has handed out, until they are
// given up or run out. The zero value is empty.
type leases struct {
	mu      sync.Mutex
	known   map[leaseID]known
	sweepAt int // how many there may be before those that ran out are thrown out
}

type leaseID struct {
	scope, key, owner string
	token             int64
}

// known is what the store knows of a lease without asking.
type known struct {
	record record
	// until is when the lease runs out at the earliest. It counts from before the
	// request was sent, so it is no later than by the server's clock, which began
	// to count when it stored the claim.
	until time.Time
}

// margin is how much earlier than its end a lease is not relied on any more, for
// clocks that differ and for a request that is under way: a quarter of it, 10 s at
// most, which is package cache's default for the same thing.
func margin(ttl time.Duration) time.Duration { return min(ttl/4, 10*time.Second) }

// safeUntil is until when nobody can have taken the lease over.
func (k known) safeUntil() time.Time { return k.until.Add(-margin(k.record.ttl)) }

// lasts says whether there is time for a request before safeUntil: another margin.
func (k known) lasts(now time.Time) bool {
	enough := k.safeUntil().Add(-margin(k.record.ttl))
	// Both clocks of the process: the monotonic one stands still while a machine
	// is suspended, the wall clock can be set back.
	return now.Before(enough) && now.Round(0).Before(enough.Round(0))
}

func idOf(c driver.Claim) leaseID { return leaseID{c.Scope, c.Key, c.Owner, c.Token} }

func (l *leases) find(c driver.Claim) (known, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k, ok := l.known[idOf(c)]
	return k, ok
}

func (l *leases) forget(c driver.Claim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, idOf(c))
}

// remember notes a lease. Those that ran out are thrown out each time that the
// number has doubled, so it stays within twice the number of live leases.
func (l *leases) remember(c driver.Claim, k known) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.known) >= l.sweepAt {
		now := time.Now()
		for id, k := range l.known {
			if !now.Before(k.until) {
				delete(l.known, id)
			}
		}
		l.sweepAt = max(64, 2*len(l.known))
	}
	if l.known == nil {
		l.known = make(map[leaseID]known)
	}
	l.known[idOf(c)] = k
}
