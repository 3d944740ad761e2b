package eventdriver

import (
	"context"
	"encoding/json"
	"log/slog"

	"example.com/eventdriver/driver"
)

// This file is the one to replace: it is the business that acts once, when all
// the events of a key have arrived.

// Order is what the joined events say: the content of each under its source. The
// content of event1 is erased, as it says only that there is something to do.
type Order struct {
	Event2 json.RawMessage `json:"event2"`
	Event3 json.RawMessage `json:"event3"`
}

// Business returns the handler that the joined events come to.
func Business() driver.Handler {
	return driver.JSON(processOrder)
}

// processOrder acts on one order. It is called again if it fails; an error that
// no second try can mend is wrapped in [driver.Permanent]. An instance that
// crashes after it acted cannot say so, and the order comes again with a greater
// token: pass the token on to the system that is acted upon, and let it refuse
// what is older than it has seen, or repeated.
func processOrder(ctx context.Context, key string, order Order) error {
	claim, _ := driver.ClaimFrom(ctx)

	slog.InfoContext(ctx, "order processed", "key", key, "token", claim.Token,
		"event2_bytes", len(order.Event2), "event3_bytes", len(order.Event3))
	return nil
}
