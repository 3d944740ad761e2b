// Package change changes what is kept of keys, for operators. A key is changed only under a claim
// of its own: no run is under way meanwhile, and none begins.
package change

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
)

// Keys is what is needed to change the keys of a function.
type Keys struct {
	Claims driver.ClaimStore
	Events driver.EventStore
	Store  driver.Inspector // of the same keys
	Scope  string           // of the function's cache
	By     string           // who changes them: the owner of the claims says so
	// Settle is how long Replace and Purge wait for deliveries that are under way: see [Settle].
	Settle time.Duration
}

// Settle is a time in which a delivery that has read a key's events has claimed the key, or has found it
// held, unless its instance hangs; and by which clocks differ at most.
const Settle = 10 * time.Second

// Errors of changes that were refused. Nothing was changed.
var (
	ErrNothing  = errors.New("there is nothing to change")
	ErrUnderWay = errors.New("a run is under way")
)

// lease is how long a key is claimed to change it. A change takes a few requests.
const lease = time.Minute

// withdraw bounds how long it takes to give a key back whose change has failed.
const withdraw = 10 * time.Second

// Release has the next delivery of one of key's events run it: it clears the mark of a key that
// failed or is quarantined, ends the pause that a run has asked for, and clears of a key whose lease
// ran out that its holder vanished. The attempts are counted anew.
//
// While a lease is live, it is refused with [ErrUnderWay]; with force it is taken from the run.
// That run may have acted, or may still act, and the next may act again.
func (k Keys) Release(ctx context.Context, key string, force bool) error {
	c, err := k.toRelease(ctx, key)
	if err != nil {
		return err
	}
	return k.with(ctx, key, c, force, func(ctx context.Context, claim driver.Claim) error {
		return k.Claims.Release(ctx, claim, driver.Released{})
	})
}

// CheckRelease returns why Release would be refused now. It changes nothing.
func (k Keys) CheckRelease(ctx context.Context, key string, force bool) error {
	return free(key, force)(k.toRelease(ctx, key))
}

// toRelease returns the claim of a key that can be released.
func (k Keys) toRelease(ctx context.Context, key string) (driver.ClaimState, error) {
	c, err := k.look(ctx, key)
	switch {
	case err != nil:
	case c.Done != nil:
		err = fmt.Errorf("key %q is completed: rerun runs it once more: %w", key, ErrNothing)
	case c.Token == 0:
		err = fmt.Errorf("key %q was never claimed: the next delivery runs it: %w", key, ErrNothing)
	case !c.Held && c.Mark == driver.MarkNone && c.Attempts == 0 && c.NotBefore.IsZero():
		err = fmt.Errorf("key %q is released: the next delivery runs it: %w", key, ErrNothing)
	}
	return c, err
}

// Complete completes key, so that its events are acknowledged and not run: with
// [driver.OutcomeOperator].
//
// While a lease is live, it is refused with [ErrUnderWay]; with force the run's claim is completed.
// That run is not stopped, and nobody runs the key again, also if it has not acted, and fails.
func (k Keys) Complete(ctx context.Context, key string, force bool) error {
	c, err := k.toComplete(ctx, key)
	if err != nil {
		return err
	}
	return k.with(ctx, key, c, force, func(ctx context.Context, claim driver.Claim) error {
		return k.Claims.Complete(ctx, claim, driver.OutcomeOperator)
	})
}

// CheckComplete returns why Complete would be refused now. It changes nothing.
func (k Keys) CheckComplete(ctx context.Context, key string, force bool) error {
	return free(key, force)(k.toComplete(ctx, key))
}

// toComplete returns the claim of a key that can be completed.
func (k Keys) toComplete(ctx context.Context, key string) (driver.ClaimState, error) {
	c, err := k.look(ctx, key)
	if err == nil && c.Done != nil {
		err = fmt.Errorf("key %q is completed already: %w", key, ErrNothing)
	}
	return c, err
}

// free returns a function that refuses a key which a run holds, unless that is forced.
func free(key string, force bool) func(driver.ClaimState, error) error {
	return func(c driver.ClaimState, err error) error {
		if err == nil && c.Held && time.Now().Before(c.Expires) && !force {
			return underWay(key, c.Expires)
		}
		return err
	}
}

// look returns what is known of key's claims.
func (k Keys) look(ctx context.Context, key string) (driver.ClaimState, error) {
	state, err := k.inspect(ctx, key)
	return state.Claim(k.Scope), err
}

// inspect returns what is kept of key. A key of which nothing is kept is refused: it may be
// misspelled.
func (k Keys) inspect(ctx context.Context, key string) (driver.KeyState, error) {
	state, err := k.Store.Inspect(ctx, key)
	if errors.Is(err, driver.ErrNotFound) {
		return state, fmt.Errorf("nothing is kept of key %q: %w", key, ErrNothing)
	}
	if err != nil {
		return state, fmt.Errorf("look at key %q: %w", key, err)
	}
	return state, nil
}

// with calls do with a claim of key: a new one, or with force that of the run that is under way.
func (k Keys) with(ctx context.Context, key string, c driver.ClaimState, force bool, do func(context.Context, driver.Claim) error) error {
	asked := driver.Claim{Scope: k.Scope, Key: key, Owner: driver.NewOperator(k.By), Early: true}
	claim, err := k.Claims.Acquire(ctx, asked, lease+k.Settle)
	var held *driver.HeldError
	switch {
	case errors.As(err, &held) && force && held.Token == c.Token:
		return do(ctx, driver.Claim{Scope: k.Scope, Key: key, Token: c.Token, Owner: c.Owner})
	case errors.As(err, &held) && force:
		return fmt.Errorf("key %q: another run has begun meanwhile: %w", key, ErrUnderWay)
	case errors.As(err, &held):
		return underWay(key, held.Expires)
	case errors.Is(err, driver.ErrDone):
		return fmt.Errorf("key %q was completed meanwhile: %w", key, ErrNothing)
	case err != nil:
		return errors.Join(fmt.Errorf("claim key %q: %w", key, err), k.undo(ctx, asked, c, err))
	}
	if err := do(ctx, claim); err != nil {
		return errors.Join(err, k.giveBack(ctx, claim, c))
	}
	return nil
}

func underWay(key string, until time.Time) error {
	return fmt.Errorf("key %q is held until %s, unless its lease is renewed: %w", key, until.UTC().Format(time.RFC3339), ErrUnderWay)
}

// undo gives a key back whose claim failed: only the answer may have been lost.
func (k Keys) undo(ctx context.Context, asked driver.Claim, was driver.ClaimState, failure error) error {
	if was.Held || driver.IsPermanent(failure) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdraw)
	defer cancel()
	claim, err := k.Claims.Acquire(ctx, asked, lease)
	var held *driver.HeldError
	switch {
	case errors.As(err, &held) || errors.Is(err, driver.ErrDone):
		return nil // it is another's
	case err != nil:
		return fmt.Errorf("key %q may stay claimed for %v: %w", asked.Key, lease, err)
	}
	return k.giveBack(ctx, claim, was)
}

// giveBack releases a key whose change has failed, as it was released before. A key whose lease
// had run out is left claimed, so that whoever takes it over is told that a holder vanished.
func (k Keys) giveBack(ctx context.Context, claim driver.Claim, was driver.ClaimState) error {
	if was.Held {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdraw)
	defer cancel()
	as := driver.Released{Mark: claim.Mark, Attempts: claim.Attempts}
	if !was.NotBefore.IsZero() {
		as.Pause = max(time.Until(was.NotBefore), 0)
	}
	if err := k.Claims.Release(ctx, claim, as); err != nil && !errors.Is(err, driver.ErrLost) {
		return fmt.Errorf("give key %q back: %w", claim.Key, err)
	}
	return nil
}
