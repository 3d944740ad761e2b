package gcsstore

import (
	"context"
	"math/rand/v2"
	"time"
)

// The pauses before an object is written again: Cloud Storage takes about one write a
// second for one name, from all writers together.
const (
	firstPause   = time.Second
	longestPause = 8 * time.Second
)

// pauses are those of one operation. The zero value begins with the first.
type pauses struct{ next time.Duration }

// wait pauses, longer each time, and up to a half longer at random, so that those who
// were refused together do not come back together. It returns the context's error if
// that ends first.
func (p *pauses) wait(ctx context.Context) error {
	p.next = min(max(2*p.next, firstPause), longestPause)
	timer := time.NewTimer(p.next + rand.N(p.next/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
