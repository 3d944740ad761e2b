package soak

import (
	"encoding/json"
	"sync"

	"example.com/eventdriver/proof/instances"
)

// orders reads the function's log, in which the business of the test's instances has a
// line for each run.
type orders struct {
	mu        sync.Mutex
	processed map[string]int // by key; 0: expected
}

func newOrders() *orders { return &orders{processed: make(map[string]int)} }

func (o *orders) expect(key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.processed[key] += 0
}

// forgive no longer expects the orders that have not been processed.
func (o *orders) forgive() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, times := range o.processed {
		if times == 0 {
			delete(o.processed, key)
		}
	}
}

// line takes a line of the log.
func (o *orders) line(line []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var entry struct{ Message, Key string }
	if json.Unmarshal(line, &entry) == nil && entry.Message == instances.Acted {
		o.processed[entry.Key]++
	}
}

// sum returns how many orders were expected, how many of them were processed, and
// how many were processed more than once.
func (o *orders) sum() (expected, processed, doubled int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, times := range o.processed {
		expected++
		if times > 0 {
			processed++
		}
		if times > 1 {
			doubled++
		}
	}
	return expected, processed, doubled
}
