package eventdriver

import (
	"context"
	"encoding/json"
	"log/slog"

	"example.com/eventdriver/driver"
)

// This file and orders_test.go are the ones to replace: they are the business that acts
// once, when all the events of a key have arrived. Nothing else depends on them, but for
// the call of Business when the function starts. If you need more files, call them
// orders_….go. The function's own files and tests are in the same package, so the compiler
// may refuse a name that they have: more than a little is better in a package of its own.

// Order is what the joined events say: the content of each under its source. The
// content of event1 is erased, as it says only that there is something to do.
type Order struct {
	Event2 json.RawMessage `json:"event2"`
	Event3 json.RawMessage `json:"event3"`
}

// Business returns the handler of joined events. It is called once, when the function
// starts. Read your own environment variables here: if it returns an error, the function
// logs it and does not start.
func Business() (driver.Handler, error) {
	return driver.JSON(processOrder), nil
}

// processOrder acts on one order. If it fails, the event is delivered again, and it is
// called again; wrap an error that a retry cannot fix in [driver.Permanent]. An instance
// that crashes after it acted cannot record that, and the order comes again with a
// greater token: pass the token on to the system that is acted upon, and let that system
// reject a token that is older than the last one, or repeated.
func processOrder(ctx context.Context, key string, order Order) error {
	claim, _ := driver.ClaimFrom(ctx)

	slog.InfoContext(ctx, "order processed", "key", key, "token", claim.Token,
		"event2_bytes", len(order.Event2), "event3_bytes", len(order.Event3))
	return nil
}
