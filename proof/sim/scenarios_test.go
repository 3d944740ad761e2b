package sim_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/proof/sim"
	"example.com/eventdriver/stores/memstore"
)

// A lease is renewed each second, and its holder stops a quarter before its end.
const (
	lease  = 3 * time.Second
	margin = lease / 4
)

// explored is a scenario, and how far it is explored by make prove and by make explore.
// make test tries single deviations of the former.
type explored struct {
	name           string
	scenario       sim.Scenario
	briefly, fully sim.Bound
}

// The bounds. Few steps can be explored far, many not.
var (
	single  = sim.Bound{Deviations: 1, Faults: 1, Together: 1}
	one     = sim.Bound{Deviations: 1, Faults: 1, Together: 2}
	pairs   = sim.Bound{Deviations: 2, Faults: 2, Together: 2}
	twoOne  = sim.Bound{Deviations: 2, Faults: 1, Together: 3}
	triples = sim.Bound{Deviations: 2, Faults: 2, Together: 3}
)

var scenarios = slices.Concat(memoryScenarios, oneCallScenarios, manySourceScenarios, deadlineScenarios, attemptScenarios, operatorScenarios, cloudScenarios)

var memoryScenarios = []explored{
	// The cache alone, with two or three deliveries.
	{"cache", alone(nil), pairs, triples},
	{"cache, three deliveries", third(alone(nil)), one, twoOne},
	{"cache, waiting for held keys", waiting(alone(nil)), pairs, triples},
	{"another key is claimed", otherKey(alone(nil)), one, twoOne},
	{"the cache's request has a deadline", deadline(alone(nil)), pairs, triples},
	{"duplicates are dead-lettered", letters(options(alone(nil), cache.FailOnDone()), driver.ReasonDuplicate), pairs, triples},
	{"the business fails once", alone(failsOnce), pairs, triples},
	{"the business panics once", raw(alone(panicsOnce)), pairs, triples},
	{"the business fails for good once", letters(alone(rejectsOnce), driver.ReasonPermanent), pairs, triples},
	{"takeovers are quarantined", quarantine(alone(nil)), pairs, triples},
	{"takeovers are quarantined, the business fails once", quarantine(alone(failsOnce)), pairs, triples},
	{"quarantined keys are asked about", asking(alone(nil)), pairs, triples},
	{"quarantined keys are asked about, something fails after the business", asking(failing(alone(actsAndFails))), pairs, triples},
	{"quarantined keys are asked about, with a deadline", asking(deadline(alone(nil)), byDeadline...), pairs, triples},
	{"takeovers are quarantined, a request has a deadline", quarantine(deadline(alone(nil)), byDeadline...), pairs, triples},
	{"clients go away", hangUps(alone(nil)), pairs, triples},
	{"clients go away, the business fails once", hangUps(alone(failsOnce)), pairs, triples},
	{"clients go away, takeovers are quarantined", hangUps(quarantine(alone(nil))), pairs, triples},
	{"one instance", oneInstance(alone(nil)), pairs, triples},
	{"one instance, the business fails once", oneInstance(alone(failsOnce)), pairs, triples},
	{"one instance, clients go away", oneInstance(hangUps(alone(nil))), pairs, triples},
	{"takeovers are quarantined, something fails after the business", quarantine(failing(alone(actsAndFails))), pairs, triples},

	// Two events, one of them twice, and what may differ.
	{"two events", small(), one, twoOne},
	{"an event that nobody waits for", unknown(), one, twoOne},
	{"other content, it is rejected", conflicting(joiner.Reject, driver.ReasonConflict), one, twoOne},
	{"other content, the last is kept", conflicting(joiner.KeepLast), one, twoOne},
	{"other content, the last is kept, and repeated", versions(false), one, twoOne},
	{"other content, the last is kept, without times", versions(true), one, twoOne},
	{"other content, the last is kept until it is decided", decided(conflictingBy(joiner.KeepLast, joiner.AtLeast(2, "event1", "event2", "event3"))), one, twoOne},
	{"other content, the first is kept", conflicting(joiner.KeepFirst), one, twoOne},
	{"waiting for held keys", waiting(small()), one, twoOne},
	{"a request has a deadline", deadline(small()), one, twoOne},

	// Leases that are renewed.
	{"the business takes longer than a lease", alone(long), one, twoOne},
	{"the business fails after more than a lease", alone(longThenFailsOnce), single, twoOne},

	// Clocks that differ by as much as they may.
	{"clocks differ", clocksDiffer(alone(nil), margin), pairs, triples},
	{"clocks differ, the business takes longer than a lease", clocksDiffer(alone(long), margin), one, twoOne},
	{"clocks differ, two events", clocksDiffer(small(), margin), one, twoOne},

	// The pipeline as it is: three events, one of them twice; and other conditions.
	{"two of three", decided(joining(sources("event1", "event2", "event3"), joiner.AtLeast(2, "event1", "event2", "event3"), 2)), one, twoOne},
	{"any of two, the business fails once", failsAtFirst(decided(joining(sources("event1", "event2"), joiner.MatchAny("event1", "event2"), 1))), one, twoOne},
	{"two without the third, the business fails once", failsAtFirst(fickle()), one, twoOne},
	{"two keys", twoKeys(), one, twoOne},
	{"event1 twice", pipeline("event1", matchAll), one, twoOne},
	{"event2 twice, joined by And", pipeline("event2", joiner.MatchAll("event1").And(joiner.MatchAll("event2", "event3"))), single, twoOne},
	{"event3 twice", pipeline("event3", matchAll), single, twoOne},
	{"event1 twice, joined by Or", decided(pipeline("event1", matchAll.Or())), one, twoOne},
}

var (
	matchAll  = joiner.MatchAll("event1", "event2", "event3")
	matchBoth = joiner.MatchAll("event1", "event2")
)

// pipeline is joiner, cache and business, and three events, one of them twice.
func pipeline(twice string, condition joiner.Condition) sim.Scenario {
	return joining(sources("event1", "event2", "event3", twice), condition, 3)
}

func sources(all ...string) []sim.Event {
	var events []sim.Event
	for _, source := range all {
		events = append(events, sim.Event{Key: "key", Source: source, Content: `"` + source + `"`})
	}
	return events
}

// joining joins the events by a condition, which holds for needed of event1, event2 and
// event3, or more.
func joining(events []sim.Event, condition joiner.Condition, needed int, opts ...joiner.Option) sim.Scenario {
	return sim.Scenario{
		Events: events,
		Store:  func() sim.Stores { return memstore.New() },
		Pipeline: func(s sim.Stores, business driver.Handler) *driver.Pipeline {
			return driver.New(joiner.New(condition, s, opts...), theCache(s), business)
		},
		Joined: func(there []string) bool { return len(there) >= needed },
		Lease:  lease,
		Skew:   cache.DefaultClockSkew,
	}
}

func theCache(s sim.Stores, opts ...cache.Option) driver.Handler {
	return cache.New(s, append([]cache.Option{cache.Lease(lease), cache.WaitOnHeld(0)}, opts...)...)
}

// options is the scenario with other options of the cache.
func options(s sim.Scenario, opts ...cache.Option) sim.Scenario {
	joins := s.Joined != nil
	s.Pipeline = func(stores sim.Stores, business driver.Handler) *driver.Pipeline {
		p := driver.New()
		if joins {
			p = p.WithNextHandler(joiner.New(matchBoth, stores))
		}
		return p.WithNextHandler(theCache(stores, opts...)).WithNextHandler(business)
	}
	return s
}

func waiting(s sim.Scenario) sim.Scenario {
	return options(s, cache.WaitOnHeld(300*time.Millisecond))
}

// deadline gives the requests a deadline, and leases end half a second after it.
func deadline(s sim.Scenario) sim.Scenario {
	s.Deadline, s.Skew = lease, 500*time.Millisecond
	s.Lease = s.Deadline + s.Skew
	return options(s, byDeadline...)
}

var byDeadline = []cache.Option{cache.Lease(0), cache.ClockSkew(500 * time.Millisecond)}

func twoKeys() sim.Scenario {
	var events []sim.Event
	for _, key := range []string{"a", "b"} {
		for _, source := range []string{"event1", "event2"} {
			events = append(events, sim.Event{Key: key, Source: source, Content: `"` + key + source + `"`})
		}
	}
	return joining(events, matchBoth, 2)
}

func small() sim.Scenario {
	return joining(sources("event1", "event2", "event1"), matchBoth, 2)
}

// conflicting is two events of three whose contents differ, though not in length; by
// default the newer one comes first.
func conflicting(policy joiner.ConflictPolicy, reasons ...driver.Reason) sim.Scenario {
	return letters(conflictingBy(policy, matchBoth), reasons...)
}

func conflictingBy(policy joiner.ConflictPolicy, condition joiner.Condition) sim.Scenario {
	events := sources("event1", "event2", "event1")
	events[2].Content, events[2].Age = `"Event1"`, 10
	s := joining(events, condition, 2, joiner.OnConflict(policy))
	s.Policy = policy
	return s
}

// versions is three events of a source; the first and the last have the same content.
func versions(untimed bool) sim.Scenario {
	events := sources("event1", "event1", "event1", "event2")
	events[0].Age, events[1].Age, events[1].Content = 10, 5, `"EVENT1"`
	for i := range events {
		events[i].Untimed = untimed
	}
	s := joining(events, matchBoth, 2, joiner.OnConflict(joiner.KeepLast))
	s.Policy = joiner.KeepLast
	return s
}

// decided is the scenario with a condition that holds for several sets of sources.
func decided(s sim.Scenario) sim.Scenario {
	s.Decided = true
	return s
}

// fickle has a condition that becomes false when the third event arrives.
func fickle() sim.Scenario {
	s := decided(joining(sources("event1", "event2", "event3"), matchBoth.And(joiner.MatchNone("event3")), 2))
	s.Fickle = true
	s.Joined = func(there []string) bool { return len(there) == 2 && !slices.Contains(there, "event3") }
	return s
}

func failsAtFirst(s sim.Scenario) sim.Scenario {
	s.Business = failsOnce
	return s
}

func unknown() sim.Scenario {
	s := joining(sources("event1", "event2", "event9"), matchBoth, 2)
	return letters(s, driver.ReasonUnknownSource)
}

// alone is the cache without a joiner: two deliveries of one message.
func alone(business func(context.Context, int, func() error) error) sim.Scenario {
	return options(sim.Scenario{
		Events:   sources("order", "order"),
		Store:    func() sim.Stores { return memstore.New() },
		Business: business,
		Lease:    lease,
		Skew:     cache.DefaultClockSkew,
	})
}

// raw lets the panics of the business reach the cache. A pipeline would turn them into
// errors before.
func raw(s sim.Scenario) sim.Scenario {
	s.Pipeline = func(stores sim.Stores, business driver.Handler) *driver.Pipeline {
		return driver.New(driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
			return theCache(stores).Process(ctx, in, func(ctx context.Context, in driver.Message) error {
				return business.Process(ctx, in, next)
			})
		}))
	}
	return s
}

// clocksDiffer ends leases earlier, by this much, for those who take over.
func clocksDiffer(s sim.Scenario, by time.Duration) sim.Scenario {
	s.Ahead = by
	return s
}

func third(s sim.Scenario) sim.Scenario {
	s.Events = append(slices.Clone(s.Events), s.Events[0])
	return s
}

func letters(s sim.Scenario, reasons ...driver.Reason) sim.Scenario {
	s.Letters = reasons
	return s
}

func quarantine(s sim.Scenario, opts ...cache.Option) sim.Scenario {
	s.Quarantine = true
	return letters(options(s, append(slices.Clone(opts), cache.QuarantineOnExpiry(nil))...), driver.ReasonOutcomeUnknown)
}

// asking gives keys in quarantine a handler that asks whether the business has acted, and
// goes on if it has not.
func asking(s sim.Scenario, opts ...cache.Option) sim.Scenario {
	s.Quarantine, s.Letters = true, nil
	s.Pipeline = func(stores sim.Stores, business driver.Handler) *driver.Pipeline {
		system := business.(interface {
			Acted(ctx context.Context, in driver.Message) (bool, error)
		})
		ask := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
			if acted, err := system.Acted(ctx, in); err != nil || acted {
				return err
			}
			return next.Call(ctx, in)
		})
		return driver.New(theCache(stores, append(slices.Clone(opts), cache.QuarantineOnExpiry(ask))...), business)
	}
	return s
}

func hangUps(s sim.Scenario) sim.Scenario {
	s.HangUps = true
	return s
}

func oneInstance(s sim.Scenario) sim.Scenario {
	s.OneInstance = true
	return s
}

func otherKey(s sim.Scenario) sim.Scenario {
	s.ClaimKey = func(key string) string { return "order of " + key }
	return options(s, cache.KeyFrom(func(m driver.Message) string { return s.ClaimKey(m.Key) }))
}

var errBusiness = errors.New("the business fails")

func failsOnce(_ context.Context, try int, act func() error) error {
	if try == 1 {
		return errBusiness
	}
	return act()
}

// actsAndFails is a business after which something fails, the first time.
func actsAndFails(_ context.Context, try int, act func() error) error {
	if err := act(); err != nil || try > 1 {
		return err
	}
	return fmt.Errorf("%w (%w)", errBusiness, driver.ErrActed)
}

func failing(s sim.Scenario) sim.Scenario {
	s.FailsAfterActing = true
	return s
}

func rejectsOnce(_ context.Context, try int, act func() error) error {
	if try == 1 {
		return driver.Permanent(errBusiness)
	}
	return act()
}

func panicsOnce(_ context.Context, try int, act func() error) error {
	if try == 1 {
		panic(errBusiness)
	}
	return act()
}

// long takes more than a lease before it acts, and honours its context.
func long(ctx context.Context, _ int, act func() error) error {
	return after(ctx, 5*lease/4, act)
}

func after(ctx context.Context, d time.Duration, act func() error) error {
	select {
	case <-time.After(d):
		return act()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func longThenFailsOnce(ctx context.Context, try int, act func() error) error {
	return long(ctx, try, func() error { return failsOnce(ctx, try, act) })
}
