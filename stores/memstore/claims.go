package memstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/eventdriver/driver"
)

// leases are those of a key, ordered by scope. A key has few.
type leases []lease

// find returns where the lease of the scope is, or would be.
func (l leases) find(scope string) (int, bool) {
	return slices.BinarySearchFunc(l, scope, func(one lease, scope string) int {
		return strings.Compare(one.claim.Scope, scope)
	})
}

// of returns the lease of the scope, or nil.
func (l leases) of(scope string) *lease {
	if i, found := l.find(scope); found {
		return &l[i]
	}
	return nil
}

// lease is what is known of the claims of a key in a scope. It outlives its holder, so that the
// token never goes back.
type lease struct {
	state   state
	claim   driver.Claim    // the newest
	said    driver.Released // when it was released
	paused  time.Time       // until when, as was said then
	outcome driver.Outcome
	changed time.Time
	opened  int64 // the token of the completion that was reopened last; 0: none was
	opener  string
}

// mine says whether c is the newest claim. Expires is left out: it may have been
// renewed.
func (l *lease) mine(c driver.Claim) bool {
	return l.claim.Token == c.Token && l.claim.Owner == c.Owner
}

// state is what may happen to a key next.
type state int

const (
	free state = iota // never claimed, or released: anyone may claim it
	held              // until its lease runs out, and on until it is taken over
	done              // until the process ends
)

// Acquire implements [driver.ClaimStore].
func (s *Store) Acquire(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	if err := cmp.Or(ctx.Err(), driver.ValidClaim(c)); err != nil {
		return driver.Claim{}, failedClaim("acquire", c, err)
	}
	if ttl <= 0 {
		return driver.Claim{}, failedClaim("acquire", c, fmt.Errorf("a lease of %v is not positive", ttl))
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	r := s.record(c.Key)
	c.Key = r.key
	i, known := r.leases.find(c.Scope)
	if !known {
		r.leases = slices.Insert(r.leases, i, lease{claim: driver.Claim{Scope: c.Scope, Token: s.purged}})
	}
	l := &r.leases[i]
	now := time.Now()
	switch {
	case l.state == done:
		return driver.Claim{}, failedClaim("acquire", c, driver.ErrDone)
	case l.state == held && l.claim.Owner == c.Owner: // its answer was lost
		l.claim.Margin = c.Margin
	case l.state == held && now.Before(l.claim.Expires):
		return driver.Claim{}, failedClaim("acquire", c,
			&driver.HeldError{Scope: c.Scope, Key: c.Key, Token: l.claim.Token, Expires: l.claim.Expires})
	case l.state == free && now.Before(l.paused) && !c.Early:
		return driver.Claim{}, failedClaim("acquire", c,
			&driver.LaterError{Scope: c.Scope, Key: c.Key, Token: l.claim.Token, Until: l.paused})
	default:
		l.claim = l.successor(c)
	}
	l.claim.Expires = now.Add(ttl)
	l.state, l.said, l.paused, l.changed = held, driver.Released{}, time.Time{}, now
	return l.claim, nil
}

// successor returns the claim that comes after l's.
func (l *lease) successor(c driver.Claim) driver.Claim {
	c.Token, c.Takeover, c.Mark, c.Attempts = l.claim.Token+1, l.state == held, l.said.Mark, l.said.Attempts
	if c.Takeover {
		c.Attempts = l.claim.Attempts + 1
	}
	return c
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
func (s *Store) Complete(ctx context.Context, c driver.Claim, outcome driver.Outcome) error {
	return s.change(ctx, "complete", c, func(l *lease) error {
		if l.state == free {
			return driver.ErrLost
		}
		l.outcome = cmp.Or(l.outcome, outcome, driver.OutcomeProcessed) // the first stays
		l.state = done
		return nil
	})
}

// Release implements [driver.ClaimStore].
func (s *Store) Release(ctx context.Context, c driver.Claim, r driver.Released) error {
	return s.change(ctx, "release", c, func(l *lease) error {
		switch l.state {
		case done:
			return driver.ErrLost
		case held:
			l.said, l.paused = r, time.Now().Add(r.Pause)
		}
		l.state = free
		return nil
	})
}

// Reopen implements [driver.Reopener].
func (s *Store) Reopen(ctx context.Context, c driver.Claim) error {
	if err := cmp.Or(ctx.Err(), driver.ValidClaim(c)); err != nil {
		return failedClaim("reopen", c, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	l := s.read(c.Key).leases.of(c.Scope)
	switch {
	case l == nil:
	case l.state == done && l.claim.Token == c.Token:
		l.state, l.outcome, l.changed = free, "", time.Now()
		l.opened, l.opener = c.Token, c.Owner
		return nil
	case l.state != done && l.opened == c.Token && l.opened != 0:
		return nil
	}
	return failedClaim("reopen", c, driver.ErrLost)
}

// change lets the holder of c change the lease of its key, in one step. Where by fails, it has changed nothing.
func (s *Store) change(ctx context.Context, what string, c driver.Claim, by func(*lease) error) error {
	if err := cmp.Or(ctx.Err(), driver.ValidKey(c.Key)); err != nil {
		return failedClaim(what, c, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	l := s.read(c.Key).leases.of(c.Scope)
	if l == nil || !l.mine(c) {
		return failedClaim(what, c, driver.ErrLost)
	}
	was := *l
	if err := by(l); err != nil {
		return failedClaim(what, c, err)
	}
	if *l != was {
		l.changed = time.Now()
	}
	return nil
}

// failedClaim says which claim it was that err happened to.
func failedClaim(what string, c driver.Claim, err error) error {
	return fmt.Errorf("memstore: %s: %v: %w", what, c, err)
}
