package cache

import (
	"bytes"
	"context"
	"sync"
	"time"

	"example.com/eventdriver/driver"
)

// fresh is how long a message may wait for runs of its key and then try itself. Whoever corrects or purges a key
// counts on deliveries that have read its events before to claim it within ten seconds.
const fresh = 5 * time.Second

// runs are the keys that a cache is claiming or processing right now, each with its
// run. A key is there for as long as its run, and no longer. The zero value is empty.
type runs struct {
	mu    sync.Mutex
	byKey map[string]*run
}

// run is one attempt to process a key. Its results are written before ended is
// closed, and may be read after that.
type run struct {
	ended     chan struct{} // nil: nobody waits
	completed bool          // the key is completed
	token     int64         // of its claim; 0: it has none
	held      error         // another instance holds the key
	failed    *failed       // nil: it has not
}

// failed says that a message can never succeed, and why.
type failed struct {
	message driver.Message
	err     error
}

// sameEvent says whether two messages are of one event, or of one join.
func sameEvent(a, b driver.Message) bool {
	return a.ID == b.ID && a.Source == b.Source && a.Key == b.Key && bytes.Equal(a.Content, b.Content)
}

// join returns the run of a key. If there was none, it is a new one, and the caller
// must end it.
func (r *runs) join(key string) (one *run, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if one := r.byKey[key]; one != nil {
		if one.ended == nil {
			one.ended = make(chan struct{})
		}
		return one, false
	}
	if r.byKey == nil {
		r.byKey = make(map[string]*run)
	}
	one = &run{}
	r.byKey[key] = one
	return one, true
}

// end lets those go on who wait for the run.
func (r *runs) end(key string, one *run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byKey, key)
	if one.ended != nil {
		close(one.ended)
	}
}

// wait returns when the run has ended, or with the context's error.
func (r *run) wait(ctx context.Context) error {
	select {
	case <-r.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
