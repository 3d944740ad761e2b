package drivertest_test

import (
	"context"
	"sync"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/memstore"
)

var letterFlaws = []struct {
	name   string
	breaks []string
}{
	{"drops the header", []string{"A letter is kept"}},
	{"drops the path", []string{"A letter is kept"}},
	{"forgets that it is cut", []string{"A letter is kept"}},
	{"needs an ID", []string{"A letter of which nothing"}},
	{"one at a time", []string{"Letters that come at once"}},
	{"rejects what it has", []string{"The same event"}},
	{"shares the body", []string{"A letter shares nothing"}},
	{"ignores the context", []string{"A context that has ended"}},
}

// flawedLetters is a memory store with a flaw.
type flawedLetters struct {
	*memstore.Store
	flaw string

	mu     sync.Mutex
	busy   bool
	shared []driver.DeadLetter
}

func (f *flawedLetters) AddDeadLetter(ctx context.Context, d driver.DeadLetter) error {
	f.mu.Lock()
	busy := f.busy
	f.busy = true
	f.mu.Unlock()
	pause()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy = false

	switch f.flaw {
	case "drops the header":
		d.Header = nil
	case "drops the path":
		d.Path = ""
	case "forgets that it is cut":
		d.Cut = false
	case "needs an ID":
		if d.ID == "" {
			return nil
		}
	case "one at a time":
		if busy {
			return nil
		}
	case "rejects what it has":
		for _, kept := range f.DeadLetters() {
			if kept.ID == d.ID {
				return driver.ErrConflict
			}
		}
	case "shares the body":
		f.shared = append(f.shared, d)
	case "ignores the context":
		ctx = context.WithoutCancel(ctx)
	}
	return f.Store.AddDeadLetter(ctx, d)
}

func (f *flawedLetters) kept() []driver.DeadLetter {
	if f.flaw == "shares the body" {
		return f.shared
	}
	return f.DeadLetters()
}
