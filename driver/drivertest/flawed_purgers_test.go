package drivertest_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/stores/memstore"
)

var purgeFlaws = []struct {
	name   string
	breaks []string
}{
	{"deletes nothing", []string{"PurgeEvents deletes events", "PurgeClaims deletes"}},
	{"leaves what was corrected", []string{"PurgeEvents deletes what was corrected"}},
	{"leaves letters", []string{"PurgeEvents deletes the letters"}},
	{"deletes all letters", []string{"PurgeEvents deletes the letters"}},
	{"PurgeEvents deletes claims", []string{"PurgeEvents leaves the claims alone"}},
	{"leaves claims of scopes", []string{"PurgeClaims deletes"}},
	{"PurgeClaims deletes events", []string{"PurgeClaims leaves the events alone"}},
	{"tokens begin anew", []string{"The next claim"}},
	{"closes the key", []string{"A key that was purged begins anew"}},
	{"deletes keys that begin likewise", []string{"Other keys stay"}},
	{"fails where nothing is", []string{"Purging nothing"}},
	{"keeps half of what comes", []string{"What comes at once"}},
	{"cuts keys", []string{"Any key can be purged"}},
	{"purges what is empty", []string{"An empty key"}},
	{"ignores the context", []string{"A context that has ended"}},
}

// flawedPurger is a memory store that purges as its flaw has it.
type flawedPurger struct {
	*memstore.Store
	flaw string

	mu     sync.Mutex
	old    map[string]driver.Message // what was corrected
	closed map[string]bool
	purged bool
	token  int64
}

func (f *flawedPurger) PurgeEvents(ctx context.Context, key string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	k, _ := f.Store.Inspect(ctx, key)
	if ctx.Err() == nil || f.flaw == "ignores the context" {
		f.purged = true
	}
	switch f.flaw {
	case "deletes nothing":
		return nil
	case "leaves what was corrected":
		f.keepCorrected(ctx, k)
	case "leaves letters":
		return f.leavingLetters(ctx, k)
	case "deletes all letters":
		page, _ := f.ListLetters(ctx, driver.LetterQuery{})
		for _, l := range page.Letters {
			_ = f.DeleteLetter(ctx, l.Ref)
		}
	case "PurgeEvents deletes claims":
		_ = f.Store.PurgeClaims(ctx, key)
	case "deletes keys that begin likewise":
		page, _ := f.ListKeys(ctx, driver.KeyQuery{})
		for _, other := range page.Keys {
			if strings.HasPrefix(other.Key, key) {
				_ = f.Store.PurgeEvents(ctx, other.Key)
			}
		}
	case "fails where nothing is":
		if k.Key == "" && ctx.Err() == nil {
			return driver.ErrNotFound
		}
	}
	return f.simple(ctx, key, f.Store.PurgeEvents)
}

func (f *flawedPurger) PurgeClaims(ctx context.Context, key string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	k, _ := f.Store.Inspect(ctx, key)
	for _, c := range k.Claims {
		f.token = max(f.token, c.Token)
	}
	switch f.flaw {
	case "deletes nothing":
		return nil
	case "leaves claims of scopes":
		if k.Claim("a").Token > 0 {
			return nil
		}
	case "PurgeClaims deletes events":
		_ = f.Store.PurgeEvents(ctx, key)
	case "closes the key":
		f.closed = map[string]bool{key: true}
	}
	return f.simple(ctx, key, f.Store.PurgeClaims)
}

// simple has the flaws that both methods may have.
func (f *flawedPurger) simple(ctx context.Context, key string, purge func(context.Context, string) error) error {
	switch {
	case f.flaw == "cuts keys":
		key = key[:min(len(key), 9)]
	case f.flaw == "purges what is empty" && key == "":
		return nil
	case f.flaw == "ignores the context":
		ctx = context.WithoutCancel(ctx)
	}
	return purge(ctx, key)
}

func (f *flawedPurger) keepCorrected(ctx context.Context, k driver.KeyState) {
	f.old = make(map[string]driver.Message)
	for _, e := range k.Events {
		for _, c := range e.Corrections {
			f.old[c.Ref], _ = f.Store.ReadCorrected(ctx, c.Ref)
		}
	}
}

func (f *flawedPurger) ReadCorrected(ctx context.Context, ref string) (driver.Message, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m, ok := f.old[ref]; ok {
		return m, nil
	}
	return f.Store.ReadCorrected(ctx, ref)
}

func (f *flawedPurger) leavingLetters(ctx context.Context, k driver.KeyState) error {
	var letters []driver.DeadLetter
	for _, l := range k.Letters {
		d, _ := f.ReadLetter(ctx, l.Ref)
		letters = append(letters, d)
	}
	err := f.Store.PurgeEvents(ctx, k.Key)
	for _, d := range letters {
		_ = f.AddDeadLetter(ctx, d)
	}
	return err
}

func (f *flawedPurger) Acquire(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	claim, err := f.Store.Acquire(ctx, c, ttl)
	if f.flaw == "tokens begin anew" && f.purged && err == nil {
		claim.Token = 1
	}
	return claim, err
}

func (f *flawedPurger) Persist(ctx context.Context, m driver.Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.flaw == "closes the key" && f.closed[m.Key]:
		return nil
	case f.flaw == "keeps half of what comes" && f.purged:
		m.Content = m.Content[:len(m.Content)/2]
	}
	return f.Store.Persist(ctx, m)
}

func TestFlawedPurgers(t *testing.T) {
	seen := gate{}
	for _, flaw := range purgeFlaws {
		t.Run(flaw.name, func(t *testing.T) {
			h := fake(func() *flawedPurger { return &flawedPurger{Store: memstore.New(), flaw: flaw.name} })
			seen.caught(t, drivertest.PurgeFailures(t, h), flaw.breaks...)
		})
	}
	seen.complete(t)
}
