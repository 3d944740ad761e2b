package sim

import (
	"context"
	"time"

	"example.com/eventdriver/driver"
)

// attempt is one delivery of an event at an instance of its own.
type attempt struct {
	delivery int // which of the run's, from 0
	number   int // which try of it, from 1
	event    Event
	end      context.CancelFunc // of the instance
	hangUp   context.CancelFunc // of the request: its client goes away

	// What the explorer has done to it. The gate's mutex guards these.
	crashed  bool
	cut      bool // nothing that it asks of the store arrives
	deaf     bool // no answer of the store reaches it
	troubled bool // one of its operations had a fault, or its context ended
	returned bool
	hungUp   bool
	late     bool // its context ended while it acted, and the act may still arrive

	// What it has done, as the verifier sees it.
	kept     bool           // its event was stored
	joined   bool           // the condition held then
	asked    bool           // for the claim
	sawDone  bool           // the key was completed when it asked, or by itself
	finished bool           // its business has returned nil
	asks     time.Duration  // the pause that its business has asked for
	claims   []driver.Claim // that it was given
}

type attemptKey struct{}

func attemptFrom(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	return a
}
