package joiner_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

type claim = driver.ClaimState

func TestStandingOf(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	all, either := joiner.MatchAll("a", "b"), joiner.MatchAny("a", "b")
	inAll, inEither := joiner.Join{Condition: all}, joiner.Join{Condition: either}
	claimed := func(c claim, sources ...string) driver.KeyState { return key(sources, c) }
	done := &driver.Completion{Outcome: driver.OutcomeExpired}
	for _, c := range []struct {
		name    string
		join    joiner.Join
		key     driver.KeyState
		want    joiner.State
		missing []string
		waits   string
	}{
		{"nothing has arrived", inAll, key(nil), joiner.Waiting, []string{"a", "b"}, "a, b"},
		{"one has arrived", inAll, key([]string{"a"}), joiner.Waiting, []string{"b"}, "b"},
		{"another's event has arrived", inAll, key([]string{"a", "other"}), joiner.Waiting, []string{"b"}, "b"},
		{"all have arrived", inAll, key([]string{"a", "b"}), joiner.Complete, nil, ""},
		{"released for a retry", inAll, claimed(claim{Token: 7}, "a", "b"), joiner.Complete, nil, ""},
		{"held", inAll, claimed(claim{Held: true, Expires: now.Add(1)}, "a", "b"), joiner.Held, nil, ""},
		{"its lease has run out", inAll, claimed(claim{Held: true, Expires: now}, "a", "b"), joiner.Expired, nil, ""},
		{"run again after it failed", inAll,
			claimed(claim{Held: true, Expires: now.Add(1), Mark: driver.MarkFailed}, "a", "b"), joiner.Held, nil, ""},
		{"failed", inAll, claimed(claim{Mark: driver.MarkFailed}, "a", "b"), joiner.Failed, nil, ""},
		{"failed, and an event is gone", inAll, claimed(claim{Mark: driver.MarkFailed}, "a"), joiner.Failed,
			[]string{"b"}, "b"},
		{"paused", inAll, claimed(claim{NotBefore: now.Add(1)}, "a", "b"), joiner.Paused, nil, ""},
		{"its pause has passed", inAll, claimed(claim{NotBefore: now}, "a", "b"), joiner.Complete, nil, ""},
		{"quarantined", inAll, claimed(claim{Mark: driver.MarkQuarantined}, "a", "b"), joiner.Quarantined, nil, ""},
		{"done, and the events are gone", inAll, claimed(claim{Done: done}), joiner.Done, []string{"a", "b"}, "a, b"},
		{"done in another scope", joiner.Join{Condition: all, Scope: "mine"}, claimed(claim{Done: done}, "a", "b"),
			joiner.Complete, nil, ""},
		{"one of two is enough", inEither, key([]string{"b"}), joiner.Complete, []string{"a"}, ""},
		{"neither of two", inEither, key(nil), joiner.Waiting, []string{"a", "b"}, "one of a, b"},
		{"decided, and the condition holds no more", joiner.Join{Condition: all.XOr(joiner.MatchAny("c")), Name: "x"},
			decided(key([]string{"a", "b", "c"}), "x"), joiner.Complete, nil, ""},
		{"another join is decided", joiner.Join{Condition: either.And(joiner.MatchNone("c")), Name: "x"},
			decided(key([]string{"a", "c"}), joiner.ComposedSource), joiner.Waiting, []string{"b"},
			"nothing any more: the condition excludes what has arrived"},
		{"the join without a name is decided", joiner.Join{Condition: either.And(joiner.MatchNone("c"))},
			decided(key([]string{"a", "c"}), joiner.ComposedSource), joiner.Complete, []string{"b"}, ""},
		{"no decision counts where all are needed", inAll, decided(key([]string{"a"}), joiner.ComposedSource),
			joiner.Waiting, []string{"b"}, "b"},
		{"sealed", inAll, sealed(key([]string{"a"}), "b"), joiner.Complete, []string{"b"}, ""},
		{"sealed in part", joiner.Join{Condition: joiner.MatchAll("a", "b", "c")}, sealed(key([]string{"a"}), "b"),
			joiner.Waiting, []string{"b", "c"}, "c"},
		{"sealed, and no event is left", inAll, sealed(key(nil), "a", "b"), joiner.Waiting, []string{"a", "b"}, "a, b"},
		{"no seal counts where not all are needed", inEither, sealed(key(nil), "a"), joiner.Waiting, []string{"a", "b"}, "one of a, b"},
		{"a condition of a user's own", joiner.Join{Condition: three{}}, key([]string{"a", "b"}), joiner.Waiting, nil,
			"the condition joiner_test.three"},
		{"a condition of a user's own holds", joiner.Join{Condition: three{}}, key([]string{"a", "b", "c"}),
			joiner.Complete, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.join.StandingOf(c.key, now)
			sealed := strings.HasPrefix(c.name, "sealed")
			if sealed != (len(got.Sealed) > 0) || sealed && !slices.Equal(got.Sealed, c.key.Sealed) {
				t.Errorf("sealed are %q", got.Sealed)
			}
			if got.State != c.want || got.WaitsFor != c.waits || !slices.Equal(got.Missing, c.missing) {
				t.Errorf("got %+v, want %s, missing %q, waits for %q", got, c.want, c.missing, c.waits)
			}
		})
	}
}

func key(sources []string, claims ...claim) driver.KeyState {
	k := driver.KeyState{Key: "order-1", Claims: claims}
	for _, source := range sources {
		k.Events = append(k.Events, driver.EventState{Source: source})
	}
	return k
}

func decided(k driver.KeyState, join string) driver.KeyState {
	k.Decided = []driver.Decision{{Join: join, Sources: []string{"a"}}}
	return k
}

func sealed(k driver.KeyState, sources ...string) driver.KeyState {
	k.Sealed = sources
	return k
}

// three is a condition that this package did not make.
type three struct{}

func (three) Evaluate(sources []string) bool { return len(sources) == 3 }

// TestJoinMessage: those who look at a key see the message that its joiner goes on with.
func TestJoinMessage(t *testing.T) {
	condition, store := joiner.MatchAll("a", "b"), memstore.New()
	var joined driver.Message
	p := driver.New(joiner.New(condition, store), driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
		joined = in
		return nil
	}))
	for source, content := range map[string]string{"a": "{}", "b": "text"} {
		if err := p.Process(t.Context(), driver.Message{ID: source, Key: "k", Source: source, Content: []byte(content)}); err != nil {
			t.Fatal(err)
		}
	}
	events, err := store.LookUpByKey(t.Context(), "k")
	if m := (joiner.Join{Condition: condition}).Message("k", events); err != nil || joined.Content == nil || !reflect.DeepEqual(m, joined) {
		t.Errorf("%+v, %v; the joiner went on with %+v", m, err, joined)
	}
}
