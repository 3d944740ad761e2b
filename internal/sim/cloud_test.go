package sim_test

import (
	"context"
	"net/http"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/internal/sim"
	"example.com/eventdriver/stores/gcsstore"
)

// onCloud is the scenario on Cloud Storage: the requests of its stores are the steps.
func onCloud(s sim.Scenario) sim.Scenario {
	s.Store, s.Backoff = nil, lease/2+time.Millisecond // fewer tries, and so steps, until a lease has run out
	s.Cloud = func(http *http.Client) sim.Stores {
		client, err := storage.NewClient(context.Background(), storage.WithJSONReads(), option.WithHTTPClient(http))
		if err != nil {
			panic(err)
		}
		d := storeTimeout
		store, err := gcsstore.New(context.Background(), gcsstore.Config("bucket").WithClient(client).WithTimeout(gcsstore.Timeout{Default: &d}))
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

// A run takes ten times as long as in memory, so less is explored briefly.
var cloudScenarios = []explored{
	{"Cloud Storage: cache", onCloud(alone(nil)), one, triples},
	{"Cloud Storage: clocks differ", onCloud(clocksDiffer(alone(nil), margin)), one, triples},
	{"Cloud Storage: the business takes longer than a lease", onCloud(clocksDiffer(alone(long), margin)), single, pairs},
	{"Cloud Storage: the business fails once", onCloud(alone(failsOnce)), single, pairs},
	{"Cloud Storage: takeovers are set aside", onCloud(quarantine(alone(nil))), single, pairs},
	{"Cloud Storage: a request has a deadline", onCloud(deadline(alone(nil))), single, pairs},
	{"Cloud Storage: two events", onCloud(small()), single, one},
	{"Cloud Storage: other content, the last is kept", onCloud(conflicting(joiner.KeepLast)), single, one},
	{"Cloud Storage: other content, it is rejected", onCloud(conflicting(joiner.Reject, driver.ReasonConflict)), single, one},
	{"Cloud Storage: joined by Or", onCloud(joining(sources("event1", "event2"), joiner.Or(matchBoth), 2)), single, one},
	{"Cloud Storage: events are deleted", expiring(onCloud(small()), "event"), single, one},
}
