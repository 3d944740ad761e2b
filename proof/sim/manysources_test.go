package sim_test

import (
	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/proof/sim"
	"example.com/eventdriver/stores/memstore"
)

// The joiner that looks at two sources first, as it does for a join of many.
var manySourceScenarios = []explored{
	{"many sources", ofMany(fourEvents(), matchFour, 4), one, twoOne},
	{"many sources, one instance", oneInstance(ofMany(fourEvents(), matchFour, 4)), single, one},
	{"many sources, one instance, two of three events together", oneInstance(ofMany(sources("event1", "event2", "event3"), matchAll, 3)), one, twoOne},
	{"many sources, event1 twice", ofMany(sources("event1", "event2", "event3", "event1"), matchAll, 3), one, twoOne},
	{"many sources, other content, the last is kept", newest(fourVersions()), single, one},
	{"many sources, an operator purges a key at one instance", purgedAmongMany(), single, one},
}

var matchFour = joiner.MatchAll("event1", "event2", "event3", "event4")

func fourEvents() []sim.Event { return sources("event1", "event2", "event3", "event4") }

// fourVersions has an event that comes with two contents, the newer one first.
func fourVersions() []sim.Event {
	events := append(fourEvents(), sim.Event{Key: "key", Source: "event1", Content: `"older1"`, Age: 10})
	return events
}

// ofMany joins events as if they were of many sources.
func ofMany(events []sim.Event, condition joiner.Condition, needed int, opts ...joiner.Option) sim.Scenario {
	return joining(events, condition, needed, append(opts, joiner.LookAtAll(0))...)
}

func newest(events []sim.Event) sim.Scenario {
	s := ofMany(events, matchFour, 4, joiner.OnConflict(joiner.KeepLast))
	s.Policy = joiner.KeepLast
	return s
}

// purgedAmongMany has an operator purge a key of whose events the instance knows.
func purgedAmongMany() sim.Scenario {
	events := append(sources("event1", "event2"), purging, event("event3"))
	s := deadline(joining(events, matchAll, 3))
	s.Settle = s.Deadline + 1e9
	s.Store = func() sim.Stores { return memstore.New() }
	s.Pipeline = func(stores sim.Stores, business driver.Handler) *driver.Pipeline {
		return driver.New(joiner.New(matchAll, stores, joiner.LookAtAll(0)), theCache(stores, byDeadline...), business)
	}
	return oneInstance(s)
}
