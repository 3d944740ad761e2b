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
	own     int64 // what it was admitted with
	from    *share
	small   int64 // by how much it has grown, by share
	large   int64
	lane    int64
}

var _ driver.Memory = (*Grant)(nil)

func newGrant(g *Gate, from *share, n int64) *Grant {
	return &Grant{gate: g, holders: 1, from: from, own: n}
}

// Grow implements [driver.Memory].
func (t *Grant) Grow(n int64) error {
	g := t.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	grown := t.small + t.large + t.lane
	switch {
	case t.holders == 0: // nobody would give it back
		return fmt.Errorf("%w: the request has ended", driver.ErrNoMemory)
	case grown+n > g.lane.size:
		return tooLarge(grown+n, g.lane.size)
	case t.from == &g.small && grown+n <= smallGrowth && g.small.spare(n):
		g.small.used += n
		t.small += n
	case g.lane.owner == t || g.lane.owner == nil && !g.large.spare(n):
		g.lane.owner = t
		t.lane += n
	case g.large.spare(n):
		g.large.used += n
		t.large += n
	default:
		return driver.ErrNoMemory
	}
	return nil
}

// Shrink implements [driver.Memory]. The lane is given back first.
func (t *Grant) Shrink(n int64) {
	t.gate.mu.Lock()
	defer t.gate.mu.Unlock()
	t.shrink(n)
}

func (t *Grant) shrink(n int64) {
	g := t.gate
	fromLane := min(n, t.lane)
	fromLarge := min(n-fromLane, t.large)
	fromSmall := min(n-fromLane-fromLarge, t.small)
	t.lane -= fromLane
	t.large -= fromLarge
	t.small -= fromSmall
	g.large.used -= fromLarge
	g.small.used -= fromSmall
	if g.lane.owner == t && t.lane == 0 {
		g.lane.owner = nil
	}
	g.small.next()
	g.large.next()
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
	t.from.used -= t.own
	t.own = 0
	t.shrink(t.lane + t.large + t.small)
}
