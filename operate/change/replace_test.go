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

var wrong = driver.Message{ID: "1", Key: key, Source: "event1", Content: []byte("wrong"), MediaType: "text/plain", Time: time.Unix(1, 0).UTC(),
	Attributes: map[string]string{"a": "b"}}

func anything(_ context.Context, m driver.Message) (driver.Message, error) { return m, nil }

// persisted keeps the wrong event of a key that begins as it does.
func persisted(t *testing.T, s *memstore.Store) {
	t.Helper()
	if err := s.Persist(t.Context(), wrong); err != nil && !errors.Is(err, driver.ErrConflict) {
		t.Fatal(err)
	}
}

// replaced replaces the event.
func replaced(t *testing.T, k change.Keys, source string, force bool) error {
	r, err := k.Prepare(t.Context(), key, source, []byte("right"), "", anything)
	if err != nil {
		return err
	}
	return k.Replace(t.Context(), r, "it was wrong", force)
}

func TestReplace(t *testing.T) {
	for begin, want := range map[string]error{"released": nil, "failed": nil, "quarantined": nil, "expired": nil, "nothing": nil,
		"held": change.ErrUnderWay, "done": change.ErrNothing} {
		each(t, begin, func(t *testing.T, s *memstore.Store, was driver.Claim) {
			persisted(t, s)
			before, _ := s.Inspect(t.Context(), key)
			if err := replaced(t, keysOf(s), "event1", false); !errors.Is(err, want) || want == nil && err != nil {
				t.Fatalf("error %v, want %v", err, want)
			}
			after, err := s.Inspect(t.Context(), key)
			if want != nil {
				if !reflect.DeepEqual(after, before) {
					t.Errorf("refused, and %+v became %+v", before, after)
				}
				return
			}
			expectFree(t, s, was)
			kept, errLook := s.LookUp(t.Context(), key, "event1")
			if err := errors.Join(err, errLook); err != nil || len(after.Events[0].Corrections) != 1 {
				t.Fatalf("%+v, %v", after, err)
			}
			wanted := wrong
			wanted.Content = []byte("right")
			if !reflect.DeepEqual(kept, wanted) || !after.FirstKept().Equal(before.FirstKept()) {
				t.Errorf("%+v is kept since %v, want %+v since %v", kept, after.FirstKept(), wanted, before.FirstKept())
			}
			c := after.Events[0].Corrections[0]
			if old, err := s.ReadCorrected(t.Context(), c.Ref); err != nil || string(old.Content) != "wrong" || c.By != "me" || c.Why != "it was wrong" || c.Time.IsZero() {
				t.Errorf("the history is %+v; %s, %v", c, old.Content, err)
			}
		})
	}
}

// TestReplaceOfARunUnderWay: with force the run loses the key.
func TestReplaceOfARunUnderWay(t *testing.T) {
	each(t, "held", func(t *testing.T, s *memstore.Store, was driver.Claim) {
		persisted(t, s)
		if err := replaced(t, keysOf(s), "event1", true); err != nil {
			t.Fatal(err)
		}
		if err := s.Complete(t.Context(), was, ""); !errors.Is(err, driver.ErrLost) {
			t.Errorf("the run completes the key: %v", err)
		}
		expectFree(t, s, was)
	})
}

// TestReplaceOfARunThatFailsMeanwhile: what the run says of the event as it was does not keep the key from
// being run.
func TestReplaceOfARunThatFailsMeanwhile(t *testing.T) {
	for _, said := range []driver.Released{{Mark: driver.MarkFailed, Attempts: 1}, {Mark: driver.MarkQuarantined}, {Pause: time.Hour, Attempts: 1}} {
		each(t, "held", func(t *testing.T, s *memstore.Store, was driver.Claim) {
			persisted(t, s)
			k := keysOf(s)
			k.Settle = change.Settle
			time.AfterFunc(change.Settle/2, func() {
				if err := s.Release(t.Context(), was, said); err != nil {
					t.Error(err)
				}
			})
			if err := replaced(t, k, "event1", true); err != nil {
				t.Fatal(err)
			}
			expectFree(t, s, was)
		})
	}
}

// TestReplaceRefuses says what to do instead, and changes nothing.
func TestReplaceRefuses(t *testing.T) {
	refuses := errors.New("no JSON")
	for name, c := range map[string]struct {
		source, content, says string
		check                 func(context.Context, driver.Message) (driver.Message, error)
		want                  error
	}{
		"missing":  {"event2", "right", "publish it instead", anything, driver.ErrNotFound},
		"the same": {"event1", "wrong", "the content that is kept", anything, change.ErrNothing},
		"refused": {"event1", "right", "would not take", func(_ context.Context, m driver.Message) (driver.Message, error) { return m, refuses },
			refuses},
		"sealed": {"event3", "right", "deadline", anything, change.ErrNothing},
	} {
		t.Run(name, func(t *testing.T) {
			s := memstore.New()
			persisted(t, s)
			if _, err := s.Seal(t.Context(), key, "event3"); err != nil {
				t.Fatal(err)
			}
			_, err := keysOf(s).Prepare(t.Context(), key, c.source, []byte(c.content), "", c.check)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; it should say %q", err, c.says)
			}
		})
	}
	s := memstore.New()
	k := keysOf(s)
	k.Events = struct{ driver.EventStore }{s}
	persisted(t, s)
	if err := replaced(t, k, "event1", false); !errors.Is(err, change.ErrCannot) {
		t.Errorf("a store that can't: %v", err)
	}
}

// TestReplaceOfWhatNobodyHasSeen: another operator was faster.
func TestReplaceOfWhatNobodyHasSeen(t *testing.T) {
	s := memstore.New()
	persisted(t, s)
	k := keysOf(s)
	r, err := k.Prepare(t.Context(), key, "event1", []byte("right"), "application/json", anything)
	if err != nil || r.Now.MediaType != "application/json" {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := replaced(t, k, "event1", false); err != nil {
		t.Fatal(err)
	}
	if err := k.Replace(t.Context(), r, "it was wrong", false); !errors.Is(err, change.ErrNothing) || !strings.Contains(err.Error(), "look again") {
		t.Errorf("%v", err)
	}
}

// TestReplaceKeepsTheKeyForAWhile: a delivery under way finds it held.
func TestReplaceKeepsTheKeyForAWhile(t *testing.T) {
	each(t, "failed", func(t *testing.T, s *memstore.Store, _ driver.Claim) {
		persisted(t, s)
		k := keysOf(s)
		k.Settle = change.Settle
		done := make(chan error)
		go func() { done <- replaced(t, k, "event1", false) }()
		time.Sleep(change.Settle - time.Second) // in a bubble
		if kept, err := s.LookUp(t.Context(), key, "event1"); err != nil || string(kept.Content) != "right" {
			t.Errorf("%s, %v", kept.Content, err)
		}
		if _, err := s.Acquire(t.Context(), driver.NewClaim(key), time.Hour); !errors.Is(err, driver.ErrHeld) {
			t.Errorf("a delivery under way: %v", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// everyCallFails runs a change whose calls fail, one after another, before they are done or after.
func everyCallFails(t *testing.T, run func(t *testing.T, faults *drivertest.Faults, s *memstore.Store) error, check func(t *testing.T, s *memstore.Store, err error)) {
	down := errors.New("the store is down")
	for n, failed := 2, true; failed; n++ {
		call, after := n/2, n%2 == 0
		each(t, "failed", func(t *testing.T, s *memstore.Store, _ driver.Claim) {
			persisted(t, s)
			failed = false
			faults := drivertest.NewFaults(s)
			faults.Hook(func(c drivertest.Call) drivertest.Fault {
				if c.Seq != call {
					return drivertest.Fault{}
				}
				failed = true
				if after {
					return drivertest.Fault{After: drivertest.FailWith(down)}
				}
				return drivertest.Fault{Before: drivertest.FailWith(down)}
			})
			check(t, s, run(t, faults, s))
		})
	}
}

// TestEachFailureOfReplace: the event is the old one or the new one; the key keeps its mark, or is released.
func TestEachFailureOfReplace(t *testing.T) {
	everyCallFails(t, func(t *testing.T, faults *drivertest.Faults, s *memstore.Store) error {
		return replaced(t, change.Keys{Claims: faults, Events: s, Store: s, By: "me"}, "event1", false)
	}, func(t *testing.T, s *memstore.Store, err error) {
		kept, errLook := s.LookUp(t.Context(), key, "event1")
		k, errInspect := s.Inspect(t.Context(), key)
		if errLook != nil || errInspect != nil || len(k.Events[0].Corrections) != map[string]int{"wrong": 0, "right": 1}[string(kept.Content)] {
			t.Fatalf("%q, %+v: %v, %v", kept.Content, k, errLook, errInspect)
		}
		if c := k.Claim(""); c.Held || c.Mark != driver.MarkFailed && string(kept.Content) == "wrong" {
			t.Errorf("after %v, %q is kept, and the key stands as %+v", err, kept.Content, c)
		}
		if err == nil && string(kept.Content) != "right" {
			t.Errorf("it succeeded, and %q is kept", kept.Content)
		}
	})
}

// TestPurge: nothing is left, whoever had the key.
func TestPurge(t *testing.T) {
	for begin, want := range map[string]error{"nothing": change.ErrNothing, "waiting": nil, "released": nil, "failed": nil, "quarantined": nil,
		"expired": nil, "done": nil, "held": change.ErrUnderWay} {
		for _, scopes := range [][]string{nil, {"a", "b"}} {
			if begin == "nothing" && scopes != nil {
				continue
			}
			each(t, begin, func(t *testing.T, s *memstore.Store, was driver.Claim) {
				for _, scope := range scopes {
					if _, err := s.Acquire(t.Context(), driver.Claim{Scope: scope, Key: key, Owner: scope}, 1); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Second) // in a bubble: these run out
				before, _ := s.Inspect(t.Context(), key)
				if err := keysOf(s).Purge(t.Context(), key, false); !errors.Is(err, want) || want == nil && err != nil {
					t.Fatalf("error %v, want %v", err, want)
				}
				after, err := s.Inspect(t.Context(), key)
				switch {
				case want != nil && !reflect.DeepEqual(after, before):
					t.Errorf("refused, and %+v became %+v", before, after)
				case want == nil && !errors.Is(err, driver.ErrNotFound):
					t.Errorf("%+v, %v is left", after, err)
				case want == nil:
					expectFree(t, s, was)
				}
			})
		}
	}
}

// TestPurgeOfARunInAnotherScope changes nothing. Where that run begins only when the key is being completed,
// the error says so.
func TestPurgeOfARunInAnotherScope(t *testing.T) {
	type claims struct {
		driver.ClaimStore
		driver.Purger
	}
	for _, known := range []bool{true, false} {
		each(t, "released", func(t *testing.T, s *memstore.Store, _ driver.Claim) {
			persisted(t, s)
			run := func(owner string) {
				if _, err := s.Acquire(t.Context(), driver.Claim{Scope: "b", Key: key, Owner: owner}, time.Minute); err != nil {
					t.Error(err)
				}
			}
			run("a run")
			faults := drivertest.NewFaults(s)
			if !known {
				time.Sleep(time.Hour) // in a bubble: it has vanished
				faults.Hook(func(c drivertest.Call) drivertest.Fault {
					if c.Seq == 1 {
						run("another")
					}
					return drivertest.Fault{}
				})
			}
			k := keysOf(s)
			k.Claims = claims{faults, s}
			err := k.Purge(t.Context(), key, false)
			state, errInspect := s.Inspect(t.Context(), key)
			if !errors.Is(err, change.ErrUnderWay) || errInspect != nil || len(state.Events) != 1 {
				t.Fatalf("%v, and then %+v, %v", err, state, errInspect)
			}
			halfWay := strings.Contains(err.Error(), "purge it again")
			if isDone := state.Claim("").Done != nil; isDone == known || halfWay != isDone {
				t.Errorf("the run is known: %v; %v, and the other scope is completed: %v", known, err, isDone)
			}
		})
	}
}

// TestPurgeOfARunUnderWay: with force the run loses the key.
func TestPurgeOfARunUnderWay(t *testing.T) {
	each(t, "held", func(t *testing.T, s *memstore.Store, was driver.Claim) {
		persisted(t, s)
		if err := keysOf(s).Purge(t.Context(), key, true); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Renew(t.Context(), was, time.Hour); !errors.Is(err, driver.ErrLost) {
			t.Errorf("the run goes on: %v", err)
		}
		expectFree(t, s, was)
	})
}

// TestPurgeOfLettersAlone claims no key that was never there.
func TestPurgeOfLettersAlone(t *testing.T) {
	s := memstore.New()
	if err := s.AddDeadLetter(t.Context(), driver.DeadLetter{Key: key}); err != nil {
		t.Fatal(err)
	}
	k := keysOf(s)
	k.Claims = struct {
		driver.ClaimStore
		driver.Purger
	}{nil, s} // a call would panic
	if err := k.Purge(t.Context(), key, false); err != nil || len(s.DeadLetters()) > 0 {
		t.Errorf("%v, and %d letters are left", err, len(s.DeadLetters()))
	}
	k.Events = struct{ driver.EventStore }{s}
	if err := k.Purge(t.Context(), key, false); !errors.Is(err, change.ErrCannot) {
		t.Errorf("a store that can't: %v", err)
	}
}

// TestPurgeLeavesTheKeyClosedForAWhile: a delivery that has read the events before, and claims the key late,
// runs nothing.
func TestPurgeLeavesTheKeyClosedForAWhile(t *testing.T) {
	each(t, "failed", func(t *testing.T, s *memstore.Store, _ driver.Claim) {
		persisted(t, s)
		k := keysOf(s)
		k.Settle = change.Settle
		done := make(chan error)
		go func() { done <- k.Purge(t.Context(), key, false) }()
		synctest.Wait()
		if _, err := s.LookUp(t.Context(), key, "event1"); !errors.Is(err, driver.ErrNotFound) {
			t.Errorf("the event: %v", err)
		}
		if _, err := s.Acquire(t.Context(), driver.NewClaim(key), time.Hour); !errors.Is(err, driver.ErrDone) {
			t.Errorf("a delivery under way: %v", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestEachFailureOfPurge: the key keeps its mark, or is closed, or gone; and it can be purged again.
func TestEachFailureOfPurge(t *testing.T) {
	type both struct {
		driver.ClaimStore
		driver.Purger
	}
	everyCallFails(t, func(t *testing.T, faults *drivertest.Faults, s *memstore.Store) error {
		return change.Keys{Claims: both{faults, s}, Events: s, Store: s, By: "me"}.Purge(t.Context(), key, false)
	}, func(t *testing.T, s *memstore.Store, err error) {
		k, errInspect := s.Inspect(t.Context(), key)
		c := k.Claim("")
		switch closed := c.Done != nil; {
		case errors.Is(errInspect, driver.ErrNotFound):
			return
		case !closed && (c.Held || c.Mark != driver.MarkFailed || len(k.Events) != 1):
			t.Errorf("after %v: %+v", err, k)
		}
		if err := keysOf(s).Purge(t.Context(), key, false); err != nil {
			t.Errorf("again: %v", err)
		}
	})
}
