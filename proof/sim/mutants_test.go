package sim_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/proof/sim"
	"example.com/eventdriver/stores/memstore"
)

// mutants are protocols with one thing wrong. The explorer must find each; the
// schedule with which it did is kept, and must still show the fault.
var mutants = []struct {
	name     string
	schedule string // the first that the explorer found
	breaks   string // a part of what it must say, of all that is broken
	scenario func() sim.Scenario
}{
	{"mark before processing", "", "lost", func() sim.Scenario {
		return with(theJoiner, func(s sim.Stores) driver.Handler {
			return driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
				claim, err := s.Acquire(ctx, driver.NewClaim(in.Key), lease)
				if errors.Is(err, driver.ErrDone) {
					return nil
				}
				if err != nil {
					return err
				}
				if err := s.Complete(ctx, claim, driver.OutcomeProcessed); err != nil {
					return err
				}
				return next.Call(ctx, in)
			})
		})
	}},
	{"skip on a held claim", "12=2", "lost", func() sim.Scenario {
		return with(theJoiner, func(s sim.Stores) driver.Handler {
			return driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
				err := theCache(s).Process(ctx, in, next)
				if errors.Is(err, driver.ErrHeld) {
					return nil
				}
				return err
			})
		})
	}},
	{"no second look", "5=9", "lost", func() sim.Scenario {
		return with(func(s sim.Stores) driver.Handler { return lookThenPersist{s, false} }, cached)
	}},
	{"the second look before Persist returned", "9=9", "lost", func() sim.Scenario {
		return with(func(s sim.Stores) driver.Handler { return lookThenPersist{s, true} }, cached)
	}},
	{"look before Persist, in one call", "5=9", "lost", func() sim.Scenario {
		return with(func(s sim.Stores) driver.Handler { return joiner.New(matchAll, looksThenKeeps(s)) }, cached)
	}},
	{"no nonce check", "13=3", "the order is doubled", func() sim.Scenario {
		return onStore(func(s sim.Stores) sim.Stores { return everyClaimIsMine{s} })
	}},
	{"delete on release", "12=5", "token 1, after 1", func() sim.Scenario {
		return onStore(func(s sim.Stores) sim.Stores { return &deletesOnRelease{Stores: s} })
	}},
	{"look up, then write", "13=3", "acted again", func() sim.Scenario {
		return with(theJoiner, func(s sim.Stores) driver.Handler {
			return driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
				marker := driver.Message{Key: in.Key, Source: "processed"}
				_, err := s.LookUp(ctx, in.Key, marker.Source)
				if !errors.Is(err, driver.ErrNotFound) {
					return err
				}
				if err := next.Call(ctx, in); err != nil {
					return err
				}
				return s.Persist(ctx, marker)
			})
		})
	}},
	{"release what could not be completed", "13=8", "doubled", func() sim.Scenario {
		return with(theJoiner, func(s sim.Stores) driver.Handler {
			return driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
				return theCache(s).Process(ctx, in, func(ctx context.Context, in driver.Message) error {
					if err := next.Call(ctx, in); err != nil {
						return err
					}
					claim, _ := driver.ClaimFrom(ctx)
					return s.Complete(ctx, claim, driver.OutcomeProcessed) // its failure has the cache release the key
				})
			})
		})
	}},
	{"act after the lease ran out", "12=5", "not within its lease", func() sim.Scenario {
		return with(theJoiner, func(s sim.Stores) driver.Handler {
			return driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
				return theCache(s).Process(ctx, in, func(ctx context.Context, in driver.Message) error {
					return next.Call(context.WithoutCancel(ctx), in)
				})
			})
		})
	}},
	{"acknowledge a failure", "12=5", "lost", func() sim.Scenario {
		return with(theJoiner, func(s sim.Stores) driver.Handler {
			return driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
				_ = theCache(s).Process(ctx, in, next)
				return nil
			})
		})
	}},
	{"take the loss of the claim for completion", "2=20 3=9", "its key is not completed", func() sim.Scenario {
		s := alone(nil)
		s.Pipeline = func(s sim.Stores, business driver.Handler) *driver.Pipeline {
			return driver.New(driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
				err := theCache(s).Process(ctx, in, next)
				if errors.Is(err, driver.ErrLost) {
					return nil
				}
				return err
			}), business)
		}
		return s
	}},
	{"complete before all is done", "", "before its business was done", func() sim.Scenario {
		return with(theJoiner, func(s sim.Stores) driver.Handler {
			return driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
				return theCache(s).Process(ctx, in, func(ctx context.Context, in driver.Message) error {
					claim, _ := driver.ClaimFrom(ctx)
					return errors.Join(s.Complete(ctx, claim, driver.OutcomeProcessed), next.Call(ctx, in))
				})
			})
		})
	}},
	{"whoever releases frees the key", "", "was released after", func() sim.Scenario {
		return onStore(func(s sim.Stores) sim.Stores { return &anyoneReleases{Stores: s} })
	}},
	{"clocks that differ by more than the margin", "7=11", "not within its lease", func() sim.Scenario {
		return clocksDiffer(alone(long), margin+2*time.Nanosecond)
	}},
	{"no lease at all", "13=10", "never acknowledged", func() sim.Scenario {
		return with(theJoiner, func(s sim.Stores) driver.Handler {
			return cache.New(s, cache.Lease(1000*time.Hour), cache.WaitOnHeld(0))
		})
	}},
}

// noneTwice is the real thing with each event delivered once, for short schedules.
func noneTwice() sim.Scenario {
	s := pipeline("event1", matchAll)
	s.Events = s.Events[:3]
	return s
}

func theJoiner(s sim.Stores) driver.Handler { return joiner.New(matchAll, s) }

func cached(s sim.Stores) driver.Handler { return theCache(s) }

// with is the scenario with this joiner and this cache.
func with(joins, idempotent func(sim.Stores) driver.Handler) sim.Scenario {
	s := noneTwice()
	s.Pipeline = func(stores sim.Stores, business driver.Handler) *driver.Pipeline {
		return driver.New(joins(stores), idempotent(stores), business)
	}
	return s
}

// onStore is the scenario on a store that is changed.
func onStore(change func(sim.Stores) sim.Stores) sim.Scenario {
	s := noneTwice()
	s.Store = func() sim.Stores { return change(memstore.New()) }
	return s
}

// lookThenPersist is a joiner that looks for the other events only before its own
// is kept.
type lookThenPersist struct {
	store sim.Stores
	twice bool
}

func (j lookThenPersist) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	complete := true
	look := func() error {
		complete = true
		for _, source := range []string{"event1", "event2", "event3"} {
			if source == in.Source {
				continue
			}
			_, err := j.store.LookUp(ctx, in.Key, source)
			if err != nil && !errors.Is(err, driver.ErrNotFound) {
				return err
			}
			complete = complete && err == nil
		}
		return nil
	}
	if err := look(); err != nil {
		return err
	}
	if j.twice {
		if err := look(); err != nil {
			return err
		}
	}
	if err := j.store.Persist(ctx, in); err != nil || !complete {
		return err
	}
	return next.Call(ctx, driver.Message{
		ID: "composed-event/" + in.Key, Key: in.Key, Source: "composed-event", Time: in.Time,
		Content: []byte(`{"event1":"event1","event2":"event2","event3":"event3"}`),
	})
}

// everyClaimIsMine takes a claim that exists for its own.
type everyClaimIsMine struct{ sim.Stores }

func (s everyClaimIsMine) Acquire(ctx context.Context, wanted driver.Claim, ttl time.Duration) (driver.Claim, error) {
	c, err := s.Stores.Acquire(ctx, wanted, ttl)
	var held *driver.HeldError
	if errors.As(err, &held) {
		return driver.Claim{Key: wanted.Key, Token: held.Token, Owner: wanted.Owner, Expires: held.Expires}, nil
	}
	return c, err
}

// deletesOnRelease forgets a key that is released, and its token.
type deletesOnRelease struct {
	sim.Stores
	mu sync.Mutex
}

func (s *deletesOnRelease) claims() sim.Stores {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Stores
}

func (s *deletesOnRelease) Release(ctx context.Context, c driver.Claim, r driver.Released) error {
	if err := s.claims().Release(ctx, c, r); err != nil {
		return err
	}
	fresh := memstore.New()
	events, err := s.claims().LookUpByKey(ctx, c.Key)
	for _, m := range events {
		err = errors.Join(err, fresh.Persist(ctx, m))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Stores = fresh
	return err
}

// anyoneReleases releases the newest claim of a key, whichever is given.
type anyoneReleases struct {
	sim.Stores
	newest driver.Claim
}

func (s *anyoneReleases) Acquire(ctx context.Context, wanted driver.Claim, ttl time.Duration) (driver.Claim, error) {
	c, err := s.Stores.Acquire(ctx, wanted, ttl)
	if err == nil {
		s.newest = c
	}
	return c, err
}

func (s *anyoneReleases) Release(ctx context.Context, _ driver.Claim, r driver.Released) error {
	return s.Stores.Release(ctx, s.newest, r)
}

func TestMutantsAreFound(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			result := sim.Explore(t, m.scenario(), triples, func(run sim.Run) bool {
				return strings.Contains(strings.Join(run.Broken, "; "), m.breaks)
			})
			if result.Failure == nil {
				t.Fatalf("none of %d schedules breaks what says %q", result.Schedules, m.breaks)
			}
			broken := strings.Join(result.Failure.Broken, "; ")
			t.Logf("found by schedule %q, number %d: %.300s", result.Failure.Schedule, result.Schedules, broken)
			if got := result.Failure.Schedule.String(); got != m.schedule {
				t.Errorf("found by schedule %q, no longer by %q: if that is meant, keep the new one", got, m.schedule)
			}
		})
	}
}

// What broke a mutant must not break the real thing.
func TestSchedulesOfMutants(t *testing.T) {
	for _, m := range mutants {
		schedule, err := sim.ParseSchedule(m.schedule)
		if err != nil {
			t.Fatal(err)
		}
		base := noneTwice()
		if len(m.scenario().Events) == 2 {
			base = alone(nil)
		}
		if run := sim.Execute(t, base, schedule); len(run.Broken) > 0 {
			t.Errorf("%s: schedule %q breaks %q\n%s", m.name, schedule, run.Broken, steps(run))
		}
	}
}

// A failing schedule is shrunk to what it can't do without.
func TestShrink(t *testing.T) {
	for _, m := range mutants {
		if m.name != "skip on a held claim" {
			continue
		}
		long, err := sim.ParseSchedule("0=1 12=2 15=1")
		if err != nil {
			t.Fatal(err)
		}
		run := sim.Execute(t, m.scenario(), long)
		if len(run.Broken) == 0 {
			t.Fatalf("schedule %q breaks nothing", long)
		}
		if shrunk := sim.Shrink(t, m.scenario(), run); len(shrunk.Schedule) != 1 || len(shrunk.Broken) == 0 || len(shrunk.Steps) == 0 {
			t.Errorf("schedule %q was shrunk to %q, which breaks %q", long, shrunk.Schedule, shrunk.Broken)
		}
	}
}
