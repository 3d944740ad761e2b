// Package eventdriver is the business of the run that is recorded for the dashboard's picture. It is compiled into
// the function in place of the root's business.go: see Build in proof/instances.
package eventdriver

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"example.com/eventdriver/driver"
)

var _ = business // process.go calls it

// business takes a while, and fails now and then.
func business() (driver.Handler, error) {
	return driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		slog.InfoContext(ctx, "the business begins") // dashboard.begins
		select {
		case <-time.After(50*time.Millisecond + rand.N(350*time.Millisecond)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		switch rand.IntN(200) {
		case 0:
			return driver.Permanent(errors.New("the customer is unknown"))
		case 1, 2, 3, 4:
			return errors.New("the warehouse does not answer")
		}
		return next.Call(ctx, in)
	}), nil
}
