package sim_test

import (
	"context"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/proof/sim"
)

// The joins of these have a deadline, and sweeps come along.
var deadlineScenarios = []explored{
	{"two sweeps after the deadline", overdue(matchBoth, nil, event("event1"), sweep, sweep), pairs, triples},
	{"a sweep and the last event", overdue(matchBoth, nil, event("event1"), sweep, event("event2")), one, twoOne},
	{"two sweeps and the last event", overdue(matchBoth, nil, event("event1"), sweep, sweep, event("event2")), one, twoOne},
	{"a sweep, the last event and a redelivery", overdue(matchBoth, nil, event("event1"), sweep, event("event1"), event("event2")), one, twoOne},
	{"a sweep seals two places, and both events come", overdue(matchAll, nil, event("event1"), sweep, event("event2"), event("event3")), one, twoOne},
	{"what is there is processed after the deadline", partly(overdue(matchBoth, nil, event("event1"), sweep, sweep, event("event2"))), one, twoOne},
	{"the same, and the business fails once", failsAtFirst(partly(overdue(matchBoth, nil, event("event1"), sweep, event("event2")))), one, twoOne},
	{"a sweep and the last event, the last content is kept", lastKept(), one, twoOne},
	{"two sweeps after the deadline, takeovers are quarantined", quarantined(overdue(matchBoth, nil, event("event1"), sweep, sweep)), pairs, triples},
	{"one call, a sweep and the last event", inOneCall(overdue(matchBoth, nil, event("event1"), sweep, event("event2"))), one, twoOne},
	{"one call, a sweep seals two places, and both events come",
		inOneCall(overdue(matchAll, nil, event("event1"), sweep, event("event2"), event("event3"))), one, twoOne},
	{"a sweep before the deadline", overdue(matchBoth, nil, event("event1"), tooSoon, event("event2")), one, twoOne},
	{"a sweep finds a join that nobody acts upon", failsAtFirst(overdue(matchBoth, nil, once("event1"), once("event2"), tooSoon)), one, twoOne},
	{"a sweep finds a join that fails for good once", rejected(overdue(matchBoth, nil, once("event1"), once("event2"), tooSoon, tooSoon)), one, twoOne},
}

var (
	sweep   = sim.Event{Key: "key", Sweep: true}
	tooSoon = sim.Event{Key: "key", Sweep: true, Early: true}
)

func event(source string) sim.Event { return sources(source)[0] }

// once is an event that the platform delivers once, whatever comes of it.
func once(source string) sim.Event {
	e := event(source)
	e.Once = true
	return e
}

// overdue joins the events by MatchAll until a deadline, which has passed when a sweep comes. What
// is not complete then is dead-lettered.
func overdue(condition joiner.Condition, opts []joiner.Option, events ...sim.Event) sim.Scenario {
	needed := 2
	if condition == joiner.Condition(matchAll) {
		needed = 3
	}
	s := joining(events, condition, needed)
	s.Pipeline = func(stores sim.Stores, business driver.Handler) *driver.Pipeline {
		return overduePipeline(stores, business, condition, opts, convert.DeadLetterIncomplete(business.(driver.DeadLetterStore), 1<<20))
	}
	return letters(s, driver.ReasonTooLate)
}

func overduePipeline(stores sim.Stores, business driver.Handler, condition joiner.Condition, opts []joiner.Option, more ...driver.Handler) *driver.Pipeline {
	handlers := []driver.Handler{
		joiner.New(condition, stores, append(opts, joiner.Deadline(time.Hour))...),
		theCache(stores),
		convert.DeadLetterSwept(business.(driver.DeadLetterStore), 1<<20),
	}
	return driver.New(append(append(handlers, more...), business)...)
}

// partly has the business process what is there.
func partly(s sim.Scenario) sim.Scenario {
	s.InPart = true
	s.Pipeline = func(stores sim.Stores, business driver.Handler) *driver.Pipeline {
		return overduePipeline(stores, business, matchBoth, nil)
	}
	return s
}

// quarantined has no key run again that may have acted. A sweep writes the letter.
func quarantined(s sim.Scenario) sim.Scenario {
	s.Quarantine = true
	s.Pipeline = func(stores sim.Stores, business driver.Handler) *driver.Pipeline {
		box := business.(driver.DeadLetterStore)
		swept := convert.DeadLetterSwept(box, 1<<20)
		unknown := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
			return swept.Process(ctx, in, func(ctx context.Context, in driver.Message) error {
				return cache.OutcomeUnknown.Process(ctx, in, next)
			})
		})
		return driver.New(joiner.New(matchBoth, stores, joiner.Deadline(time.Hour)), theCache(stores, cache.QuarantineOnExpiry(unknown)),
			convert.DeadLetterIncomplete(box, 1<<20), business)
	}
	return letters(s, driver.ReasonTooLate, driver.ReasonOutcomeUnknown)
}

// lastKept has two contents of a source.
func lastKept() sim.Scenario {
	events := []sim.Event{event("event1"), sweep, event("event1"), event("event2")}
	events[0].Content, events[0].Age = `"Event1"`, 10
	s := overdue(matchBoth, []joiner.Option{joiner.OnConflict(joiner.KeepLast)}, events...)
	s.Policy = joiner.KeepLast
	return s
}

func rejected(s sim.Scenario) sim.Scenario {
	s.Business = rejectsOnce
	return letters(s, driver.ReasonTooLate, driver.ReasonPermanent)
}
