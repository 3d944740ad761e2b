package driver_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

// say returns a handler that prints the message's content and goes on.
func say(who string) driver.Handler {
	return driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		fmt.Printf("%s: %s\n", who, in.Content)
		return next.Call(ctx, in)
	})
}

// Three events are joined, and acted upon once.
func Example() {
	store := memstore.New()
	pipeline := driver.New(
		joiner.New(joiner.MatchAll("event1", "event2", "event3"), store),
		cache.New(store),
		say("business"))

	for i, source := range []string{"event3", "event1", "event2", "event3"} {
		m := driver.Message{Key: "order-1", Source: source, Content: fmt.Appendf(nil, `{"n":%d}`, i%3)}
		if err := pipeline.Process(context.Background(), m); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// business: {"event1":{"n":1},"event2":{"n":2},"event3":{"n":0}}
}

func ExampleNew() {
	pipeline := driver.New(say("first"), say("second"))
	err := pipeline.Process(context.Background(), driver.Message{Key: "order-1", Content: []byte("hello")})
	fmt.Println(err)
	// Output:
	// first: hello
	// second: hello
	// <nil>
}

// A pipeline does not change: each call returns another one.
func ExamplePipeline_WithNextHandler() {
	short := driver.New().WithNextHandler(say("first"))
	long := short.WithNextHandler(say("second"))
	for _, pipeline := range []*driver.Pipeline{short, long} {
		_ = pipeline.Process(context.Background(), driver.Message{Key: "order-1", Content: []byte("hello")})
	}
	// Output:
	// first: hello
	// first: hello
	// second: hello
}

func ExamplePipeline_ProcessAsync() {
	m := driver.Message{Key: "order-1", Content: []byte("hello")}
	result := driver.New(say("only")).ProcessAsync(context.Background(), m)
	fmt.Println(<-result)
	// Output:
	// only: hello
	// <nil>
}

// A handler that decodes JSON.
func ExampleJSON() {
	type order struct {
		Item  string
		Cents int
	}
	ship := driver.JSON(func(_ context.Context, key string, o order) error {
		fmt.Printf("ship %s: a %s for %d cents\n", key, o.Item, o.Cents)
		return nil
	})
	pipeline := driver.New(ship)
	for _, content := range []string{`{"item":"book","cents":1250}`, `{"item":7}`} {
		m := driver.Message{Key: "order-1", Source: "event1", Content: []byte(content)}
		err := pipeline.Process(context.Background(), m)
		fmt.Println(err, driver.IsPermanent(err))
	}
	// Output:
	// ship order-1: a book for 1250 cents
	// <nil> false
	// handler 1: key "order-1", source "event1": Item: got number, want string true
}

// Errors call a handler by its name.
func ExampleNamed() {
	outOfStock := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
		return errors.New("out of stock")
	})
	pipeline := driver.New(driver.Named("ship", outOfStock))
	fmt.Println(pipeline.Process(context.Background(), driver.Message{Key: "order-1", Source: "event1"}))
	// Output:
	// ship: key "order-1", source "event1": out of stock
}

// The branches run at the same time. Where one fails, the event is delivered to all of them
// again, so each has a cache with a scope of its own.
func ExampleParallel() {
	store := memstore.New()
	once := func(name string, business driver.Handler) driver.Handler {
		branch := driver.New(cache.New(store, cache.Scope(name)), driver.Named(name, business))
		return driver.HandlerFunc(func(ctx context.Context, in driver.Message, _ driver.Next) error {
			return branch.Process(ctx, in)
		})
	}
	tries := 0
	bill := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
		if tries++; tries == 1 {
			return errors.New("the printer is out of paper")
		}
		fmt.Println("billed")
		return nil
	})
	pipeline := driver.New(driver.Parallel(once("ship", say("shipped")), once("bill", bill)))

	m := driver.Message{Key: "order-1", Source: "event1", Content: []byte("a book")}
	fmt.Println(pipeline.Process(context.Background(), m))
	fmt.Println(pipeline.Process(context.Background(), m))
	// Output:
	// shipped: a book
	// bill: key "order-1", source "event1": the printer is out of paper
	// billed
	// <nil>
}

// An error that no redelivery can help with.
func ExamplePermanent() {
	check := driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
		if len(in.Content) == 0 {
			return driver.Permanent(errors.New("an order of nothing"))
		}
		return nil
	})
	err := driver.New(check).Process(context.Background(), driver.Message{Key: "order-1", Source: "event1"})
	fmt.Println(driver.IsPermanent(err))
	// Output:
	// true
}

// A permanent error with a reason, by which dead letters can be counted and found.
func ExampleReject() {
	const unknownCountry driver.Reason = "unknown-country"
	check := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
		return driver.Reject(unknownCountry, errors.New("there is no depot for Atlantis"))
	})
	err := driver.New(check).Process(context.Background(), driver.Message{Key: "order-1", Source: "event1"})
	fmt.Println(driver.IsPermanent(err), driver.ReasonOf(err))
	// Output:
	// true unknown-country
}

// The fencing token lets the system that is acted upon refuse a holder that was taken over.
func ExampleClaimFrom() {
	pay := driver.HandlerFunc(func(ctx context.Context, in driver.Message, _ driver.Next) error {
		claim, ok := driver.ClaimFrom(ctx)
		fmt.Println("pay", in.Key, "with token", claim.Token, ok)
		return nil
	})
	pipeline := driver.New(cache.New(memstore.New()), pay)
	_ = pipeline.Process(context.Background(), driver.Message{Key: "order-1", Source: "event1"})
	// Output:
	// pay order-1 with token 1 true
}

// A Run tells what became of a message.
func ExampleWithRun() {
	store := memstore.New()
	pipeline := driver.New(joiner.New(joiner.MatchAll("event1", "event2"), store), cache.New(store))
	for _, source := range []string{"event1", "event2"} {
		ctx, run := driver.WithRun(context.Background())
		err := pipeline.Process(ctx, driver.Message{Key: "order-1", Source: source})
		fmt.Println(source, "waits:", run.Waiting(), "joined:", len(run.Events()), "error:", err)
	}
	// Output:
	// event1 waits: true joined: 0 error: <nil>
	// event2 waits: false joined: 2 error: <nil>
}

// A handler that joins events says which they are, so that a dead letter has them all.
func ExampleWithJoined() {
	pair := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		invoice := driver.Message{Key: in.Key, Source: "invoice", Content: []byte(`2`)} // kept by your system
		ctx = driver.WithJoined(ctx, func() []driver.Message { return []driver.Message{in, invoice} })
		return next.Call(ctx, driver.Message{Key: in.Key, Source: "pair", Content: []byte(`[1,2]`)})
	})
	act := driver.HandlerFunc(func(ctx context.Context, in driver.Message, _ driver.Next) error {
		fmt.Println(in.Source, "of", len(driver.JoinedFrom(ctx)))
		return nil
	})
	order := driver.Message{Key: "order-1", Source: "order", Content: []byte(`1`)}
	_ = driver.New(pair, act).Process(context.Background(), order)
	// Output:
	// pair of 2
}

// The instance crashed between keeping the event and acting upon it, and the platform has given up.
// A sweep of the keys finds it.
func ExampleWithSweep() {
	ctx, store := context.Background(), memstore.New()
	fmt.Println(store.Persist(ctx, driver.Message{Key: "order-1", Source: "paid", Content: []byte(`1`)}))

	pipeline := driver.New(joiner.New(joiner.MatchAll("paid"), store), cache.New(store), say("ship"))
	page, err := store.ListKeys(ctx, driver.KeyQuery{Open: true})
	fmt.Println(len(page.Keys), err)
	for _, k := range page.Keys {
		fmt.Println(pipeline.Process(driver.WithSweep(ctx, k.FirstKept()), driver.Message{Key: k.Key}))
	}
	// Output:
	// <nil>
	// 1 <nil>
	// ship: {"paid":1}
	// <nil>
}

// A handler says when to come back. Until then nothing behind the cache runs.
func ExampleRetryAfter() {
	ship := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
		fmt.Println("ask the carrier")
		return driver.RetryAfter(errors.New("too many requests"), 10*time.Minute)
	})
	pipeline := driver.New(cache.New(memstore.New()), ship)
	for range 3 {
		err := pipeline.Process(context.Background(), driver.Message{Key: "order-1", Source: "event1"})
		fmt.Println(errors.Is(err, driver.ErrLater))
	}
	// Output:
	// ask the carrier
	// false
	// true
	// true
}

// A person sends an order again that was given up: its attempts are counted anew.
func ExampleWithResent() {
	tries := 0
	ship := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
		if tries++; tries == 1 {
			return errors.New("out of stock")
		}
		return nil
	})
	pipeline := driver.New(cache.New(memstore.New()), cache.MaxAttempts(1), ship)
	ctx := context.Background()
	for _, ctx := range []context.Context{ctx, ctx, driver.WithResent(ctx)} {
		err := pipeline.Process(ctx, driver.Message{Key: "order-1", Source: "event1"})
		fmt.Println(driver.ReasonOf(err), tries)
	}
	// Output:
	// too-many-attempts 1
	// too-many-attempts 1
	//  2
}
