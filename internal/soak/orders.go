package soak

import (
	"bytes"
	"encoding/json"
	"sync"
)

// orders reads the function's log, in which the example business notes each order
// that it processes. It implements [io.Writer].
type orders struct {
	mu        sync.Mutex
	rest      []byte         // a line that is not complete yet
	processed map[string]int // by key; 0: expected
}

func newOrders() *orders { return &orders{processed: make(map[string]int)} }

func (o *orders) expect(key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.processed[key] += 0
}

// forgive expects no order any more that has not been processed.
func (o *orders) forgive() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, times := range o.processed {
		if times == 0 {
			delete(o.processed, key)
		}
	}
}

// Write takes a part of the log.
func (o *orders) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rest = append(o.rest, text...)
	for {
		line, rest, found := bytes.Cut(o.rest, []byte("\n"))
		if !found {
			return len(text), nil
		}
		o.rest = rest
		var entry struct{ Message, Key string }
		if json.Unmarshal(line, &entry) == nil && entry.Message == "order processed" {
			o.processed[entry.Key]++
		}
	}
}

// sum returns how many orders were expected, how many of them were processed, and
// how many more than once.
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
