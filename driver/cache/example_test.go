package cache_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/stores/memstore"
)

var ship = driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
	fmt.Println("ship", in.Key, "for", in.Source)
	return nil
})

// deliver delivers an event of order-1 from each source, and prints what fails.
func deliver(pipeline *driver.Pipeline, sources ...string) {
	for _, source := range sources {
		err := pipeline.Process(context.Background(), driver.Message{ID: source, Key: "order-1", Source: source})
		if err != nil {
			fmt.Println(err)
		}
	}
}

// Of all messages with one key, one is processed to the end.
func ExampleNew() {
	deliver(driver.New(cache.New(memstore.New()), ship), "event1", "event2", "event1")
	// Output:
	// ship order-1 for event1
}

func ExampleSkipOnConflict() {
	deliver(driver.New(cache.New(memstore.New(), cache.SkipOnConflict()), ship), "event1", "event1")
	// Output:
	// ship order-1 for event1
}

// What comes for a key that is done is dead-lettered.
func ExampleFailOnDone() {
	deliver(driver.New(cache.New(memstore.New(), cache.FailOnDone()), ship), "event1", "event2")
	// Output:
	// ship order-1 for event1
	// cache: key "order-1", source "event2", event "event2": already completed
}

// An order whose business keeps failing is given up. What is delivered after that runs nothing.
func ExampleMaxAttempts() {
	broken := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { return errors.New("out of stock") })
	pipeline := driver.New(cache.New(memstore.New()), cache.MaxAttempts(2), driver.Named("ship", broken))
	deliver(pipeline, "event1", "event1", "event1")
	// Output:
	// ship: key "order-1", source "event1", event "event1": out of stock
	// attempt 2 of 2: ship: key "order-1", source "event1", event "event1": out of stock
	// attempts: key "order-1", source "event1", event "event1": given up: 2 runs have failed or vanished, and 2 may; release the key, or send the letter of its whole order again
}

func ExampleHandleDone() {
	late := driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
		fmt.Println(in.Source, "comes too late for", in.Key)
		return nil
	})
	deliver(driver.New(cache.New(memstore.New(), cache.HandleDone(late)), ship), "event1", "event2")
	// Output:
	// ship order-1 for event1
	// event2 comes too late for order-1
}

// Once for each key and source, and not for each key.
func ExampleKeyFrom() {
	each := cache.KeyFrom(func(m driver.Message) string { return m.Key + " " + m.Source })
	deliver(driver.New(cache.New(memstore.New(), each), ship), "event1", "event2", "event1")
	// Output:
	// ship order-1 for event1
	// ship order-1 for event2
}

// Two pipelines on one store, each of which acts once for a key.
func ExampleScope() {
	store := memstore.New()
	for _, scope := range []string{"ship", "bill"} {
		pipeline := driver.New(cache.New(store, cache.Scope(scope)), driver.HandlerFunc(
			func(_ context.Context, in driver.Message, _ driver.Next) error {
				fmt.Println(scope, in.Key)
				return nil
			}))
		deliver(pipeline, "event1", "event1")
	}
	// Output:
	// ship order-1
	// bill order-1
}

// terms prints what the claim of a run says.
var terms = driver.HandlerFunc(func(ctx context.Context, in driver.Message, _ driver.Next) error {
	claim, _ := driver.ClaimFrom(ctx)
	fmt.Println("for", time.Until(claim.Expires).Round(time.Minute), "with a margin of", claim.Margin)
	return nil
})

// After a crash another instance may take over when the lease has run out.
func ExampleLease() {
	deliver(driver.New(cache.New(memstore.New(), cache.Lease(5*time.Minute)), terms), "event1")
	// Output:
	// for 5m0s with a margin of 10s
}

func ExampleClockSkew() {
	once := cache.New(memstore.New(), cache.Lease(5*time.Minute), cache.ClockSkew(2*time.Second))
	deliver(driver.New(once, terms), "event1")
	// Output:
	// for 5m0s with a margin of 2s
}

// A key that another instance holds: the message fails at once, and is delivered again.
func ExampleWaitOnHeld() {
	store := memstore.New()
	another := driver.NewClaim("order-1")
	if _, err := store.Acquire(context.Background(), another, time.Hour); err != nil {
		fmt.Println(err)
		return
	}
	pipeline := driver.New(cache.New(store, cache.WaitOnHeld(0)), ship)
	err := pipeline.Process(context.Background(), driver.Message{Key: "order-1", Source: "event1"})
	fmt.Println(errors.Is(err, driver.ErrHeld), driver.IsPermanent(err))
	// Output:
	// true false
}

// A payment that must never be made twice: after a run of which nobody knows whether it paid, the
// bank is asked.
func ExampleQuarantineOnExpiry() {
	paid := false
	pay := driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
		fmt.Println("pay", in.Key)
		paid = true
		panic("the connection to the bank broke")
	})
	ask := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		fmt.Println("has the bank paid", in.Key, paid)
		if paid {
			return nil // done, and not paid again
		}
		return next.Call(ctx, in)
	})
	deliver(driver.New(cache.New(memstore.New(), cache.QuarantineOnExpiry(ask)), pay), "event1", "event1", "event1")
	// Output:
	// pay order-1
	// handler 2: key "order-1", source "event1", event "event1": panic: the connection to the bank broke
	// has the bank paid order-1 true
}

// A message that is skipped is logged at the level debug.
func ExampleLogger() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	deliver(driver.New(cache.New(memstore.New(), cache.Logger(logger)), ship), "event1", "event2")
	// Output:
	// ship order-1 for event1
	// level=DEBUG msg="key is completed already" key=order-1 scope="" source=event2
}
