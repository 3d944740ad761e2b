package joiner_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

// dated is an event of a time; 0: of none.
func dated(source, id, content string, seconds int) driver.Message {
	m := driver.Message{ID: id, Key: "order-1", Source: source, Content: []byte(content)}
	if seconds > 0 {
		m.Time = time.Unix(int64(seconds), 0).UTC()
	}
	return m
}

var bothConditions = map[string]joiner.Condition{
	"needed":  joiner.MatchAll("event1", "event2"),
	"decided": joiner.AtLeast(2, "event1", "event2", "event3"),
}

// permute calls fn with the events in every order.
func permute(events []driver.Message, fn func([]driver.Message)) {
	if len(events) < 2 {
		fn(events)
		return
	}
	for i := range events {
		rest := slices.Delete(slices.Clone(events), i, i+1)
		permute(rest, func(order []driver.Message) { fn(append([]driver.Message{events[i]}, order...)) })
	}
}

func TestKeepLastIsTheSameInEveryOrder(t *testing.T) {
	for name, events := range map[string][]driver.Message{
		`"last"`: {dated("event1", "1", `"first"`, 1), dated("event1", "2", `"other"`, 3), dated("event1", "3", `"last"`, 5)},
		`"A"`:    {dated("event1", "same", `"A"`, 1), dated("event1", "same", `"B"`, 3), dated("event1", "same", `"A"`, 5)},
		`"B"`:    {dated("event1", "same", `"A"`, 0), dated("event1", "same", `"B"`, 3), dated("event1", "same", `"A"`, 1), dated("event1", "2", `"A"`, 0)},
	} {
		for kind, condition := range bothConditions {
			permute(append(events, events[0]), func(order []driver.Message) {
				j := joiner.New(condition, memstore.New(), joiner.OnConflict(joiner.KeepLast))
				joined := run(t, j, append(slices.Clone(order), event("event2", "2"))...)
				if want := fmt.Sprintf(`{"event1":%s,"event2":2}`, name); len(joined) != 1 || string(joined[0].Content) != want {
					t.Errorf("%s, order %v: joined %v, want %s", kind, order, joined, want)
				}
			})
		}
	}
}

// Without times the last is the one that arrived last, and a redelivery does not arrive.
func TestKeepLastWithoutTimesKnowsRedeliveries(t *testing.T) {
	a, b, c := dated("event1", "1", `"c"`, 0), dated("event1", "1", `"b"`, 0), dated("event1", "1", `"a"`, 0)
	again := dated("event1", "2", `"c"`, 0) // says what the first did, and is another event
	for _, seconds := range []int{0, 7} {   // the same for events of the same time
		for i, order := range [][]driver.Message{{a, b, a}, {a, a, b, a, a}, {a, b, c, b, a, b, c}, {b, a, again, a, b}, {a, b, c, again, c, b, a}, {a, again, b, again}} {
			for kind, condition := range bothConditions {
				want := []string{`"b"`, `"b"`, `"a"`, `"c"`, `"c"`, `"b"`}[i]
				j := joiner.New(condition, memstore.New(), joiner.OnConflict(joiner.KeepLast))
				for at := range order {
					order[at].Time = dated("", "", "", seconds).Time
				}
				joined := run(t, j, append(slices.Clone(order), event("event2", "2"))...)
				if len(joined) != 1 || string(joined[0].Content) != `{"event1":`+want+`,"event2":2}` {
					t.Errorf("%s, %d s, %v: joined %v, want %s", kind, seconds, order, joined, want)
				}
			}
		}
	}
}

// between is a store that lets something happen once before or after a call.
type between struct {
	*memstore.Store
	mu    sync.Mutex
	hooks map[string]func() // "before Replace event1"
}

func (b *between) call(name string, do func()) {
	b.once("before " + name)
	do()
	b.once("after " + name)
}

func (b *between) once(when string) {
	b.mu.Lock()
	hook := b.hooks[when]
	delete(b.hooks, when)
	b.mu.Unlock()
	if hook != nil {
		hook()
	}
}

func (b *between) Persist(ctx context.Context, m driver.Message) (err error) {
	b.call("Persist "+m.Source, func() { err = b.Store.Persist(ctx, m) })
	return err
}

func (b *between) LookUp(ctx context.Context, key, source string) (m driver.Message, err error) {
	b.call("LookUp "+source, func() { m, err = b.Store.LookUp(ctx, key, source) })
	return m, err
}

func (b *between) ListDecided(ctx context.Context, key, name string) (sources, decided []string, err error) {
	b.call("ListDecided", func() { sources, decided, err = b.Store.ListDecided(ctx, key, name) })
	return sources, decided, err
}

func (b *between) Decide(ctx context.Context, key, name string, sources []string) (decided []string, err error) {
	b.call("Decide", func() { decided, err = b.Store.Decide(ctx, key, name, sources) })
	return decided, err
}

func keep(t *testing.T, s *memstore.Store, m driver.Message) {
	if _, err := s.Replace(t.Context(), m); err != nil {
		t.Error(err)
	}
}

// What is joined was kept when the join became complete, or later: never what had been
// replaced, and its replacement acknowledged, before.
func TestKeepLastJoinsNothingThatWasReplacedBefore(t *testing.T) {
	for kind, condition := range bothConditions {
		t.Run(kind+", another's event", func(t *testing.T) {
			store, looked := memstore.New(), make(chan struct{})
			keep(t, store, dated("event1", "old", `"old"`, 1))
			slow := &between{Store: store, hooks: map[string]func(){
				"after LookUp event1": func() { close(looked) },
				"before Persist event2": func() { // so the join is not complete
					if kind == "needed" {
						<-looked
					}
					keep(t, store, dated("event1", "new", `"new"`, 2))
				},
			}}
			expectNew(t, run(t, joiner.New(condition, slow, joiner.OnConflict(joiner.KeepLast)), dated("event2", "2", `2`, 3)))
		})
		t.Run(kind+", its own", func(t *testing.T) {
			store := memstore.New()
			slow := &between{Store: store, hooks: map[string]func(){
				"after Persist event1": func() {
					keep(t, store, dated("event1", "new", `"new"`, 2))
					keep(t, store, dated("event2", "2", `2`, 3))
				},
			}}
			expectNew(t, run(t, joiner.New(condition, slow, joiner.OnConflict(joiner.KeepLast)), dated("event1", "old", `"old"`, 1)))
		})
	}
}

func expectNew(t *testing.T, joined []driver.Message) {
	t.Helper()
	if len(joined) != 1 || string(joined[0].Content) != `{"event1":"new","event2":2}` {
		t.Errorf("went on with %v; the first event1 was replaced before the join was complete", joined)
	}
}
