package change

import (
	"context"
	"errors"
	"fmt"

	"example.com/eventdriver/driver"
)

// ErrCannot is the failure of a change for which the store lacks what it takes.
var ErrCannot = errors.New("the store can't do that")

// Rerun opens a completed key again, so that the next delivery of one of its events runs it. The
// run before has acted, mostly: whoever receives its effects sees them again, with a greater token.
// A completion that is still under way does not close the key again. No lease is live then, so
// there is nothing to force.
func (k Keys) Rerun(ctx context.Context, key string, _ bool) error {
	r, can := k.Claims.(driver.Reopener)
	if !can {
		return fmt.Errorf("%T opens no key again: %w", k.Claims, ErrCannot)
	}
	c, err := k.look(ctx, key)
	switch {
	case err != nil:
		return err
	case c.Done == nil:
		return fmt.Errorf("key %q is not completed: %w", key, ErrNothing)
	}
	err = r.Reopen(ctx, driver.Claim{Scope: k.Scope, Key: key, Token: c.Done.Token, Owner: driver.NewOperator(k.By)})
	if errors.Is(err, driver.ErrLost) {
		return fmt.Errorf("key %q was run or opened by somebody else meanwhile: %w", key, ErrNothing)
	}
	return err
}
