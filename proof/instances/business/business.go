// Package eventdriver is the business of the processes that tests start. It is compiled
// into them in place of the root's business.go: see Build in proof/instances. It logs each
// run, and goes on with the message.
package eventdriver

import (
	"context"
	"log/slog"

	"example.com/eventdriver/driver"
)

var _ = business // process.go calls it

func business() (driver.Handler, error) {
	return driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		claim, _ := driver.ClaimFrom(ctx)
		slog.InfoContext(ctx, "the business acted", "key", in.Key, "token", claim.Token) // instances.Acted
		return next.Call(ctx, in)
	}), nil
}
