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

// The business of these asks for a pause, or keeps failing until it is given up.
var attemptScenarios = []explored{
	{"the business asks for a pause", pausing(alone(nil)), pairs, triples},
	{"the business asks for a pause, leases are taken over", pausing(third(alone(nil))), one, twoOne},
	{"two events, the business asks for a pause", pausing(small()), one, twoOne},
	{"a sweep comes in the pause", pausing(overdue(matchBoth, nil, once("event1"), once("event2"), tooSoon)), one, twoOne},
	{"the business is given up", givingUp(alone(failsAlways), 2), pairs, triples},
	{"the business is given up, three deliveries", givingUp(third(alone(failsAlways)), 2), one, twoOne},
	{"the business fails once less than it may", givingUp(alone(failsOnce), 2), pairs, triples},
	{"the business asks for pauses until it is given up", givingUp(alone(pausesAlways), 2), pairs, triples},
	{"two events, the business is given up", givingUp(joining(sources("event1", "event2", "event1"), matchBoth, 2), 2, failsAlways), one, twoOne},
	{"sweeps find what is given up", givingUp(overdue(matchBoth, nil, once("event1"), once("event2"), tooSoon, tooSoon), 2, failsAlways), one, twoOne},
	{"takeovers are quarantined, and the business is given up",
		givingUpKnown(letters(alone(failsAlways), driver.ReasonTooManyAttempts, driver.ReasonOutcomeUnknown), 2), pairs, triples},
	{"Cloud Storage: the business asks for a pause", onCloud(pausing(leased(alone(nil)))), single, pairs},
	{"Cloud Storage: the business is given up", onCloud(givingUp(leased(alone(failsAlways)), 2)), single, pairs},
}

// pausing has the business ask for a pause, longer than a lease, before it acts.
func pausing(s sim.Scenario) sim.Scenario {
	s.Business = func(_ context.Context, try int, act func() error) error {
		if try == 1 {
			return driver.RetryAfter(errBusiness, 2*lease)
		}
		return act()
	}
	return s
}

func failsAlways(context.Context, int, func() error) error { return errBusiness }

func pausesAlways(context.Context, int, func() error) error {
	return driver.RetryAfter(errBusiness, 2*time.Second)
}

// givingUp gives an order up after n attempts.
func givingUp(s sim.Scenario, n int, business ...func(context.Context, int, func() error) error) sim.Scenario {
	joins := s.Joined != nil
	s.MaxAttempts = n
	for _, b := range business {
		s.Business = b
	}
	s.Pipeline = func(stores sim.Stores, business driver.Handler) *driver.Pipeline {
		p := driver.New()
		if joins {
			p = p.WithNextHandler(joiner.New(matchBoth, stores, joiner.Deadline(time.Hour)))
		}
		return p.WithNextHandler(cache.New(stores, cache.Lease(s.Lease), cache.WaitOnHeld(0))).
			WithNextHandler(convert.DeadLetterSwept(business.(driver.DeadLetterStore), 1<<20)).
			WithNextHandler(cache.MaxAttempts(n)).WithNextHandler(business)
	}
	return letters(s, driver.ReasonTooManyAttempts)
}

// givingUpKnown gives an order up after n attempts, unless it may have acted.
func givingUpKnown(s sim.Scenario, n int) sim.Scenario {
	s.MaxAttempts, s.Quarantine = n, true
	s.Pipeline = func(stores sim.Stores, business driver.Handler) *driver.Pipeline {
		return driver.New(theCache(stores, cache.QuarantineOnExpiry(nil)), cache.MaxAttempts(n), business)
	}
	return s
}
