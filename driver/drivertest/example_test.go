package drivertest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

var t *testing.T // of your test

// A pipeline is tried in every order of its events, with duplicates, failures and crashes.
func ExamplePipeline() {
	drivertest.Pipeline(t, func(env *drivertest.Env) *driver.Pipeline {
		return driver.New(
			joiner.New(joiner.MatchAll("order", "payment"), env.Store),
			cache.New(env.Store),
			env.Act)
	},
		driver.Message{Key: "order-1", Source: "order", Content: []byte(`{"item":"book"}`)},
		driver.Message{Key: "order-1", Source: "payment", Content: []byte(`{"amount":12}`)})
}

// A business that is more than a handler: the fake of its outside world calls Effect.
func ExampleEnv_Effect() {
	type order struct{ Item string }
	type shipper func(ctx context.Context, key string, o order) error
	pipeline := func(store driver.ClaimStore, ship shipper) *driver.Pipeline {
		return driver.New(cache.New(store), driver.JSON(ship))
	}
	drivertest.Pipeline(t, func(env *drivertest.Env) *driver.Pipeline {
		return pipeline(env.Store, func(ctx context.Context, key string, o order) error {
			return env.Effect(ctx, key, o)
		})
	}, driver.Message{Key: "order-1", Source: "order", Content: []byte(`{"item":"book"}`)})
}

// A condition that stops to hold when one more event arrives, so that in some orders nothing
// happens.
func ExampleExploration() {
	unless := joiner.MatchAll("order").And(joiner.MatchNone("cancelled"))
	drivertest.Exploration{MayWait: true}.Pipeline(t, func(env *drivertest.Env) *driver.Pipeline {
		return driver.New(joiner.New(unless, env.Store), cache.New(env.Store), env.Act)
	},
		driver.Message{Key: "order-1", Source: "order"},
		driver.Message{Key: "order-1", Source: "cancelled"})
}

// The conformance suite of stores.
func ExampleHarness() {
	h := drivertest.Harness[*memstore.Store]{
		Open:      func(*testing.T) *memstore.Store { return memstore.New() },
		FakeTime:  true,
		Exclusive: true,
	}
	drivertest.TestEventStore(t, h)
	drivertest.TestClaimStore(t, h)
	drivertest.TestDeadLetterStore(t, h, (*memstore.Store).DeadLetters)
}

// A failure that the store reports itself, after a moment, each second time.
func ExampleFaults_Hook() {
	faults := drivertest.NewFaults(memstore.New())
	faults.Hook(func(c drivertest.Call) drivertest.Fault {
		if c.N%2 == 1 {
			return drivertest.Fault{}
		}
		return drivertest.Fault{
			Before: drivertest.Delay(time.Millisecond),
			After:  drivertest.FailWith(context.DeadlineExceeded),
		}
	})
	for range 3 {
		err := faults.Persist(context.Background(), driver.Message{Key: "order-1", Source: "event1"})
		fmt.Println(errors.Is(err, context.DeadlineExceeded))
	}
	// Output:
	// false
	// true
	// false
}
