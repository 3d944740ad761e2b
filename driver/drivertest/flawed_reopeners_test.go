package drivertest_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/memstore"
)

var reopenFlaws = []struct {
	name   string
	breaks []string
}{
	{"does nothing", []string{"A reopened key is claimed at once"}},
	{"leaves the claim held", []string{"A reopened key is claimed at once", "A reopened key is described"}},
	{"leaves a mark", []string{"A reopened key is claimed at once", "A reopened key is described"}},
	{"opens a key once", []string{"A reopened key is completed by the next claim"}},
	{"deletes the completion", []string{"A completion by the old claim"}},
	{"old claims close the key", []string{"A completion by an older claim"}},
	{"old claims are renewed", []string{"The old claim can't be renewed"}},
	{"completes while it reopens", []string{"Completions and reopenings at once"}},
	{"reopens once", []string{"Reopening again"}},
	{"reopens any completion", []string{"A key that is not completed"}},
	{"forgets the scope", []string{"Other scopes"}},
	{"shows it as done", []string{"A reopened key is described"}},
	{"shows who has completed it", []string{"A reopened key is described"}},
	{"shows who has reopened it for too long", []string{"A reopened key is described"}},
	{"takes any owner", []string{"A reopening names"}},
	{"ignores the context", []string{"A context that has ended"}},
}

// flawedReopener is a memory store that opens keys again as its flaw has it.
type flawedReopener struct {
	*memstore.Store
	flaw string

	mu     sync.Mutex
	opened map[string]driver.Claim // what was reopened last, by key
	closed map[string]bool         // keys that old claims have completed again
	times  int
}

func (f *flawedReopener) Reopen(ctx context.Context, c driver.Claim) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.times++
	_, again := f.opened[c.Key]
	switch f.flaw {
	case "does nothing":
		return nil
	case "opens a key once", "reopens once":
		if again && (f.flaw == "opens a key once" || f.times == 2) {
			return driver.ErrLost
		}
	case "reopens any completion":
		k, err := f.Store.Inspect(ctx, c.Key)
		if err == nil && k.Claims[0].Done != nil {
			c.Token = k.Claims[0].Token
		}
	case "forgets the scope":
		for _, scope := range []string{"", "a", "b"} {
			k, _ := f.Store.Inspect(ctx, c.Key)
			other := c
			other.Scope, other.Token = scope, k.Claim(scope).Token
			_ = f.Store.Reopen(ctx, other)
		}
	case "takes any owner":
		c.Owner = "somebody"
	case "ignores the context":
		ctx = context.WithoutCancel(ctx)
	}
	err := f.Store.Reopen(ctx, c)
	if err == nil {
		if f.opened == nil {
			f.opened, f.closed = make(map[string]driver.Claim), make(map[string]bool)
		}
		f.opened[c.Key] = c
		f.spoil(ctx, c)
	}
	return err
}

// spoil has a key that was reopened claimed by nobody, or leaves a mark on it.
func (f *flawedReopener) spoil(ctx context.Context, c driver.Claim) {
	if f.flaw != "leaves the claim held" && f.flaw != "leaves a mark" {
		return
	}
	if left, err := f.Store.Acquire(ctx, driver.NewClaim(c.Key), time.Hour); err == nil && f.flaw == "leaves a mark" {
		_ = f.Store.Release(ctx, left, driver.Released{Mark: driver.MarkFailed})
	}
}

func (f *flawedReopener) Complete(ctx context.Context, c driver.Claim, outcome driver.Outcome) error {
	err := f.Store.Complete(ctx, c, outcome)
	f.mu.Lock()
	defer f.mu.Unlock()
	opened, was := f.opened[c.Key]
	late := was && errors.Is(err, driver.ErrLost) && c.Token <= opened.Token
	switch {
	case late && (f.flaw == "deletes the completion" || f.flaw == "completes while it reopens"),
		late && c.Token < opened.Token && f.flaw == "old claims close the key":
		f.closed[c.Key] = true
		return nil
	}
	return err
}

func (f *flawedReopener) Renew(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	if f.flaw == "old claims are renewed" {
		return c, nil
	}
	return f.Store.Renew(ctx, c, ttl)
}

func (f *flawedReopener) Acquire(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	f.mu.Lock()
	closed := f.closed[c.Key]
	f.mu.Unlock()
	if closed {
		return driver.Claim{}, driver.ErrDone
	}
	return f.Store.Acquire(ctx, c, ttl)
}

func (f *flawedReopener) Inspect(ctx context.Context, key string) (driver.KeyState, error) {
	k, err := f.Store.Inspect(ctx, key)
	f.mu.Lock()
	opened := f.opened[key]
	f.mu.Unlock()
	for i := range k.Claims {
		switch f.flaw {
		case "shows it as done":
			k.Claims[i].Done = &driver.Completion{}
		case "shows who has completed it":
			k.Claims[i].Owner = "completer"
		case "shows who has reopened it for too long":
			k.Claims[i].Owner = opened.Owner
		}
	}
	return k, err
}
