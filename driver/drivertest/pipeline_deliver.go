package drivertest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"example.com/eventdriver/driver"
)

// deliverAll delivers the plan's events, then each event once more.
func (r *run) deliverAll() {
	if !r.deliver(r.plan.order, 0) {
		return
	}
	time.Sleep(settling)
	r.checkActed()
	if r.isBroken() {
		return
	}
	r.mu.Lock()
	r.repeated = true
	r.tell("each event is delivered once more:")
	r.mu.Unlock()
	once := make([]int, len(r.explorer.events))
	for i := range once {
		once[i] = i
	}
	r.deliver(once, len(r.plan.order))
	time.Sleep(settling)
}

// deliver delivers events, whose first is that delivery of the run, and says whether all were
// acknowledged or dead-lettered.
func (r *run) deliver(events []int, first int) bool {
	attempts := make([]*attempt, len(events))
	for i, event := range events {
		attempts[i] = &attempt{delivery: first + i, event: r.explorer.events[event]}
	}
	if r.plan.seed != 0 && first == 0 {
		var all sync.WaitGroup
		for _, a := range attempts {
			all.Go(func() { r.untilAcknowledged(a) })
		}
		all.Wait()
	} else {
		r.inTurn(attempts)
	}
	return !r.isBroken()
}

// inTurn delivers events one after the other, in rounds.
func (r *run) inTurn(waiting []*attempt) {
	for backoff := firstBackoff; len(waiting) > 0; backoff = min(2*backoff, longestBackoff) {
		var again []*attempt
		for _, a := range waiting {
			if r.plan.soon {
				r.untilAcknowledged(a)
			} else if !r.attempt(a) {
				again = append(again, a)
			}
		}
		if waiting = again; len(waiting) > 0 && !r.patient(waiting[0], backoff) {
			return
		}
	}
}

func (r *run) untilAcknowledged(a *attempt) {
	for backoff := firstBackoff; !r.attempt(a); backoff = min(2*backoff, longestBackoff) {
		if !r.patient(a, backoff) {
			return
		}
	}
}

// patient waits before an event is delivered again, and says whether to do that.
func (r *run) patient(a *attempt, backoff time.Duration) bool {
	r.mu.Lock()
	tooLong := time.Since(r.start) > patience
	if tooLong {
		r.violated("%s is never acknowledged", name(a.event))
	}
	goOn := len(r.broken) == 0
	r.mu.Unlock()
	if goOn {
		time.Sleep(backoff)
	}
	return goOn
}

// attempt delivers an event once, as another attempt of the same delivery, and says whether it
// was acknowledged or dead-lettered.
func (r *run) attempt(delivery *attempt) bool {
	delivery.try++
	a := &attempt{
		delivery: delivery.delivery, try: delivery.try, event: delivery.event,
		counts: make(map[string]int),
	}
	if r.plan.seed != 0 {
		r.pause(a, "arrive")
	}
	a.instance = r.instance()
	r.note("%s comes to instance %d%s", a, a.instance.number, again(a.try))

	ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), attemptKey{}, a), requestTimeout)
	m := a.event.Clone()
	result := make(chan error, 1)
	r.handling.Go(func() {
		defer cancel()
		result <- a.instance.pipeline.Process(ctx, m)
	})
	select {
	case <-a.instance.crashed:
	case err := <-result:
		r.pause(a, "answer")
		if !a.instance.dead() {
			return r.answered(a, m, err)
		}
	}
	return false
}

// answered notes how an attempt ended.
func (r *run) answered(a *attempt, m driver.Message, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	a.returned = true
	if timedOut := errors.Is(err, context.DeadlineExceeded); !timedOut && !sameContent(m, a.event) {
		r.violated("a handler changed the content or the attributes of %s in place", name(a.event))
	}
	switch {
	case err == nil:
		r.tell("%s is acknowledged", a)
	case driver.IsPermanent(err):
		r.tell("%s is dead-lettered: %v", a, err)
		r.checkLetter(a, err)
	default:
		r.tell("%s fails: %v", a, err)
		return false
	}
	return true
}

func sameContent(a, b driver.Message) bool {
	return bytes.Equal(a.Content, b.Content) && maps.Equal(a.Attributes, b.Attributes)
}
