//go:build unix

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"example.com/eventdriver/driver"
)

var _ driver.ClaimStore = (*Store)(nil)

// record is what is kept of a key's claims. It is never deleted, so tokens never go back.
type record struct {
	State state
	Claim driver.Claim    // the newest
	Said  driver.Released // when it was released
	Until time.Time       // when the pause ends that was asked for then
}

type state int

const (
	free state = iota // never claimed, or released
	held              // until its lease runs out, and on until it is taken over
	done
)

// Acquire implements [driver.ClaimStore].
func (s *Store) Acquire(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	return s.change(ctx, "acquire", c, ttl, func(r *record) error {
		now := time.Now()
		switch {
		case r.State == done:
			return driver.ErrDone
		case r.State == held && r.Claim.Owner == c.Owner: // its answer was lost
			r.Claim.Margin = c.Margin
		case r.State == held && now.Before(r.Claim.Expires):
			return &driver.HeldError{Scope: c.Scope, Key: c.Key, Token: r.Claim.Token, Expires: r.Claim.Expires}
		case r.State == free && now.Before(r.Until) && !c.Early:
			return &driver.LaterError{Scope: c.Scope, Key: c.Key, Token: r.Claim.Token, Until: r.Until}
		default:
			r.Claim = r.successor(c)
		}
		r.State, r.Said, r.Until, r.Claim.Expires = held, driver.Released{}, time.Time{}, now.Add(ttl)
		return nil
	})
}

// successor returns the claim that comes after r's.
func (r *record) successor(c driver.Claim) driver.Claim {
	c.Token, c.Takeover, c.Mark, c.Attempts = r.Claim.Token+1, r.State == held, r.Said.Mark, r.Said.Attempts
	if c.Takeover {
		c.Attempts = r.Claim.Attempts + 1
	}
	return c
}

// Renew implements [driver.ClaimStore].
func (s *Store) Renew(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	return s.change(ctx, "renew", c, ttl, func(r *record) error {
		r.Claim.Expires = time.Now().Add(ttl)
		return r.lost(c, held)
	})
}

// Complete implements [driver.ClaimStore].
func (s *Store) Complete(ctx context.Context, c driver.Claim, _ driver.Outcome) error {
	_, err := s.change(ctx, "complete", c, 1, func(r *record) error {
		err := r.lost(c, held, done)
		r.State = done
		return err
	})
	return err
}

// Release implements [driver.ClaimStore].
func (s *Store) Release(ctx context.Context, c driver.Claim, said driver.Released) error {
	_, err := s.change(ctx, "release", c, 1, func(r *record) error {
		if err := r.lost(c, held, free); err != nil || r.State == free {
			return err
		}
		r.State, r.Said, r.Until = free, said, time.Now().Add(said.Pause)
		return nil
	})
	return err
}

// lost returns nil where c is the newest claim and in one of the states.
func (r *record) lost(c driver.Claim, states ...state) error {
	for _, s := range states {
		if r.State == s && r.Claim.Owner == c.Owner && r.Claim.Token == c.Token {
			return nil
		}
	}
	return driver.ErrLost
}

// change changes a key's record in one step, unless by fails, and returns its claim. The lock is the
// kernel's: it ends with the process.
func (s *Store) change(
	ctx context.Context, what string, c driver.Claim, ttl time.Duration, by func(*record) error,
) (_ driver.Claim, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s key %q, token %d: %w", what, c.Key, c.Token, err)
		}
	}()
	if err := cmp.Or(ctx.Err(), driver.ValidClaim(c)); err != nil || ttl <= 0 {
		return driver.Claim{}, cmp.Or(err, errors.New("the lease is not positive"))
	}
	place := s.path("claims", c.Scope, c.Key)
	unlock, err := lock(ctx, place+".lock")
	if err != nil {
		return driver.Claim{}, err
	}
	defer unlock()
	var r record
	if err := read(place, &r); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return driver.Claim{}, err
	}
	if err := by(&r); err != nil {
		return driver.Claim{}, err
	}
	file, err := s.write(r)
	return r.Claim, cmp.Or(err, os.Rename(file, place))
}

// lock waits until nobody else has locked the file.
func lock(ctx context.Context, path string) (unlock func() error, err error) {
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	for syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return nil, cmp.Or(ctx.Err(), f.Close())
		}
	}
	return f.Close, nil
}

func openLock(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
}
