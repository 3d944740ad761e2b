package memstore

import (
	"context"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
)

// lease is what is known of a key's claims. It outlives its holder, so that the
// token never goes back.
type lease struct {
	state state
	claim driver.Claim // the newest
}

// mine says whether c is the newest claim. Expires is left out: it may have been
// renewed.
func (l lease) mine(c driver.Claim) bool {
	return l.claim.Token == c.Token && l.claim.Owner == c.Owner
}

// state is what may happen to a key next.
type state int

const (
	free state = iota // never claimed, or released: anyone may claim it
	held              // until its lease runs out, and on until it is taken over
	done              // for ever
)

// Acquire implements [driver.ClaimStore].
func (s *Store) Acquire(ctx context.Context, key string, ttl time.Duration) (driver.Claim, error) {
	if err := ready(ctx, key, anySource); err != nil {
		return driver.Claim{}, fmt.Errorf("memstore: acquire key %q: %w", key, err)
	}
	if ttl <= 0 {
		return driver.Claim{}, fmt.Errorf("memstore: acquire key %q: a lease of %v is not positive", key, ttl)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	l, now, owner := s.leases[key], time.Now(), driver.OwnerFrom(ctx)
	switch {
	case l.state == done:
		return driver.Claim{}, fmt.Errorf("memstore: acquire key %q: %w", key, driver.ErrDone)
	case l.state == held && l.claim.Owner == owner: // its answer was lost
		l.claim.Expires = now.Add(ttl)
	case l.state == held && now.Before(l.claim.Expires):
		return driver.Claim{}, fmt.Errorf("memstore: acquire: %w",
			&driver.HeldError{Key: key, Token: l.claim.Token, Expires: l.claim.Expires})
	default:
		l.claim = driver.Claim{
			Key:      key,
			Token:    l.claim.Token + 1,
			Owner:    owner,
			Expires:  now.Add(ttl),
			Takeover: l.state == held,
		}
	}
	l.state = held
	s.leases[key] = l
	return l.claim, nil
}

// Renew implements [driver.ClaimStore]. The token stays the same.
func (s *Store) Renew(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	if ttl <= 0 {
		return driver.Claim{}, failedClaim("renew", c, fmt.Errorf("a lease of %v is not positive", ttl))
	}
	var renewed driver.Claim
	err := s.change(ctx, "renew", c, func(l *lease) error {
		if l.state != held {
			return driver.ErrLost
		}
		l.claim.Expires = time.Now().Add(ttl)
		renewed = l.claim
		return nil
	})
	return renewed, err
}

// Complete implements [driver.ClaimStore]. The key is done until the process ends.
func (s *Store) Complete(ctx context.Context, c driver.Claim) error {
	return s.change(ctx, "complete", c, func(l *lease) error {
		if l.state == free {
			return driver.ErrLost
		}
		l.state = done
		return nil
	})
}

// Release implements [driver.ClaimStore].
func (s *Store) Release(ctx context.Context, c driver.Claim) error {
	return s.change(ctx, "release", c, func(l *lease) error {
		if l.state == done {
			return driver.ErrLost
		}
		l.state = free
		return nil
	})
}

// change lets the holder of c change the lease of its key, in one step.
func (s *Store) change(ctx context.Context, what string, c driver.Claim, by func(*lease) error) error {
	if err := ready(ctx, c.Key, anySource); err != nil {
		return failedClaim(what, c, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	l, ok := s.leases[c.Key]
	if !ok || !l.mine(c) {
		return failedClaim(what, c, driver.ErrLost)
	}
	if err := by(&l); err != nil {
		return failedClaim(what, c, err)
	}
	s.leases[c.Key] = l
	return nil
}

// failedClaim says which claim it was that err happened to.
func failedClaim(what string, c driver.Claim, err error) error {
	return fmt.Errorf("memstore: %s key %q, token %d: %w", what, c.Key, c.Token, err)
}
