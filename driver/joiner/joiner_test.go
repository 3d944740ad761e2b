package joiner_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

func event(source, content string) driver.Message {
	return driver.Message{ID: "id-" + source, Key: "order-1", Source: source, Content: []byte(content)}
}

// run joins events one after another and returns what the joiner went on with.
func run(t *testing.T, j *joiner.Joiner, events ...driver.Message) (joined []driver.Message) {
	t.Helper()
	last := driver.HandlerFunc(func(_ context.Context, m driver.Message, _ driver.Next) error {
		joined = append(joined, m)
		return nil
	})
	for _, e := range events {
		if err := driver.New(j, last).Process(t.Context(), e); err != nil {
			t.Fatalf("source %s: %v", e.Source, err)
		}
	}
	return joined
}

func TestJoinsInEveryOrder(t *testing.T) {
	want := `{"event1":{"a":1},"event2":{"b":2},"event3":{"c":3}}`
	events := []driver.Message{event("event1", `{"a":1}`), event("event2", `{"b":2}`), event("event3", `{"c":3}`)}
	conditions := map[string]joiner.Condition{
		"needed": joiner.MatchAll("event1", "event2", "event3"),
		"listed": joiner.MatchAll("event1", "event2", "event3").Or(),
		"of two": joiner.MatchAll("event1").And(joiner.MatchAll("event2", "event3")),
		"own":    own(func(s []string) bool { return len(s) == 3 }),
	}
	for name, condition := range conditions {
		for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
			for kind, store := range bothStores() {
				joined := run(t, joiner.New(condition, store), events[order[0]], events[order[1]], events[order[2]])
				if len(joined) != 1 || string(joined[0].Content) != want || joined[0].Key != "order-1" || joined[0].Source != joiner.ComposedSource {
					t.Errorf("%s, %s, order %v: went on with %v", name, kind, order, joined)
				}
			}
		}
	}
}

func TestRedeliveryAfterTheJoinGoesOnAgain(t *testing.T) {
	e1, e2 := event("event1", "1"), event("event2", "2")
	for kind, store := range bothStores() {
		joined := run(t, joiner.New(joiner.MatchAll("event1", "event2"), store), e1, e2, e1, e2)
		if len(joined) != 3 || joined[0].ID != joined[1].ID || string(joined[0].Content) != string(joined[2].Content) {
			t.Errorf("%s: went on with %v; want the same message three times, for the cache to make one", kind, joined)
		}
	}
}

func TestComposedContentKeepsJSONByteForByte(t *testing.T) {
	contents := map[string]string{
		"big":     `9007199254740993`,
		"spaced":  "{ \"b\" : 1.0e+2,\n\t\"a\":\"\\u00e9<&>\" , \"b\":2 }",
		"text":    `say "hi" <b>`,
		"empty":   ``,
		"binary":  "\xff\x00\xfe",
		"odd \"":  `null`,
		"unicode": "\"\u2028é😀\"",
	}
	var sources []string
	var events []driver.Message
	for source, content := range contents {
		sources = append(sources, source)
		events = append(events, event(source, content))
	}
	joined := run(t, joiner.New(joiner.MatchAll(sources...), memstore.New()), events...)
	if len(joined) != 1 {
		t.Fatalf("went on %d times", len(joined))
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(joined[0].Content, &got); err != nil {
		t.Fatalf("%s: %v", joined[0].Content, err)
	}
	want := map[string]string{"text": `"say \"hi\" \u003cb\u003e"`, "empty": `null`, "binary": `"/wD+"`}
	for source, content := range contents {
		expect := content
		if w, special := want[source]; special {
			expect = w
		}
		if string(got[source]) != expect {
			t.Errorf("%s: %s became %s; want %s", source, content, got[source], expect)
		}
	}
}

func TestComposedTimeIsTheLatest(t *testing.T) {
	e1, e2 := event("event1", "1"), event("event2", "2")
	e1.Time, e2.Time = time.Unix(200, 0), time.Unix(100, 0)
	joined := run(t, joiner.New(joiner.MatchAll("event1", "event2"), memstore.New()), e1, e2)
	if !joined[0].Time.Equal(e1.Time) {
		t.Errorf("time %v; want %v", joined[0].Time, e1.Time)
	}
}

func TestConflictPolicies(t *testing.T) {
	for kind, condition := range bothConditions {
		for name := range bothStores() {
			t.Run(kind+", "+name, func(t *testing.T) {
				testConflictPolicies(t, func(policy joiner.ConflictPolicy) *joiner.Joiner {
					return joiner.New(condition, bothStores()[name], joiner.OnConflict(policy))
				})
			})
		}
	}
}

func testConflictPolicies(t *testing.T, with func(joiner.ConflictPolicy) *joiner.Joiner) {
	first, second, other := event("event1", "first"), event("event1", "second"), event("event2", "2")
	joined := run(t, with(joiner.KeepFirst), first, second, other, second)
	for _, m := range joined {
		if string(m.Content) != `{"event1":"first","event2":2}` {
			t.Errorf("default: went on with %s; want the first content kept", m.Content)
		}
	}
	if len(joined) != 2 {
		t.Errorf("default: went on %d times; want it also for the other content, as for any redelivery", len(joined))
	}
	joined = run(t, with(joiner.KeepLast), first, second, other)
	if len(joined) != 1 || string(joined[0].Content) != `{"event1":"second","event2":2}` {
		t.Errorf("KeepLast: went on with %v", joined)
	}
	j := with(joiner.Reject)
	run(t, j, first, first, other) // the same content is no conflict
	err := driver.New(j).Process(t.Context(), second)
	if driver.ReasonOf(err) != driver.ReasonConflict || !errors.Is(err, driver.ErrConflict) || strings.Contains(err.Error(), "second") {
		t.Errorf("Reject: error %v; want a permanent conflict without the content", err)
	}
}

func TestKeepLastGoesByTheEventsTime(t *testing.T) {
	late, early := event("event1", "late"), event("event1", "early")
	late.Time, early.Time = time.Unix(200, 0), time.Unix(100, 0)
	joined := run(t, joiner.New(joiner.MatchAll("event1", "event2"), memstore.New(), joiner.OnConflict(joiner.KeepLast)),
		late, early, event("event2", "2"))
	if len(joined) != 1 || string(joined[0].Content) != `{"event1":"late","event2":2}` {
		t.Errorf("went on with %v; want the later event, though it arrived first", joined)
	}
}

func TestUnknownSourceAndMissingKeyArePermanent(t *testing.T) {
	j := joiner.New(joiner.MatchAll("event1", "event2"), memstore.New())
	err := driver.New(j).Process(t.Context(), event("event9", "x"))
	if driver.ReasonOf(err) != driver.ReasonUnknownSource || !strings.Contains(err.Error(), `"event9"`) || !strings.Contains(err.Error(), `"event2"`) {
		t.Errorf("unknown source: %v; want it named, and those that are known", err)
	}
	err = driver.New(j).Process(t.Context(), driver.Message{Source: "event1"})
	if driver.ReasonOf(err) != driver.ReasonNoKey {
		t.Errorf("no key: %v", err)
	}
	err = driver.New(j).Process(t.Context(), driver.Message{Key: "k"})
	if driver.ReasonOf(err) != driver.ReasonUnknownSource {
		t.Errorf("no source: %v", err)
	}
}

// order is a store that notes the calls on it, and lets one be held up.
type watched struct {
	driver.EventStore
	mu     sync.Mutex
	calls  []string
	before func(call string) error
}

func (w *watched) note(call string) error {
	w.mu.Lock()
	w.calls = append(w.calls, call)
	w.mu.Unlock()
	if w.before != nil {
		return w.before(call)
	}
	return nil
}

func (w *watched) Persist(ctx context.Context, m driver.Message) error {
	if err := w.note("Persist " + m.Source); err != nil {
		return err
	}
	return w.EventStore.Persist(ctx, m)
}

func (w *watched) LookUp(ctx context.Context, key, source string) (driver.Message, error) {
	m, err := w.EventStore.LookUp(ctx, key, source)
	if err2 := w.note("LookUp " + source); err2 != nil {
		return m, err2
	}
	return m, err
}

// Two events look for each other before either is kept. Without the second look
// both would find the join incomplete, and the order would be lost.
func TestSecondLookSeesAnEventThatArrivedAtTheSameTime(t *testing.T) {
	w := &watched{EventStore: memstore.New()}
	var looked sync.WaitGroup
	looked.Add(2)
	var once sync.Map
	w.before = func(call string) error {
		if kind, source, _ := strings.Cut(call, " "); kind == "LookUp" {
			if _, again := once.LoadOrStore(source, true); !again {
				looked.Done()
			}
		} else {
			looked.Wait() // both have looked before either is kept
		}
		return nil
	}
	j := joiner.New(joiner.MatchAll("event1", "event2"), w)
	joined := make(chan driver.Message, 2)
	last := driver.HandlerFunc(func(_ context.Context, m driver.Message, _ driver.Next) error { joined <- m; return nil })
	p := driver.New(j, last)
	first, second := p.ProcessAsync(t.Context(), event("event1", "1")), p.ProcessAsync(t.Context(), event("event2", "2"))
	if err := errors.Join(<-first, <-second); err != nil {
		t.Fatal(err)
	}
	if len(joined) == 0 {
		t.Fatal("neither event saw the join complete: the order is lost")
	}
	i := slices.Index(w.calls, "Persist event1")
	if i < 0 || len(w.calls) < 5 {
		t.Errorf("calls %v: the test did not make both look twice", w.calls)
	}
}
