package drivertest_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/memstore"
)

type (
	inspector func(ctx context.Context, s *memstore.Store, key string) (driver.KeyState, error)
	lister    func(ctx context.Context, s *memstore.Store, q driver.KeyQuery) (driver.KeyPage, error)
)

// flawedInspector is a memory store of which something wrong is said.
type flawedInspector struct {
	*memstore.Store
	// describe spoils a state, also where it is listed.
	describe func(f *flawedInspector, k *driver.KeyState)
	inspect  inspector
	list     lister

	mu        sync.Mutex
	replaced  map[string]time.Time
	completed map[string]driver.Completion
}

func (f *flawedInspector) Inspect(ctx context.Context, key string) (driver.KeyState, error) {
	inspect := f.inspect
	if inspect == nil {
		inspect = func(ctx context.Context, s *memstore.Store, key string) (driver.KeyState, error) {
			return s.Inspect(ctx, key)
		}
	}
	k, err := inspect(ctx, f.Store, key)
	f.spoil(&k)
	return k, err
}

func (f *flawedInspector) ListKeys(ctx context.Context, q driver.KeyQuery) (driver.KeyPage, error) {
	list := f.list
	if list == nil {
		list = func(ctx context.Context, s *memstore.Store, q driver.KeyQuery) (driver.KeyPage, error) {
			return s.ListKeys(ctx, q)
		}
	}
	page, err := list(ctx, f.Store, q)
	for i := range page.Keys {
		f.spoil(&page.Keys[i])
	}
	return page, err
}

func (f *flawedInspector) spoil(k *driver.KeyState) {
	if f.describe != nil {
		f.describe(f, k)
	}
}

func (f *flawedInspector) Replace(ctx context.Context, m driver.Message) (driver.Message, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.replaced == nil {
		f.replaced = make(map[string]time.Time)
	}
	f.replaced[m.Key] = time.Now()
	return f.Store.Replace(ctx, m)
}

func (f *flawedInspector) Complete(ctx context.Context, c driver.Claim, outcome driver.Outcome) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.completed == nil {
		f.completed = make(map[string]driver.Completion)
	}
	f.completed[c.Key] = driver.Completion{Outcome: outcome, Token: c.Token, Owner: c.Owner, Time: time.Now()}
	return f.Store.Complete(ctx, c, outcome)
}

// saysOfEvents, saysOfClaims and saysOfKeys spoil what is said of each.
func saysOfEvents(spoil func(*driver.EventState)) *flawedInspector {
	return &flawedInspector{describe: func(_ *flawedInspector, k *driver.KeyState) {
		for i := range k.Events {
			spoil(&k.Events[i])
		}
	}}
}

func saysOfClaims(spoil func(*driver.ClaimState)) *flawedInspector {
	return &flawedInspector{describe: func(_ *flawedInspector, k *driver.KeyState) {
		for i := range k.Claims {
			spoil(&k.Claims[i])
		}
	}}
}

func saysOfKeys(spoil func(*driver.KeyState)) *flawedInspector {
	return &flawedInspector{describe: func(_ *flawedInspector, k *driver.KeyState) { spoil(k) }}
}

func inspects(inspect inspector) *flawedInspector { return &flawedInspector{inspect: inspect} }

func lists(list lister) *flawedInspector { return &flawedInspector{list: list} }

var inspectorFlaws = []struct {
	name   string
	open   func() *flawedInspector
	breaks []string
}{
	{"finds anything", func() *flawedInspector {
		return inspects(func(ctx context.Context, s *memstore.Store, key string) (k driver.KeyState, err error) {
			k, err = s.Inspect(ctx, key)
			if errors.Is(err, driver.ErrNotFound) {
				return driver.KeyState{Key: key}, nil
			}
			return k, err
		})
	}, []string{"A key of which nothing"}},
	{"loses the ID", func() *flawedInspector { return saysOfEvents(func(e *driver.EventState) { e.ID = "" }) },
		[]string{"Events are described", "An event that was replaced"}},
	{"loses the media type",
		func() *flawedInspector { return saysOfEvents(func(e *driver.EventState) { e.MediaType = "" }) },
		[]string{"Events are described"}},
	{"counts the header",
		func() *flawedInspector { return saysOfEvents(func(e *driver.EventState) { e.Size += 100 }) },
		[]string{"Events are described", "Any source", "Any key"}},
	{"takes the event's time",
		func() *flawedInspector { return saysOfEvents(func(e *driver.EventState) { e.Kept = e.Time }) },
		[]string{"Events are described"}},
	{"lists as it likes",
		func() *flawedInspector { return saysOfKeys(func(k *driver.KeyState) { slices.Reverse(k.Events) }) },
		[]string{"Events are described", "Any source"}},
	{"kept since the last", func() *flawedInspector {
		return &flawedInspector{describe: func(f *flawedInspector, k *driver.KeyState) {
			for i := range k.Events {
				k.Events[i].Kept = cmp.Or(f.replaced[k.Key], k.Events[i].Kept)
			}
		}}
	}, []string{"An event that was replaced"}},
	{"lists decisions as it likes",
		func() *flawedInspector { return saysOfKeys(func(k *driver.KeyState) { slices.Reverse(k.Decided) }) },
		[]string{"Decisions are described"}},
	{"forgets the pause",
		func() *flawedInspector { return saysOfClaims(func(c *driver.ClaimState) { c.NotBefore = time.Time{} }) },
		[]string{"A paused key"}},
	{"pauses a key that is held", func() *flawedInspector {
		return saysOfClaims(func(c *driver.ClaimState) { c.NotBefore = c.Changed.Add(time.Hour) })
	}, []string{"A paused key"}},
	{"forgets the attempts", func() *flawedInspector { return saysOfClaims(func(c *driver.ClaimState) { c.Attempts = 0 }) },
		[]string{"A paused key"}},
	{"takes seals for events", func() *flawedInspector {
		return saysOfKeys(func(k *driver.KeyState) {
			for _, source := range k.Sealed {
				k.Events = append(k.Events, driver.EventState{Source: source})
			}
		})
	}, []string{"Seals are described"}},
	{"forgets the seals", func() *flawedInspector { return saysOfKeys(func(k *driver.KeyState) { k.Sealed = nil }) },
		[]string{"Seals are described"}},
	{"forgets the scope", func() *flawedInspector { return saysOfClaims(func(c *driver.ClaimState) { c.Scope = "" }) },
		[]string{"A claim that holds"}},
	{"forgets what the holder before said", func() *flawedInspector {
		return saysOfClaims(func(c *driver.ClaimState) {
			if c.Held {
				c.Mark = driver.MarkNone
			}
		})
	}, []string{"A released key"}},
	{"a lease that ran out is not held", func() *flawedInspector {
		return saysOfClaims(func(c *driver.ClaimState) { c.Held = time.Now().Before(c.Expires) })
	}, []string{"A lease that ran out"}},
	{"a takeover is an ordinary claim", func() *flawedInspector {
		return saysOfClaims(func(c *driver.ClaimState) { c.Takeover = false })
	}, []string{"A lease that ran out"}},
	{"all was processed", func() *flawedInspector {
		return saysOfClaims(func(c *driver.ClaimState) {
			if c.Done != nil {
				c.Done.Outcome = driver.OutcomeProcessed
			}
		})
	}, []string{"A completed key"}},
	{"the last completion counts", func() *flawedInspector {
		return &flawedInspector{describe: func(f *flawedInspector, k *driver.KeyState) {
			for i := range k.Claims {
				if done, is := f.completed[k.Key]; is && k.Claims[i].Done != nil {
					done.Outcome = cmp.Or(done.Outcome, driver.OutcomeProcessed)
					k.Claims[i].Done = &done
				}
			}
		}}
	}, []string{"The first outcome"}},
	{"has no letters", func() *flawedInspector { return saysOfKeys(func(k *driver.KeyState) { k.Letters = nil }) },
		[]string{"Dead letters are found"}},
	{"takes keys for one another", func() *flawedInspector {
		return saysOfKeys(func(k *driver.KeyState) { k.Key = strings.ToLower(k.Key) })
	}, []string{"Any key"}},
	{"stops after a page", func() *flawedInspector {
		return lists(func(ctx context.Context, s *memstore.Store, q driver.KeyQuery) (driver.KeyPage, error) {
			page, err := s.ListKeys(ctx, q)
			page.Next, page.Share = "", 1
			return page, err
		})
	}, []string{"All pages together", "A page ends"}},
	{"ignores the limit", func() *flawedInspector {
		return lists(func(ctx context.Context, s *memstore.Store, q driver.KeyQuery) (driver.KeyPage, error) {
			q.Limit = 0
			return s.ListKeys(ctx, q)
		})
	}, []string{"A page ends"}},
	{"lists events alone", func() *flawedInspector {
		return lists(func(ctx context.Context, s *memstore.Store, q driver.KeyQuery) (driver.KeyPage, error) {
			page, err := s.ListKeys(ctx, q)
			page.Keys = slices.DeleteFunc(page.Keys, func(k driver.KeyState) bool { return len(k.Events) == 0 })
			return page, err
		})
	}, []string{"Keys that were only claimed", "KeptBefore"}},
	{"lists what is done", func() *flawedInspector {
		return lists(func(ctx context.Context, s *memstore.Store, q driver.KeyQuery) (driver.KeyPage, error) {
			q.Open = false
			return s.ListKeys(ctx, q)
		})
	}, []string{"Open leaves out"}},
	{"lists what is new", func() *flawedInspector {
		return lists(func(ctx context.Context, s *memstore.Store, q driver.KeyQuery) (driver.KeyPage, error) {
			q.KeptBefore = time.Time{}
			return s.ListKeys(ctx, q)
		})
	}, []string{"KeptBefore"}},
	{"counts from the beginning", func() *flawedInspector {
		return lists(func(ctx context.Context, s *memstore.Store, q driver.KeyQuery) (driver.KeyPage, error) {
			all, err := s.ListKeys(ctx, driver.KeyQuery{})
			slices.Reverse(all.Keys) // so that what comes is put before the rest
			begin := min(len(q.Cursor), len(all.Keys))
			end := min(begin+cmp.Or(q.Limit, driver.DefaultLimit), len(all.Keys))
			page := driver.KeyPage{Keys: all.Keys[begin:end], Seen: end - begin, Share: 1}
			if end < len(all.Keys) {
				page.Next, page.Share = strings.Repeat("x", end), float64(end)/float64(len(all.Keys))
			}
			return page, err
		})
	}, []string{"Keys that come meanwhile", "A cursor that no page"}},
	{"begins again", func() *flawedInspector {
		return lists(func(ctx context.Context, s *memstore.Store, q driver.KeyQuery) (driver.KeyPage, error) {
			page, err := s.ListKeys(ctx, q)
			if err != nil {
				page.Next = ""
			}
			return page, err
		})
	}, []string{"A context that has ended"}},
	{"takes an empty key", func() *flawedInspector {
		return inspects(func(ctx context.Context, s *memstore.Store, key string) (k driver.KeyState, err error) {
			return s.Inspect(ctx, cmp.Or(key, "order"))
		})
	}, []string{"An empty key"}},
}
