package change

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/eventdriver/driver"
)

// Replacement is a corrected event, and what it is to be put in the place of.
type Replacement struct {
	Was     driver.Message // as it is kept
	Now     driver.Message
	Letters int // how many dead letters the key has
}

// Prepare returns the replacement of the event of key and source by content, or why it can't be
// replaced. Without a mediaType it has that of the event. check returns the new event as the function
// would keep it. Nothing is changed.
func (k Keys) Prepare(ctx context.Context, key, source string, content []byte, mediaType string,
	check func(context.Context, driver.Message) (driver.Message, error),
) (r Replacement, err error) {
	if _, can := k.Events.(driver.Corrector); !can {
		return r, fmt.Errorf("%T replaces no event: %w", k.Events, ErrCannot)
	}
	state, err := k.inspect(ctx, key)
	switch {
	case err != nil:
		return r, err
	case state.Claim(k.Scope).Done != nil:
		return r, fmt.Errorf("key %q is completed, and is not run again: open it first, with rerun: %w", key, ErrNothing)
	case slices.Contains(state.Sealed, source):
		return r, fmt.Errorf("the deadline of key %q has passed, and it ends without an event of %q, as for everybody: %w", key, source, ErrNothing)
	}
	if r.Was, err = k.Events.LookUp(ctx, key, source); err != nil {
		return r, notThere(key, source, err)
	}
	r.Letters = len(state.Letters)
	r.Now = r.Was.Clone()
	r.Now.Content = content
	if mediaType != "" {
		r.Now.MediaType = mediaType
	}
	if r.Now, err = check(ctx, r.Now); err != nil {
		return r, fmt.Errorf("the function would not take this event: %w", err)
	}
	if r.Now.MediaType == r.Was.MediaType && bytes.Equal(r.Now.Content, r.Was.Content) {
		return r, fmt.Errorf("this is the content that is kept: %w", ErrNothing)
	}
	return r, nil
}

// notThere says what to do about an event that is not kept.
func notThere(key, source string, err error) error {
	if errors.Is(err, driver.ErrNotFound) {
		return fmt.Errorf("no event of %q is kept for key %q, so there is none to replace; publish it instead: %w", source, key,
			errors.Join(ErrNothing, err))
	}
	return fmt.Errorf("read the event of %q for key %q: %w", source, key, err)
}

// errChanged refuses what was prepared for another event.
var errChanged = fmt.Errorf("another event is kept by now: look again: %w", ErrNothing)

// Replace replaces an event as it was prepared, and has the next delivery, or the sweep, run the key, as
// Release does. It keeps the key for as long as k.Settle after that: a delivery under way, which
// has read the events before, finds the key held, and is sent again.
//
// While a lease is live, it is refused with [ErrUnderWay]; with force the key is taken from the run.
// That run goes on with the event as it was. It may have acted, or may still act, and the next may
// act again.
func (k Keys) Replace(ctx context.Context, r Replacement, why string, force bool) error {
	corrector, can := k.Events.(driver.Corrector)
	if !can {
		return fmt.Errorf("%T replaces no event: %w", k.Events, ErrCannot)
	}
	key, source := r.Was.Key, r.Was.Source
	state, err := k.inspect(ctx, key)
	if err != nil {
		return err
	}
	err = k.with(ctx, key, state.Claim(k.Scope), force, func(ctx context.Context, claim driver.Claim) error {
		kept, err := k.Events.LookUp(ctx, key, source)
		if err != nil {
			return notThere(key, source, err)
		}
		if kept.ID != r.Was.ID || kept.MediaType != r.Was.MediaType || !bytes.Equal(kept.Content, r.Was.Content) {
			return fmt.Errorf("key %q, source %q: %w", key, source, errChanged)
		}
		if err := corrector.Correct(ctx, r.Now, driver.Correction{By: k.By, Time: time.Now(), Why: why}); err != nil {
			return err
		}
		err = errors.Join(pause(ctx, k.Settle), k.Claims.Release(ctx, claim, driver.Released{}))
		if err != nil {
			return notReleased(key, err)
		}
		return nil
	})
	if err != nil || !force {
		return err
	}
	// The run may have failed meanwhile, and have released the key itself, with a mark or a pause.
	err = k.Release(ctx, key, false)
	if err == nil || errors.Is(err, ErrNothing) || errors.Is(err, ErrUnderWay) {
		return nil
	}
	return notReleased(key, err)
}

func notReleased(key string, err error) error {
	return fmt.Errorf("the event is replaced, and key %q could not be released: %w", key, err)
}

// pause waits for d.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
