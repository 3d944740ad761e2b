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
	r, c, err := k.toRerun(ctx, key)
	if err != nil {
		return err
	}
	err = r.Reopen(ctx, driver.Claim{Scope: k.Scope, Key: key, Token: c.Done.Token, Owner: driver.NewOperator(k.By)})
	if errors.Is(err, driver.ErrLost) {
		return fmt.Errorf("key %q was run or opened by somebody else meanwhile: %w", key, ErrNothing)
	}
	return err
}

// CheckRerun returns why Rerun would be refused now. It changes nothing.
func (k Keys) CheckRerun(ctx context.Context, key string, _ bool) error {
	_, _, err := k.toRerun(ctx, key)
	return err
}

// toRerun returns the claim of a key that can be opened again, and what opens it.
func (k Keys) toRerun(ctx context.Context, key string) (r driver.Reopener, c driver.ClaimState, err error) {
	r, can := k.Claims.(driver.Reopener)
	if !can {
		return nil, c, fmt.Errorf("%T opens no key again: %w", k.Claims, ErrCannot)
	}
	if c, err = k.look(ctx, key); err == nil && c.Done == nil {
		err = fmt.Errorf("key %q is not completed: %w", key, ErrNothing)
	}
	return r, c, err
}
