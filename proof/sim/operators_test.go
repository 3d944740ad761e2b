package sim_test

import (
	"context"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/proof/sim"
)

// In these an operator changes the key while its events come. A delivery has ended before the operator has
// waited for long enough, unless its instance crashed.
var operatorScenarios = []explored{
	{"an operator replaces an event", changed(joiner.KeepFirst, nil, event("event1"), event("event2"), replacing), single, one},
	{"an operator replaces an event that comes again", changed(joiner.KeepFirst, nil, event("event1"), replacing, event("event1"), event("event2")), single, one},
	{"the same, conflicts are rejected", changed(joiner.Reject, nil, event("event1"), replacing, event("event1"), event("event2")), single, one},
	{"an operator replaces an event, and a newer one comes", changed(joiner.KeepLast, nil, older("event1"), replacing, event("event1"), event("event2")), single, one},
	{"an operator replaces an event, and the business fails once", changed(joiner.KeepFirst, failsOnce, event("event1"), event("event2"), replacing), single, one},
	{"an operator replaces an event of an order that failed for good", forGood(event("event1"), event("event2"), replacing, event("event2")), single, one},
	{"two operators replace an event", changed(joiner.KeepFirst, nil, event("event1"), event("event2"), replacing, replacingBy(`"better"`)), single, one},
	{"an operator purges a key", changed(joiner.KeepFirst, nil, event("event1"), event("event2"), purging), single, one},
	{"an operator purges a key whose last event is late", changed(joiner.KeepFirst, nil, event("event1"), purging, event("event2")), single, one},
	{"an operator purges a key whose business fails once", changed(joiner.KeepFirst, failsOnce, event("event1"), event("event2"), purging), single, one},
	{"two operators purge a key", changed(joiner.KeepFirst, nil, event("event1"), event("event2"), purging, purging), single, one},
	{"an operator opens a key again", changed(joiner.KeepFirst, nil, event("event1"), event("event2"), opening), one, twoOne},
	{"an operator opens a key again, and an event comes again", changed(joiner.KeepFirst, nil, event("event1"), event("event2"), opening, event("event2")), one, twoOne},
}

// boundedOnly says that an operator replaces or purges while events come: that holds with one deviation and
// one fault. With more, a delivery that has read the old events, and claims the key after the operator has
// waited, runs what it has read, and the slower of two purges takes events of the key's next life; docs/guarantees.md
// and change.Keys.Purge say so. Random schedules have more.
func boundedOnly(s sim.Scenario) bool {
	for _, e := range s.Events {
		if e.Operator == sim.Replace || e.Operator == sim.Purge {
			return true
		}
	}
	return false
}

var (
	replacing = replacingBy(`"right"`)
	purging   = sim.Event{Key: "key", Operator: sim.Purge}
	opening   = sim.Event{Key: "key", Operator: sim.Rerun}
)

func replacingBy(content string) sim.Event {
	return sim.Event{Key: "key", Source: "event1", Content: content, Operator: sim.Replace}
}

// older is an event of other content that is older than the others.
func older(source string) sim.Event {
	e := event(source)
	e.Content, e.Age = `"older"`, 10
	return e
}

// changed joins two events of a key. A request has a deadline, after which its delivery claims no key.
func changed(policy joiner.ConflictPolicy, business func(context.Context, int, func() error) error, events ...sim.Event) sim.Scenario {
	s := deadline(joining(events, matchBoth, 2))
	s.Policy, s.Business, s.Settle = policy, business, s.Deadline+time.Second
	s.Pipeline = func(stores sim.Stores, business driver.Handler) *driver.Pipeline {
		return driver.New(joiner.New(matchBoth, stores, joiner.OnConflict(policy)), theCache(stores, byDeadline...), business)
	}
	return s
}

func forGood(events ...sim.Event) sim.Scenario {
	return letters(changed(joiner.KeepFirst, rejectsOnce, events...), driver.ReasonPermanent)
}

// operatorMutants are found by these scenarios, without a deviation where a schedule is given.
var operatorMutants = []sourceMutant{
	{name: "a redelivery of what was corrected is joined", anchor: anchor{folder: "driver/joiner", in: "Joiner.kept",
		at: `return conflict.Stored, nil`, nth: 2}, to: `return m, nil`,
		scenario: "an operator replaces an event that comes again"},
	{name: "a redelivery of what was corrected is a conflict", anchor: anchor{folder: "driver/joiner", in: "Joiner.kept",
		at: `conflict.Corrected`}, to: `$0 && m.Key == ""`,
		scenario: "the same, conflicts are rejected"},
	{name: "a redelivery of what was corrected is not told so", anchor: anchor{folder: "driver", in: "Succession.Conflict",
		at: `slices.Contains(s.Contents, fingerprintOf(m.Content))`}, to: `false`,
		scenario: "an operator replaces an event that comes again"},
	{name: "a newer event overrides a corrected one", anchor: anchor{folder: "driver", in: "Succession.Replace",
		at: `s.Correction != nil`}, to: `false`,
		scenario: "an operator replaces an event, and a newer one comes"},
	{name: "nothing is corrected", anchor: anchor{folder: "stores/memstore", in: "Store.Correct",
		at: `kept.set(next)`}, to: "next.Last = before.Last\n$0",
		scenario: "an operator replaces an event that comes again"},
	{name: "tokens go back after a purge", anchor: anchor{folder: "stores/memstore", in: "Store.PurgeClaims",
		at: `s.purged = max(s.purged, l.claim.Token)`}, to: `_ = l`,
		scenario: "an operator purges a key"},
	{name: "a reopened key stays completed", anchor: anchor{folder: "stores/memstore", in: "Store.Reopen",
		at: `l.state, l.outcome, l.changed = free, "", time.Now()`}, to: ``,
		scenario: "an operator opens a key again"},
	{name: "a late completion closes a reopened key", anchor: anchor{folder: "stores/memstore", in: "Store.Complete",
		at: `l.state == free`}, to: `$0 && l.opened == 0`,
		scenario: "an operator opens a key again"},
	{name: "a replaced event's key is released at once", anchor: anchor{folder: "operate/change", in: "Keys.Replace",
		at: `pause(ctx, k.Settle)`}, to: `pause(ctx, 0*k.Settle)`},
	{name: "a purged key is forgotten at once", anchor: anchor{folder: "operate/change", in: "Keys.Purge",
		at: `pause(ctx, k.Settle)`}, to: `pause(ctx, 0*k.Settle)`},
	{name: "a key is purged and not completed before", anchor: anchor{folder: "operate/change", in: "Keys.Purge",
		at: `k.close(ctx, state, force)`}, to: `ctx.Err()`,
		scenario: "an operator purges a key whose last event is late"},
	{name: "a replaced event's key stays held", anchor: anchor{folder: "operate/change", in: "Keys.Replace",
		at: `k.Claims.Release(ctx, claim, driver.Released{})`}, to: `ctx.Err()`,
		scenario: "an operator replaces an event that comes again"},
}
