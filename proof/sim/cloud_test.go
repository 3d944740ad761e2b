package sim_test

import (
	"context"
	"net/http"
	"time"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/proof/sim"
	"example.com/eventdriver/stores/gcsstore"
)

// onCloud is the scenario on Cloud Storage: the requests of its stores are the steps.
func onCloud(s sim.Scenario) sim.Scenario { return waitingFor(storeTimeout, s) }

// waitingFor is the same with stores that wait this long for answers.
func waitingFor(d time.Duration, s sim.Scenario) sim.Scenario {
	s.Store, s.Backoff = nil, max(s.Backoff, lease/2+time.Millisecond) // fewer tries, and so steps, until a lease has run out
	s.Cloud = func(http *http.Client) sim.Stores {
		store, err := gcsstore.New(context.Background(), gcsstore.Config("bucket").WithTimeout(gcsstore.Timeout{Default: &d}),
			option.WithHTTPClient(http))
		if err != nil {
			panic(err)
		}
		return store
	}
	return s
}

// storeTimeout is less than a lease.
const storeTimeout = 2 * time.Second

// expiring has the lifecycle rule delete objects of keys that are completed.
func expiring(s sim.Scenario, kinds ...string) sim.Scenario {
	s.Expire = kinds
	return s
}

// leased gives the cache these options, and leases long enough for one request to
// complete a key.
func leased(s sim.Scenario, opts ...cache.Option) sim.Scenario {
	s.Lease, s.Backoff = cloudLease, 16*time.Second
	return options(s, append(opts, cache.Lease(s.Lease))...)
}

const cloudLease = 30 * time.Second

// longer takes more than that lease before it acts.
func longer(ctx context.Context, _ int, act func() error) error {
	return after(ctx, 4*cloudLease/3, act)
}

// deletions need a bound of two: one for the claim, one for the completion after that.
var deletions = sim.Bound{Deviations: 2, Faults: 0, Together: 2}

// late needs a bound of two as well: an answer is late, and time passes before it comes.
var late = sim.Bound{Deviations: 2, Faults: 0, Together: 2}

// A run takes ten times as long as in memory, so less is explored briefly.
var cloudScenarios = []explored{
	{"Cloud Storage: cache", onCloud(leased(alone(nil))), one, triples},
	{"Cloud Storage: answers take longer than a lease", waitingFor(10*cloudLease, leased(alone(nil))), late, triples},
	{"Cloud Storage: clocks differ", onCloud(clocksDiffer(leased(alone(nil)), cloudLease/4)), one, triples},
	{"Cloud Storage: the business takes longer than a lease", onCloud(clocksDiffer(leased(alone(longer)), cloudLease/4)), single, pairs},
	{"Cloud Storage: the business fails once", onCloud(leased(alone(failsOnce))), single, pairs},
	{"Cloud Storage: takeovers are quarantined", onCloud(leased(quarantine(alone(nil)), cache.QuarantineOnExpiry(nil))), single, pairs},
	{"Cloud Storage: a request has a deadline", onCloud(deadline(alone(nil))), single, pairs},
	{"Cloud Storage: two events", onCloud(leased(small())), single, one},
	{"Cloud Storage: other content, the last is kept", onCloud(conflicting(joiner.KeepLast)), single, one},
	{"Cloud Storage: other content, it is rejected", onCloud(conflicting(joiner.Reject, driver.ReasonConflict)), single, one},
	{"Cloud Storage: joined by Or", onCloud(joining(sources("event1", "event2"), matchBoth.Or(), 2)), single, one},
	{"Cloud Storage: a short lease", onCloud(alone(nil)), single, pairs},
	{"Cloud Storage: claim and completion are deleted", expiring(onCloud(leased(alone(nil))), "claim", "done"), deletions, triples},
	{"Cloud Storage: the same, takeovers are quarantined", expiring(onCloud(leased(quarantine(alone(nil)), cache.QuarantineOnExpiry(nil))), "claim", "done"), deletions, triples},
	{"Cloud Storage: all is deleted", expiring(onCloud(leased(small())), "event", "done", "claim"), single, deletions},
	{"Cloud Storage: two sweeps after the deadline", onCloud(overdue(matchBoth, nil, event("event1"), sweep, sweep)), single, one},
	{"Cloud Storage: a sweep and the last event", onCloud(overdue(matchBoth, nil, event("event1"), sweep, event("event2"))), single, one},
	{"Cloud Storage: a sweep and the last event, the last is kept",
		onCloud(overdue(matchBoth, []joiner.Option{joiner.OnConflict(joiner.KeepLast)}, event("event1"), sweep, event("event2"))), single, one},
	{"Cloud Storage: events are deleted", expiring(onCloud(leased(small())), "event"), single, one},
}
