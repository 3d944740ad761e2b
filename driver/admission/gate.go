package admission

import (
	"context"
	"fmt"
	"sync"
	"time"

	"example.com/eventdriver/driver"
)

const (
	// Small is the largest request that is admitted to the share of small ones.
	Small = 256 << 10
	// Wait is how long a request waits for its turn. Eventarc's subscriptions expect
	// the answer within ten seconds, and the event is still to be handled then.
	Wait = 4 * time.Second
	// Least is the smallest total that a gate has.
	Least = 16 << 20
)

// Gate admits requests as long as there is memory for them. Create it with [New]. It is
// safe for concurrent use.
type Gate struct {
	mu           sync.Mutex
	small, large share
	lane         lane
}

// New returns a gate for total bytes, or for [Least] if that is more.
func New(total int64) *Gate {
	total = max(total, Least)
	g := &Gate{small: share{size: total / 16}, large: share{size: total / 16 * 6}}
	g.lane.size = total - g.small.size - g.large.size
	return g
}

// Largest is how many bytes can be admitted at once.
func (g *Gate) Largest() int64 { return g.large.size }

// Growth is by how many bytes a grant can grow.
func (g *Gate) Growth() int64 { return g.lane.size }

// InUse returns how many bytes are held now.
func (g *Gate) InUse() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.small.used + g.large.used
	if g.lane.owner != nil {
		n += g.lane.owner.lane
	}
	return n
}

// Admit returns a grant of n bytes, when they are free. It waits for as long as [Wait], or
// until ctx ends; the error is a [driver.ErrNoMemory] then. More than [Gate.Largest] are
// never free: that is a permanent error with [driver.ReasonTooLarge].
func (g *Gate) Admit(ctx context.Context, n int64) (*Grant, error) {
	return g.admit(ctx, n, Wait)
}

// Try is Admit without waiting, for those who hold the bytes already.
func (g *Gate) Try(n int64) (*Grant, error) {
	return g.admit(context.Background(), n, 0)
}

func (g *Gate) admit(ctx context.Context, n int64, wait time.Duration) (*Grant, error) {
	if n > g.large.size {
		return nil, tooLarge(n, g.large.size)
	}
	from := &g.large
	if n <= Small {
		from = &g.small
	}
	turn := g.queue(from, n)
	if turn == nil {
		return newGrant(g, from, n), nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-turn.come:
		return newGrant(g, from, n), nil
	case <-ctx.Done():
	case <-timer.C:
	}
	if g.leave(from, turn) { // it came at the same moment
		return newGrant(g, from, n), nil
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%d bytes: %w: %w", n, driver.ErrNoMemory, err)
	}
	return nil, fmt.Errorf("%d bytes: %w", n, driver.ErrNoMemory)
}

func tooLarge(n, most int64) error {
	return driver.Reject(driver.ReasonTooLarge,
		fmt.Errorf("%d bytes are needed, and the memory is enough for %d: send less, or give the function more memory", n, most))
}

// queue lets a request in and returns nil, or, if it is not its turn, puts it at the end of the queue.
func (g *Gate) queue(s *share, n int64) *turn {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.spare(n) {
		s.used += n
		return nil
	}
	t := &turn{n: n, come: make(chan struct{})}
	s.waiting = append(s.waiting, t)
	return t
}

// leave takes a request out of the queue; true: it has been let in.
func (g *Gate) leave(s *share, t *turn) (admitted bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-t.come:
		return true
	default:
	}
	s.remove(t)
	s.next() // those behind it may need less
	return false
}

// share is a part of the total that several grants have at once.
type share struct {
	size, used int64
	waiting    []*turn // in the order of arrival
}

// turn is a request in the queue.
type turn struct {
	n    int64
	come chan struct{} // closed when it is let in
}

// next lets in as many as there is room for, in order.
func (s *share) next() {
	for len(s.waiting) > 0 && s.used+s.waiting[0].n <= s.size {
		s.used += s.waiting[0].n
		close(s.waiting[0].come)
		s.waiting = s.waiting[1:]
	}
}

func (s *share) remove(t *turn) {
	for i, other := range s.waiting {
		if other == t {
			s.waiting = append(s.waiting[:i:i], s.waiting[i+1:]...)
			return
		}
	}
}

// spare says whether n bytes are free that nobody waits for.
func (s *share) spare(n int64) bool {
	return len(s.waiting) == 0 && s.used+n <= s.size
}

// lane is the part of the total that one grant has at a time.
type lane struct {
	size  int64
	owner *Grant // nil: nobody
}
