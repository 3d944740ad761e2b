package change

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
)

// Purge deletes all that is kept of a key: its events and their history, decisions, dead letters,
// claims of all scopes and completions. Dead letters in a topic stay.
//
// It completes the key first, in each scope, so that nobody acts upon what is left of it; deletes the
// events; waits for k.Settle, until deliveries that have read these before have ended; and then deletes
// the claims. An event that comes meanwhile may be deleted, or be kept for the key's next life. Where it
// fails, the key stays completed; then purge it again. Let one person purge a key: where two do so at once,
// the slower can delete events that have come after the other was done.
//
// While a lease is live, in any scope, it is refused with [ErrUnderWay]; with force the run's claim is completed. That
// run is not stopped. If it ends after the key is purged, the key may be completed again, so that
// its next life is not run.
func (k Keys) Purge(ctx context.Context, key string, force bool) error {
	events, canEvents := k.Events.(driver.Purger)
	claims, canClaims := k.Claims.(driver.Purger)
	if !canEvents || !canClaims {
		return fmt.Errorf("%T and %T purge no key: %w", k.Events, k.Claims, ErrCannot)
	}
	state, err := k.inspect(ctx, key)
	if err != nil {
		return err
	}
	if len(state.Events)+len(state.Sealed)+len(state.Decided)+len(state.Claims)+len(state.Problems) == 0 { // nothing but letters
		return events.PurgeEvents(ctx, key)
	}
	if err := k.close(ctx, state, force); err != nil {
		return err
	}
	if err := events.PurgeEvents(ctx, key); err != nil {
		return halfWay(key, err)
	}
	if err := pause(ctx, k.Settle); err != nil {
		return halfWay(key, err)
	}
	if err := claims.PurgeClaims(ctx, key); err != nil {
		return halfWay(key, err)
	}
	return nil
}

func halfWay(key string, err error) error {
	return fmt.Errorf("key %q is completed, and not all of it is deleted: purge it again: %w", key, err)
}

// close completes a key in its own scope, and in each other in which it was claimed. It begins only where
// none is held: a key that is completed in some of its scopes would be acknowledged there, and never run.
func (k Keys) close(ctx context.Context, state driver.KeyState, force bool) error {
	claims := []driver.ClaimState{state.Claim(k.Scope)}
	for _, c := range state.Claims {
		if c.Scope != k.Scope {
			claims = append(claims, c)
		}
	}
	for _, c := range claims {
		if c.Held && time.Now().Before(c.Expires) && !force {
			return underWay(state.Key, c.Expires)
		}
	}
	closed := false
	for _, c := range claims {
		if c.Done != nil {
			continue
		}
		in := k
		in.Scope = c.Scope
		err := in.with(ctx, state.Key, c, force, func(ctx context.Context, claim driver.Claim) error {
			return k.Claims.Complete(ctx, claim, driver.OutcomeOperator)
		})
		switch {
		case errors.Is(err, ErrNothing): // it was completed meanwhile
		case err != nil && closed:
			return halfWay(state.Key, err)
		case err != nil:
			return err
		}
		closed = true
	}
	return nil
}
