package chaos

import (
	"sync"
	"time"

	"example.com/eventdriver/proof/charts"
)

// chronicle notes what happens, and to which instance. It is safe for concurrent use.
type chronicle struct {
	start time.Time

	mu     sync.Mutex
	killed map[string]bool          // by instance
	pauses map[string][]charts.Span // by instance; To is endless while it lasts
	spans  map[deed][]charts.Span
	counts map[deed]int
	acted  []charts.Point
}

// deed is something that is done to an instance or to a request.
type deed string

const (
	killAnytime deed = "killed at any time"
	killHolder  deed = "killed while it held a key"
	killActed   deed = "killed between effect and completion"
	stopAnytime deed = "paused at any time"
	stopHolder  deed = "paused while it held a key"
	stopActed   deed = "paused between effect and completion"
	cut         deed = "connection cut"
	slow        deed = "connection slow"
	lost        deed = "answer lost"
	refused     deed = "request refused"
	failed      deed = "business failed"
	long        deed = "business longer than the lease"
	stale       deed = "zombie refused"
)

const endless = time.Duration(1<<63 - 1)

func newChronicle() *chronicle {
	return &chronicle{start: time.Now(), killed: make(map[string]bool), pauses: make(map[string][]charts.Span),
		spans: make(map[deed][]charts.Span), counts: make(map[deed]int)}
}

// tick notes a deed that takes no time.
func (c *chronicle) tick(d deed) {
	now := time.Since(c.start)
	c.span(d, now, now)
}

// span notes a deed that lasted.
func (c *chronicle) span(d deed, from, to time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[d]++
	c.spans[d] = append(c.spans[d], charts.Span{From: from, To: to})
}

// kill notes that an instance is about to be killed.
func (c *chronicle) kill(instance string, d deed) {
	c.tick(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killed[instance] = true
}

// pause notes that an instance is about to be stopped, and returns a function to call
// when the instance continues.
func (c *chronicle) pause(instance string, d deed) (over func()) {
	from := time.Since(c.start)
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.pauses[instance])
	c.pauses[instance] = append(c.pauses[instance], charts.Span{From: from, To: endless})
	return func() {
		to := time.Since(c.start)
		c.span(d, from, to)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.pauses[instance][n].To = to
	}
}

// applied notes that an order's effect has been applied.
func (c *chronicle) applied() {
	now := time.Since(c.start)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acted = append(c.acted, charts.Point{At: now, Value: float64(len(c.acted) + 1)})
}

// Killed implements ledger.Fates.
func (c *chronicle) Killed(instance string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.killed[instance]
}

// Paused implements ledger.Fates.
func (c *chronicle) Paused(instance string, since time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pauses[instance] {
		if p.To >= since.Sub(c.start) {
			return true
		}
	}
	return false
}

func (c *chronicle) count(deeds ...deed) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range deeds {
		n += c.counts[d]
	}
	return n
}

// longer counts the spans of the deeds that lasted longer than d.
func (c *chronicle) longer(d time.Duration, deeds ...deed) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, deed := range deeds {
		for _, s := range c.spans[deed] {
			if s.To-s.From > d {
				n++
			}
		}
	}
	return n
}
