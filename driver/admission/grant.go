package admission

import (
	"fmt"

	"example.com/eventdriver/driver"
)

// smallGrowth is by how much a grant of the share of small requests grows there.
const smallGrowth = Small

// Grant is the bytes that one request holds. It is a [driver.Memory], and safe for
// concurrent use.
type Grant struct {
	gate *Gate
	// Of the gate's mutex:
	holders int
	held    map[*share]int64 // by share
	grown   int64            // in all, also in the lane
}

var _ driver.Memory = (*Grant)(nil)

func newGrant(g *Gate, from *share, n int64) *Grant {
	return &Grant{gate: g, holders: 1, held: map[*share]int64{from: n}}
}

// Grow implements [driver.Memory].
func (t *Grant) Grow(n int64) error {
	g := t.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case t.holders == 0: // nobody would give it back
		return fmt.Errorf("%w: the request has ended", driver.ErrNoMemory)
	case t.grown+n > g.lane.size:
		return tooLarge(t.grown+n, g.lane.size)
	case t.held[&g.small] > 0 && t.grown+n <= smallGrowth && g.small.spare(n):
		t.take(&g.small, n)
	case g.lane.owner == t:
		g.lane.used += n
	case g.large.spare(n):
		t.take(&g.large, n)
	case g.lane.owner == nil:
		g.lane.owner, g.lane.used = t, n
	default:
		return driver.ErrNoMemory
	}
	t.grown += n
	return nil
}

func (t *Grant) take(from *share, n int64) {
	from.used += n
	t.held[from] += n
}

// Hold implements [driver.Memory].
func (t *Grant) Hold() (release func()) {
	t.gate.mu.Lock()
	defer t.gate.mu.Unlock()
	t.holders++
	released := false
	return func() {
		t.gate.mu.Lock()
		defer t.gate.mu.Unlock()
		if !released {
			released = true
			t.drop()
		}
	}
}

// Release gives the bytes back, when all that Hold has returned have been called, too.
// Call it once.
func (t *Grant) Release() {
	t.gate.mu.Lock()
	defer t.gate.mu.Unlock()
	t.drop()
}

func (t *Grant) drop() {
	if t.holders--; t.holders > 0 {
		return
	}
	g := t.gate
	for from, n := range t.held {
		from.used -= n
	}
	t.held = nil
	if g.lane.owner == t {
		g.lane.owner, g.lane.used = nil, 0
	}
	g.small.next()
	g.large.next()
}
