// Package eventdriver is the business of the chaos run. It is compiled into the function
// in place of the root's business.go: see Build in proof/instances.
package eventdriver

import (
	"context"
	"fmt"
	"os"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/proof/ledger"
)

var _ = business // process.go calls it

// business is the worst handler that a pipeline may have: it ignores its context, so that
// nothing but its token keeps it from acting beside another. It first tells the ledger
// that it is about to act, and there the monkey can catch it while it holds the key. Then
// it acts.
func business() (driver.Handler, error) {
	return driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		claim, _ := driver.ClaimFrom(ctx)
		run := ledger.Run{Instance: os.Getenv("INSTANCE"), Order: in.Key, Content: in.Content,
			Token: claim.Token, Takeover: claim.Takeover, Expires: claim.Expires}
		if err := act(context.WithoutCancel(ctx), run, os.Getenv("LEDGER")); err != nil {
			return err
		}
		return next(ctx, in)
	}), nil
}

func act(ctx context.Context, run ledger.Run, url string) error {
	answer, err := run.Begin(ctx, url)
	if err == nil && answer == ledger.Panic {
		panic("the ledger asked for it")
	}
	if err == nil && answer == ledger.GoOn {
		answer, err = run.Act(ctx, url)
	}
	switch {
	case err != nil:
		return err
	case answer == ledger.Applied || answer == ledger.Again:
		return nil
	}
	return fmt.Errorf("the ledger answered %q", answer)
}
