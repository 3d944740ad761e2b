package joiner_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

// joinedSources are those of a joined message.
func joinedSources(t *testing.T, m driver.Message) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(m.Content, &members); err != nil {
		t.Fatal(err)
	}
	return strings.Join(slices.Sorted(maps.Keys(members)), "")
}

// What was found complete once is what every later event leads to, whatever arrives.
func TestAJoinIsDecidedOnce(t *testing.T) {
	a, b, c := joiner.MatchAll("a"), joiner.MatchAll("b"), joiner.MatchAll("c")
	for name, test := range map[string]struct {
		condition joiner.Condition
		events    string // one letter each; the last of them completes the join
		later     string
		want      string
	}{
		"any":           {joiner.MatchAny("a", "b", "c"), "b", "abcb", "b"},
		"two of three":  {joiner.AtLeast(2, "a", "b", "c"), "ac", "bca", "ac"},
		"or":            {a.And(b).Or(c), "ab", "cab", "ab"},
		"xor":           {a.XOr(b).And(joiner.MatchAny("a", "b")), "a", "ba", "a"},
		"not":           {a.And(b, c.Not()), "ab", "cab", "ab"},
		"none":          {a.And(b, joiner.MatchNone("c")), "ba", "cba", "ab"},
		"all, listed":   {joiner.MatchAll("a", "b", "c").Or(), "abc", "abc", "abc"},
		"a user's own":  {own(func(s []string) bool { return len(s) == 2 }), "ab", "cab", "ab"},
		"with a user's": {joiner.MatchNone("c").And(own(func(s []string) bool { return len(s) == 2 })), "ab", "cab", "ab"},
	} {
		t.Run(name, func(t *testing.T) {
			j := joiner.New(test.condition, memstore.New())
			var events []driver.Message
			for _, source := range letters(test.events + test.later) {
				events = append(events, event(source, `"`+source+`"`))
			}
			first := len(test.events)
			if joined := run(t, j, events[:first-1]...); len(joined) != 0 {
				t.Fatalf("went on too early: %v", joined)
			}
			for i, m := range run(t, j, events[first-1:]...) {
				if got := joinedSources(t, m); got != test.want {
					t.Errorf("run %d: joined %s, want %s", i+1, got, test.want)
				}
			}
			if n := len(run(t, j, events[first:]...)); n != len(test.later) {
				t.Errorf("%d of %d later events led to the join", n, len(test.later))
			}
		})
	}
}

// A try that failed is not forgotten when the condition stops to hold.
func TestADecisionOutlivesItsCondition(t *testing.T) {
	failed := errors.New("out of stock, for now")
	tries := 0
	business := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
		tries++
		return failed
	})
	p := driver.New(joiner.New(joiner.MatchAll("a", "b").And(joiner.MatchNone("c")), memstore.New()), business)
	for i, source := range []string{"a", "b", "c", "b", "a"} {
		err := p.Process(t.Context(), event(source, "1"))
		if want := max(0, i); tries != want || errors.Is(err, failed) != (i > 0) {
			t.Errorf("event %d, %s: %v after %d tries, want %d", i+1, source, err, tries, want)
		}
	}
}

// A join leaves out the events of other joins of the key.
func TestOnlySourcesThatTheConditionNamesAreJoined(t *testing.T) {
	store := memstore.New()
	run(t, joiner.New(joiner.MatchAll("x", "y"), store), event("x", "1"))
	run(t, joiner.New(joiner.MatchAny("z"), store, joiner.Name("third")), event("z", "1"))
	for name, condition := range map[string]joiner.Condition{
		"any": joiner.MatchAny("a", "b"), "or": joiner.MatchAll("a").Or(joiner.MatchAll("b", "c")),
		"not": joiner.MatchAll("a").And(joiner.MatchAll("b").Not()), "at least": joiner.AtLeast(1, "a", "c"),
	} {
		joined := run(t, joiner.New(condition, store, joiner.Name(name)), event("a", "1"))
		if len(joined) != 1 || string(joined[0].Content) != `{"a":1}` {
			t.Errorf("%s: went on with %v", name, joined)
		}
	}
}

// Of two that decide at once, both go on with the same.
func TestTwoDecideAtOnce(t *testing.T) {
	store := memstore.New()
	condition := joiner.MatchAny("a", "b")
	var inner []driver.Message
	slow := &between{Store: store, hooks: map[string]func(){
		"before Decide": func() { inner = run(t, joiner.New(condition, store), event("b", "2")) },
	}}
	outer := run(t, joiner.New(condition, slow), event("a", "1"))
	if len(outer) != 1 || len(inner) != 1 || string(outer[0].Content) != string(inner[0].Content) || string(inner[0].Content) != `{"a":1,"b":2}` {
		t.Errorf("one goes on with %v, the other with %v", outer, inner)
	}
}

func TestKeepLastReplacesNothingOnceItIsDecided(t *testing.T) {
	store := memstore.New()
	j := joiner.New(joiner.MatchAny("event1", "event2"), store, joiner.OnConflict(joiner.KeepLast))
	joined := run(t, j, dated("event1", "1", `"first"`, 1), dated("event1", "2", `"later"`, 2), dated("event2", "3", `2`, 3), dated("event2", "4", `3`, 4))
	for _, m := range joined {
		if string(m.Content) != `{"event1":"first"}` {
			t.Errorf("went on with %s", m.Content)
		}
	}
	if kept, err := store.LookUp(t.Context(), "order-1", "event2"); len(joined) != 4 || err != nil || string(kept.Content) != "2" {
		t.Errorf("went on %d times, event2 is %s, %v", len(joined), kept.Content, err)
	}
}

// Where an operation fails, nobody knows whether the join is decided.
func TestKeepLastReplacesNothingWhereALookFails(t *testing.T) {
	for n := 1; ; n++ {
		store := memstore.New()
		faults := drivertest.NewFaults(store)
		j := joiner.New(joiner.MatchAny("event1", "event2"), faults, joiner.OnConflict(joiner.KeepLast))
		run(t, j, dated("event1", "1", `"first"`, 1))
		before := faults.Count(drivertest.OpAny)
		faults.Hook(func(c drivertest.Call) drivertest.Fault {
			if c.Seq == before+n {
				return drivertest.Fault{Before: drivertest.FailWith(errors.New("store is down"))}
			}
			return drivertest.Fault{}
		})
		err := driver.New(j).Process(t.Context(), dated("event1", "2", `"later"`, 2))
		if kept, lookErr := store.LookUp(t.Context(), "order-1", "event1"); lookErr != nil || string(kept.Content) != `"first"` {
			t.Errorf("operation %d fails: %v; then %s is kept, %v", n, err, kept.Content, lookErr)
		}
		if err == nil {
			return
		}
	}
}

// forgetful is a store from which events have been deleted.
type forgetful struct {
	*memstore.Store
	gone string
}

func (f forgetful) LookUp(ctx context.Context, key, source string) (driver.Message, error) {
	if source == f.gone {
		source = "nothing"
	}
	return f.Store.LookUp(ctx, key, source)
}

func TestADecidedEventThatIsGoneIsDeadLettered(t *testing.T) {
	store := memstore.New()
	condition := joiner.AtLeast(2, "a", "b", "c")
	run(t, joiner.New(condition, store), event("a", "1"), event("b", "2"))
	err := driver.New(joiner.New(condition, forgetful{store, "b"})).Process(t.Context(), event("c", "3"))
	if driver.ReasonOf(err) != driver.ReasonGone || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("got %v, want a permanent error that names b", err)
	}
}

// Two joins that feed a third.
func TestJoinersHaveNames(t *testing.T) {
	store := memstore.New()
	var joined []driver.Message
	end := driver.HandlerFunc(func(_ context.Context, m driver.Message, _ driver.Next) error {
		joined = append(joined, m)
		return nil
	})
	both := joiner.New(joiner.MatchAll("left", "right"), store, joiner.Name("both"))
	for _, p := range []struct{ name, one, other string }{{"left", "a", "b"}, {"right", "c", "d"}} {
		chain := driver.New(joiner.New(joiner.MatchAll(p.one, p.other), store, joiner.Name(p.name)), both, end)
		for _, source := range []string{p.one, p.other} {
			if err := chain.Process(t.Context(), event(source, `"`+source+`"`)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(joined) != 1 || string(joined[0].Content) != `{"left":{"a":"a","b":"b"},"right":{"c":"c","d":"d"}}` ||
		joined[0].Source != "both" || joined[0].ID != "both/order-1" {
		t.Errorf("went on with %+v", joined)
	}
}

// Without names, the third would take the second's message for other content of the first's, and drop it.
func TestJoinersOfOneNameDoNotFeedAThird(t *testing.T) {
	for _, name := range []string{joiner.ComposedSource, "half"} {
		store := memstore.New()
		third := joiner.New(joiner.AtLeast(2, name, "e"), store, joiner.Name("third"))
		half := func(sources ...string) *driver.Pipeline {
			return driver.New(joiner.New(joiner.MatchAll(sources...), store, joiner.Name(name)), third)
		}
		for _, source := range []string{"a", "b", "b"} {
			if err := half("a", "b").Process(t.Context(), event(source, "1")); err != nil {
				t.Fatal(err)
			}
		}
		right := half("c", "d")
		if err := right.Process(t.Context(), event("c", "2")); err != nil {
			t.Fatal(err)
		}
		err := right.Process(t.Context(), event("d", "2"))
		if !driver.IsPermanent(err) || !strings.Contains(err.Error(), `["a" "b"] and of ["c" "d"]`) || !strings.Contains(err.Error(), "joiner.Name") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Two joiners that decide under one name would each take the other's decision for theirs.
func TestTwoJoinersOfOneNameAreToldSo(t *testing.T) {
	store := memstore.New()
	run(t, joiner.New(joiner.MatchAny("a", "b"), store), event("a", "1"))
	err := driver.New(joiner.New(joiner.MatchAny("x", "y"), store)).Process(t.Context(), event("x", "1"))
	if !driver.IsPermanent(err) || !strings.Contains(err.Error(), `source "a"`) || !strings.Contains(err.Error(), "name") {
		t.Errorf("got %v", err)
	}
}

func TestWhatAJoinerNeedsOfItsStore(t *testing.T) {
	onlyEvents := struct{ driver.EventStore }{memstore.New()}
	for name, test := range map[string]struct {
		condition joiner.Condition
		store     driver.EventStore
		option    joiner.Option
		says      string // "": it is enough
	}{
		"all":              {joiner.MatchAll("a", "b").And(joiner.MatchAll("c")), onlyEvents, joiner.Name("x"), ""},
		"any":              {joiner.MatchAny("a", "b"), onlyEvents, joiner.Name("x"), "driver.Decider"},
		"any, and decides": {joiner.MatchAny("a", "b"), memstore.New(), joiner.Name("x"), ""},
		"own":              {own(func(s []string) bool { return len(s) > 1 }), onlyEvents, joiner.Name("x"), "driver.Decider"},
		"keeps the last":   {joiner.MatchAll("a"), onlyEvents, joiner.OnConflict(joiner.KeepLast), "driver.Replacer"},
		"no name":          {joiner.MatchAll("a"), memstore.New(), joiner.Name(""), "name"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				err, _ := recover().(error)
				if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
					t.Errorf("panic %v; want one about %q", err, test.says)
				}
			}()
			joiner.New(test.condition, test.store, test.option)
		})
	}
}
