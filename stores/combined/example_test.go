package combined_test

import (
	"context"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/combined"
	"example.com/eventdriver/stores/memstore"
)

func ExampleNew() {
	ctx := context.Background()
	events, claims := memstore.New(), memstore.New()
	_ = events.Persist(ctx, driver.Message{Key: "order-1", Source: "event1"})
	_, _ = claims.Acquire(ctx, driver.NewClaim("order-1"), time.Minute)

	k, _ := combined.New(events, claims).Inspect(ctx, "order-1")
	fmt.Println(k.Sources(), k.Claim("").Held)
	// Output: [event1] true
}
