package change_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/operate/change"
	"example.com/eventdriver/stores/memstore"
)

const key = "order-1"

// acquire claims the key as a run does.
func acquire(t *testing.T, s *memstore.Store) driver.Claim {
	t.Helper()
	c, err := s.Acquire(t.Context(), driver.Claim{Key: key, Owner: "run"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// begins are what a key may be like when it is changed.
var begins = map[string]func(t *testing.T, s *memstore.Store) driver.Claim{
	"nothing": func(*testing.T, *memstore.Store) driver.Claim { return driver.Claim{} },
	"waiting": func(t *testing.T, s *memstore.Store) driver.Claim {
		if err := s.Persist(t.Context(), driver.Message{Key: key, Source: "event1"}); err != nil {
			t.Fatal(err)
		}
		return driver.Claim{}
	},
	"released":    released(driver.Released{}),
	"tried":       released(driver.Released{Attempts: 3}),
	"paused":      released(driver.Released{Attempts: 3, Pause: time.Hour}),
	"failed":      released(driver.Released{Mark: driver.MarkFailed, Attempts: 5}),
	"quarantined": released(driver.Released{Mark: driver.MarkQuarantined}),
	"held":        acquire,
	"expired": func(t *testing.T, s *memstore.Store) driver.Claim {
		c := acquire(t, s)
		time.Sleep(2 * time.Hour) // in a bubble
		return c
	},
	"done": func(t *testing.T, s *memstore.Store) driver.Claim {
		c := acquire(t, s)
		if err := s.Complete(t.Context(), c, ""); err != nil {
			t.Fatal(err)
		}
		return c
	},
}

func released(as driver.Released) func(t *testing.T, s *memstore.Store) driver.Claim {
	return func(t *testing.T, s *memstore.Store) driver.Claim {
		c := acquire(t, s)
		if err := s.Release(t.Context(), c, as); err != nil {
			t.Fatal(err)
		}
		return c
	}
}

func keysOf(s *memstore.Store) change.Keys {
	return change.Keys{Claims: s, Events: s, Store: s, By: "me"}
}

// each runs a change on a key that begins so.
func each(t *testing.T, begin string, do func(t *testing.T, s *memstore.Store, was driver.Claim)) {
	t.Run(begin, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := memstore.New()
			do(t, s, begins[begin](t, s))
		})
	})
}

// expectFree checks that the next delivery runs the key as if nothing had happened before.
func expectFree(t *testing.T, s *memstore.Store, was driver.Claim) {
	t.Helper()
	c, err := s.Acquire(t.Context(), driver.Claim{Key: key, Owner: "next"}, time.Hour)
	if err != nil || c.Mark != driver.MarkNone || c.Attempts != 0 || c.Takeover || c.Token <= was.Token {
		t.Errorf("the next run's claim is %+v, %v, after %+v", c, err, was)
	}
}

func TestRelease(t *testing.T) {
	for begin, want := range map[string]error{"nothing": change.ErrNothing, "waiting": change.ErrNothing, "released": change.ErrNothing,
		"done": change.ErrNothing, "held": change.ErrUnderWay, "failed": nil, "quarantined": nil, "expired": nil,
		"tried": nil, "paused": nil} {
		each(t, begin, func(t *testing.T, s *memstore.Store, was driver.Claim) {
			before, _ := s.Inspect(t.Context(), key)
			err := keysOf(s).Release(t.Context(), key, false)
			if !errors.Is(err, want) || want == nil && err != nil {
				t.Fatalf("error %v, want %v", err, want)
			}
			if want == nil {
				expectFree(t, s, was)
				return
			}
			if after, _ := s.Inspect(t.Context(), key); !reflect.DeepEqual(after, before) {
				t.Errorf("refused, and %+v became %+v", before, after)
			}
		})
	}
}

func TestComplete(t *testing.T) {
	for begin, want := range map[string]error{"nothing": change.ErrNothing, "waiting": nil, "released": nil, "done": change.ErrNothing,
		"held": change.ErrUnderWay, "failed": nil, "quarantined": nil, "expired": nil, "tried": nil, "paused": nil} {
		each(t, begin, func(t *testing.T, s *memstore.Store, _ driver.Claim) {
			err := keysOf(s).Complete(t.Context(), key, false)
			if !errors.Is(err, want) || want == nil && err != nil {
				t.Fatalf("error %v, want %v", err, want)
			}
			if want != nil {
				return
			}
			k, err := s.Inspect(t.Context(), key)
			if d := k.Claims[0].Done; err != nil || d == nil || d.Outcome != driver.OutcomeOperator || !strings.HasPrefix(d.Owner, "operator-me-") {
				t.Errorf("%+v, %v", k.Claims, err)
			}
		})
	}
}

// TestForce takes the key from the run that is under way, which is told that it has lost it.
func TestForce(t *testing.T) {
	each(t, "held", func(t *testing.T, s *memstore.Store, was driver.Claim) {
		if err := keysOf(s).Release(t.Context(), key, true); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Renew(t.Context(), was, time.Hour); !errors.Is(err, driver.ErrLost) {
			t.Errorf("the run goes on: %v", err)
		}
		expectFree(t, s, was)
	})
	each(t, "held", func(t *testing.T, s *memstore.Store, _ driver.Claim) {
		if err := keysOf(s).Complete(t.Context(), key, true); err != nil {
			t.Fatal(err)
		}
		if k, err := s.Inspect(t.Context(), key); err != nil || k.Claims[0].Done.Outcome != driver.OutcomeOperator {
			t.Errorf("%+v, %v", k, err)
		}
	})
}

// TestEachFailureLeavesTheKeyAsItWas fails each call of the store, before it or after: the key keeps its
// mark, its attempts and its pause, and can be changed at once; where its lease had run out, when that of the change has.
func TestEachFailureLeavesTheKeyAsItWas(t *testing.T) {
	down := errors.New("the store is down")
	for _, begin := range []string{"failed", "quarantined", "expired", "paused"} {
		for n := 1; n <= 4; n++ {
			call, after := (n+1)/2, n%2 == 0
			each(t, begin, func(t *testing.T, s *memstore.Store, _ driver.Claim) {
				faults := drivertest.NewFaults(s)
				faults.Hook(func(c drivertest.Call) drivertest.Fault {
					switch {
					case c.Seq == call && after:
						return drivertest.Fault{After: drivertest.FailWith(down)}
					case c.Seq == call:
						return drivertest.Fault{Before: drivertest.FailWith(down)}
					}
					return drivertest.Fault{}
				})
				k := change.Keys{Claims: faults, Store: s, By: "me"}
				if err := k.Complete(t.Context(), key, false); !errors.Is(err, down) {
					t.Fatalf("call %d fails: %v", call, err)
				}
				if begin == "expired" {
					time.Sleep(2 * time.Minute) // in a bubble
				}
				next := driver.Claim{Key: key, Owner: "next"}
				if begin == "paused" && !(call == 2 && after) {
					later, is := errors.AsType[*driver.LaterError](errorOf(s.Acquire(t.Context(), next, time.Hour)))
					if !is || time.Until(later.Until) != time.Hour {
						t.Errorf("call %d fails (after it: %v): then the key is paused: %v", call, after, later)
					}
					time.Sleep(time.Hour)
				}
				c, err := s.Acquire(t.Context(), next, time.Hour)
				marked := c.Mark == driver.Mark(begin) || begin == "expired" && c.Takeover || begin == "paused" && c.Attempts == 3
				if call == 2 && after { // it was completed
					marked, err = errors.Is(err, driver.ErrDone), nil
				}
				if err != nil || !marked {
					t.Errorf("call %d fails (after it: %v): then the key is claimed as %+v, %v", call, after, c, err)
				}
			})
		}
	}
}

func errorOf(_ driver.Claim, err error) error { return err }

// late begins a run between the look at the key and the claim.
type late struct {
	*memstore.Store
	t *testing.T
}

func (l late) Inspect(ctx context.Context, key string) (driver.KeyState, error) {
	k, err := l.Store.Inspect(ctx, key)
	acquire(l.t, l.Store)
	return k, err
}

// TestForceSparesARunThatHasJustBegun: what was forced was another run.
func TestForceSparesARunThatHasJustBegun(t *testing.T) {
	each(t, "failed", func(t *testing.T, s *memstore.Store, _ driver.Claim) {
		k := change.Keys{Claims: s, Store: late{s, t}, By: "me"}
		if err := k.Release(t.Context(), key, true); !errors.Is(err, change.ErrUnderWay) {
			t.Errorf("%v", err)
		}
	})
}
