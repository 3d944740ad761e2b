package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

var join = joiner.Join{Condition: joiner.MatchAll("event1", "event2")}

// TestAnswer: each state has its own sentence about what to do.
func TestAnswer(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	one := []driver.EventState{{Source: "event1"}}
	both := append(slices.Clone(one), driver.EventState{Source: "event2"})
	of := func(events []driver.EventState, c driver.ClaimState) driver.KeyState {
		return driver.KeyState{Key: "order-1", Events: events, Claims: []driver.ClaimState{c}}
	}
	corrupt := []driver.LetterRef{{Reason: driver.ReasonCorrupt, Added: now}}
	completed := func(outcome driver.Outcome, when time.Time) driver.KeyState {
		k := of(both, driver.ClaimState{Token: 3, Done: &driver.Completion{Outcome: outcome, Time: when}})
		k.Letters = corrupt
		return k
	}
	said := make(map[string]bool)
	for _, c := range []struct {
		name string
		key  driver.KeyState
		want joiner.State
		says string
	}{
		{"nothing", driver.KeyState{}, None, "Nothing is kept"},
		{"a letter alone", driver.KeyState{Letters: []driver.LetterRef{{Ref: "1"}}}, None, "Nothing but dead letters"},
		{"one event", driver.KeyState{Events: one}, joiner.Waiting, "It waits for event2"},
		{"both", driver.KeyState{Events: both}, joiner.Complete, "All events are there"},
		{"corrupt", driver.KeyState{Events: both, Letters: []driver.LetterRef{{Reason: driver.ReasonCorrupt},
			{Reason: driver.ReasonConflict}}}, joiner.Complete, "dead-lettered as corrupt before a run began"},
		{"too large", driver.KeyState{Events: both, Letters: []driver.LetterRef{{Reason: driver.ReasonTooLarge}}}, joiner.Complete,
			"dead-lettered as too-large"},
		{"to be tried again", of(both, driver.ClaimState{Token: 3}), joiner.Complete, "The last run failed"},
		{"opened by an operator", of(both, driver.ClaimState{Token: 3, Owner: driver.NewOperator("me")}), joiner.Complete, "An operator opened it"},
		{"sealed", driver.KeyState{Events: one, Sealed: []string{"event2"}}, joiner.Complete,
			"Its deadline has passed, and the events of event2 are awaited no more: the next sweep"},
		{"sealed, without an event", driver.KeyState{Sealed: []string{"event1", "event2"}}, joiner.Waiting,
			"no event is left"},
		{"held", of(both, driver.ClaimState{Token: 3, Held: true, Expires: now.Add(1)}), joiner.Held,
			"at 2026-01-02T03:04:05Z; then the next delivery takes over, or dead-letters"},
		{"expired", of(both, driver.ClaimState{Token: 3, Held: true, Expires: now}), joiner.Expired, "takes over"},
		{"failed", of(both, driver.ClaimState{Token: 3, Mark: driver.MarkFailed}), joiner.Failed, "no retry can help"},
		{"failed too often", of(both, driver.ClaimState{Token: 3, Mark: driver.MarkFailed, Attempts: 5}), joiner.Failed, "failed 5 times"},
		{"tried twice", of(both, driver.ClaimState{Token: 3, Attempts: 2}), joiner.Complete, "failed (attempt 2) and"},
		{"paused", of(both, driver.ClaimState{Token: 3, Attempts: 1, NotBefore: now.Add(time.Hour)}), joiner.Paused,
			"comes back at 2026-01-02T04:04:05Z"},
		{"quarantined", of(both, driver.ClaimState{Token: 3, Mark: driver.MarkQuarantined}), joiner.Quarantined, "release"},
		{"opened by an operator, and corrupt", driver.KeyState{Events: both, Letters: corrupt, Claims: []driver.ClaimState{{Token: 3,
			Owner: driver.NewOperator("me")}}}, joiner.Complete, "the next is dead-lettered as corrupt"},
		{"completed by an operator, and corrupt", completed(driver.OutcomeOperator, now.Add(time.Hour)), joiner.Done,
			"one that comes again is dead-lettered as corrupt"},
		{"processed, and corrupt since", completed(driver.OutcomeProcessed, now.Add(-time.Hour)), joiner.Done,
			"one that comes again is dead-lettered as corrupt"},
		{"processed after it was corrupt", completed(driver.OutcomeProcessed, now.Add(time.Hour)), joiner.Done,
			"(processed), and duplicates are acknowledged"},
		{"done", of(nil, driver.ClaimState{Token: 3, Done: &driver.Completion{Outcome: "operator"}}), joiner.Done, "(operator)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := answer(join, c.key, now)
			if a.State != c.want || !strings.Contains(a.Next, c.says) || said[a.Next] {
				t.Errorf("%s: %q; want %s, a sentence of its own about %q", a.State, a.Next, c.want, c.says)
			}
			said[a.Next] = true
		})
	}
}

func event(key, source string) driver.Message {
	return driver.Message{ID: source + " of " + key, Key: key, Source: source, Content: []byte("content"), MediaType: "text/plain"}
}

// TestWhyTellsAllThatIsKept: each source, present or missing, the claim and the letters.
func TestWhyTellsAllThatIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, ctx := memstore.New(), t.Context()
		began := time.Now()
		c := driver.Claim{Key: "order-1", Owner: "me"}
		_, errClaim := store.Acquire(ctx, c, time.Minute)
		if err := errors.Join(store.Persist(ctx, event("order-1", "event2")), store.Persist(ctx, event("order-1", "other")), errClaim,
			store.AddDeadLetter(ctx, driver.DeadLetter{Key: "order-1", Reason: driver.ReasonConflict, Source: "event2", ID: "7"})); err != nil {
			t.Fatal(err)
		}
		a, err := Function{store, join}.Why(ctx, "order-1")
		if err != nil || len(a.Sources) != 3 || len(a.Letters) != 1 || a.Claim == nil {
			t.Fatalf("%+v, %v", a, err)
		}
		missing, kept, other := a.Sources[0], a.Sources[1], a.Sources[2]
		if missing.Name != "event1" || missing.Arrived || missing.Kept != nil || missing.Unjoined {
			t.Errorf("missing: %+v", missing)
		}
		if kept.Name != "event2" || !kept.Arrived || !kept.Kept.Equal(began) || kept.Size != 7 || kept.MediaType != "text/plain" ||
			kept.ID != "event2 of order-1" || kept.Unjoined {
			t.Errorf("kept: %+v", kept)
		}
		if other.Name != "other" || !other.Arrived || !other.Unjoined {
			t.Errorf("other: %+v", other)
		}
		if a.State != joiner.Held || a.Claim.Owner != "me" || a.Claim.Token != 1 || !a.Claim.Expires.Equal(began.Add(time.Minute)) {
			t.Errorf("%s, claim %+v", a.State, a.Claim)
		}
		if l := a.Letters[0]; l.Reason != driver.ReasonConflict || l.ID != "7" || !l.Added.Equal(began) {
			t.Errorf("letter %+v", l)
		}
		if a, err := (Function{store, join}).Why(ctx, "order-2"); err != nil || a.State != None || a.Key != "order-2" {
			t.Errorf("a key of which nothing is kept: %+v, %v", a, err)
		}
		if _, err := (Function{store, join}).Why(ctx, ""); !errors.Is(err, driver.ErrNoKey) {
			t.Errorf("an empty key: %v", err)
		}
	})
}

// fill has n keys wait for event2, a minute apart, and as many be done; then one fails.
func fill(t *testing.T, store *memstore.Store, n int) {
	t.Helper()
	var errs []error
	for i := range n {
		key := fmt.Sprintf("order-%04d", (i*7)%n) // so that the oldest are not the first by name
		errs = append(errs, store.Persist(t.Context(), event(key, "event1")))
		c, err := store.Acquire(t.Context(), driver.Claim{Key: "done-" + key, Owner: "me"}, time.Hour)
		errs = append(errs, err, store.Complete(t.Context(), c, ""))
		time.Sleep(time.Minute)
	}
	c, err := store.Acquire(t.Context(), driver.Claim{Key: "poison", Owner: "me"}, time.Hour)
	errs = append(errs, err, store.Persist(t.Context(), event("poison", "event2")), store.Release(t.Context(), c, driver.Released{Mark: driver.MarkFailed}))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		fill(t, store, 100)
		began := time.Now().Add(-100 * time.Minute)
		f, pages := Function{store, join}, 0
		l, err := f.Waiting(t.Context(), Query{Limit: 3, Page: 10, Progress: func(List) { pages++ }})
		if err != nil || l.Seen != 201 || l.Found != 101 || l.Cursor != "" || l.Share != 1 || pages != 20 {
			t.Errorf("%+v in %d pages, %v", l, pages, err)
		}
		want := []Count{{joiner.Waiting, "event2", 100}, {joiner.Failed, "", 1}}
		if !slices.Equal(l.Counts, want) {
			t.Errorf("counts %v, want %v", l.Counts, want)
		}
		for i, key := range []string{"order-0000", "order-0007", "order-0014"} {
			if len(l.Oldest) != 3 || l.Oldest[i].Key != key || !l.Oldest[i].Since.Equal(began.Add(time.Duration(i)*time.Minute)) {
				t.Errorf("oldest %+v", l.Oldest)
			}
		}
		for name, c := range map[string]struct {
			query Query
			want  int
		}{
			"old":              {Query{OlderThan: 51 * time.Minute}, 49}, // kept 100, 99, … 52 minutes ago
			"of a source":      {Query{For: "event1"}, 1},
			"of another":       {Query{For: "event2"}, 100},
			"in a state":       {Query{States: []joiner.State{joiner.Failed, joiner.Held}}, 1},
			"of no such state": {Query{States: []joiner.State{joiner.Held}}, 0},
		} {
			if l, err := f.Waiting(t.Context(), c.query); err != nil || l.Found != c.want || len(l.Oldest) != 0 {
				t.Errorf("%s: found %d, %v; want %d", name, l.Found, err, c.want)
			}
		}
	})
}

// TestWaitingGoesOn: what a call that was interrupted leaves, another finds from its cursor.
func TestWaitingGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		fill(t, store, 100)
		ctx, cancel := context.WithCancel(t.Context())
		first, err := Function{store, join}.Waiting(ctx, Query{Page: 40, Progress: func(l List) {
			if l.Seen == 120 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) || first.Seen != 120 || first.Cursor == "" || first.Share >= 1 {
			t.Fatalf("%+v, %v", first, err)
		}
		rest, err := Function{store, join}.Waiting(t.Context(), Query{Cursor: first.Cursor, Page: 40})
		if err != nil || first.Seen+rest.Seen != 201 || first.Found+rest.Found != 101 || rest.Cursor != "" {
			t.Errorf("first %+v, then %+v, %v", first, rest, err)
		}
	})
}

// failing fails after each page that it has found, and also before it where hard.
type failing struct {
	driver.Inspector
	hard bool
}

var errDown = errors.New("the store is down")

func (f failing) ListKeys(ctx context.Context, q driver.KeyQuery) (driver.KeyPage, error) {
	if f.hard && q.Cursor != "" {
		return driver.KeyPage{Next: q.Cursor}, errDown
	}
	page, err := f.Inspector.ListKeys(ctx, q)
	return page, errors.Join(err, errDown)
}

// TestWaitingGetsOnWhileTheStoreDoes: a failure that follows on a part of a page is no reason to stop.
func TestWaitingGetsOnWhileTheStoreDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		fill(t, store, 20)
		l, err := Function{failing{store, false}, join}.Waiting(t.Context(), Query{Page: 7})
		if err != nil || l.Seen != 41 || l.Found != 21 {
			t.Errorf("%+v, %v", l, err)
		}
		l, err = Function{failing{store, true}, join}.Waiting(t.Context(), Query{Page: 7})
		if !errors.Is(err, errDown) || l.Seen != 7 || l.Cursor == "" {
			t.Errorf("%+v, %v", l, err)
		}
	})
}
