package joiner_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

var show = driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
	fmt.Printf("%s of %s: %s\n", in.Source, in.Key, in.Content)
	return nil
})

// message is an event of order-1 that happened n minutes past noon.
func message(source, content string, n int) driver.Message {
	return driver.Message{
		ID: fmt.Sprint(source, n), Key: "order-1", Source: source, Content: []byte(content),
		Time: time.Date(2026, 1, 2, 12, n, 0, 0, time.UTC),
	}
}

func deliver(pipeline *driver.Pipeline, messages ...driver.Message) {
	for _, m := range messages {
		if err := pipeline.Process(context.Background(), m); err != nil {
			fmt.Println(m.ID, "is dead-lettered:", driver.ReasonOf(err))
		}
	}
}

// holds prints what a condition says of sets of sources.
func holds(c joiner.Condition, sets ...[]string) {
	for _, sources := range sets {
		fmt.Println(sources, c.Evaluate(sources))
	}
}

var (
	none = []string{}
	a    = []string{"a"}
	b    = []string{"b"}
	ab   = []string{"a", "b"}
	abc  = []string{"a", "b", "c"}
)

func ExampleJoin_StandingOf() {
	ctx := context.Background()
	store := memstore.New()
	for key, sources := range map[string][]string{"order-1": {"event1"}, "order-2": {"event1", "event2"}} {
		for _, source := range sources {
			_ = store.Persist(ctx, driver.Message{Key: key, Source: source})
		}
	}
	join := joiner.Join{Condition: joiner.MatchAll("event1", "event2")}
	for q := (driver.KeyQuery{Open: true}); ; {
		page, err := store.ListKeys(ctx, q)
		for _, k := range page.Keys {
			s := join.StandingOf(k, time.Now())
			fmt.Println(k.Key, s.State, s.WaitsFor)
		}
		if q.Cursor = page.Next; q.Cursor == "" || err != nil {
			break
		}
	}
	// Output:
	// order-1 waiting event2
	// order-2 complete
}

func ExampleNew() {
	pipeline := driver.New(joiner.New(joiner.MatchAll("event1", "event2"), memstore.New()), show)
	deliver(pipeline, message("event2", `{"paid":true}`, 1), message("event1", `{"item":"book"}`, 2))
	// Output:
	// composed-event of order-1: {"event1":{"item":"book"},"event2":{"paid":true}}
}

func ExampleMatchAll() {
	holds(joiner.MatchAll("a", "b"), a, ab, abc)
	// Output:
	// [a] false
	// [a b] true
	// [a b c] true
}

func ExampleMatchAny() {
	holds(joiner.MatchAny("a", "b"), none, a, ab)
	// Output:
	// [] false
	// [a] true
	// [a b] true
}

// MatchNone is a part of a condition: alone it would hold for nothing.
func ExampleMatchNone() {
	holds(joiner.MatchAll("a").And(joiner.MatchNone("b")), none, a, ab)
	// Output:
	// [] false
	// [a] true
	// [a b] false
}

func ExampleAtLeast() {
	holds(joiner.AtLeast(2, "a", "b", "c"), a, ab, abc)
	// Output:
	// [a] false
	// [a b] true
	// [a b c] true
}

func ExampleExpression_And() {
	holds(joiner.MatchAll("a").And(joiner.MatchAny("b", "c")), a, b, ab)
	// Output:
	// [a] false
	// [b] false
	// [a b] true
}

func ExampleExpression_Or() {
	holds(joiner.MatchAll("a", "b").Or(joiner.MatchAll("c")), a, ab, []string{"c"})
	// Output:
	// [a] false
	// [a b] true
	// [c] true
}

func ExampleExpression_XOr() {
	holds(joiner.MatchAny("a").XOr(joiner.MatchAny("b")), none, a, ab)
	// Output:
	// [] false
	// [a] true
	// [a b] false
}

func ExampleExpression_Not() {
	holds(joiner.MatchAny("a").And(joiner.MatchAll("b", "c").Not()), a, ab, abc)
	// Output:
	// [a] true
	// [a b] true
	// [a b c] false
}

// Conditions are put together by their methods.
func ExampleExpression() {
	c := joiner.MatchAll("a").And(joiner.MatchAny("b", "c")).Or(joiner.AtLeast(2, "b", "c"))
	holds(c, a, ab, []string{"b", "c"})
	// Output:
	// [a] false
	// [a b] true
	// [b c] true
}

func ExampleCheck() {
	fmt.Printf("%.48s…\n", joiner.Check(joiner.MatchAll("a").And(joiner.MatchNone("a"))))
	fmt.Printf("%.48s…\n", joiner.Check(joiner.MatchNone("a")))
	// Output:
	// joiner: the condition can never hold, whatever a…
	// joiner: the condition holds for nothing, so that…
}

// An event with other content than is kept: the default ignores it, KeepLast takes the one that
// happened last, and Reject has it dead-lettered.
func ExampleOnConflict() {
	first, second, other := message("event1", `"one"`, 1), message("event1", `"two"`, 2), message("event2", `2`, 3)
	for _, policy := range []joiner.ConflictPolicy{joiner.KeepFirst, joiner.KeepLast, joiner.Reject} {
		join := joiner.New(joiner.MatchAll("event1", "event2"), memstore.New(), joiner.OnConflict(policy))
		deliver(driver.New(join, show), first, second, other)
	}
	// Output:
	// composed-event of order-1: {"event1":"one","event2":2}
	// composed-event of order-1: {"event1":"two","event2":2}
	// event12 is dead-lettered: conflict
	// composed-event of order-1: {"event1":"one","event2":2}
}

// Two joins on one store, one of which feeds the other.
func ExampleName() {
	store := memstore.New()
	paid := joiner.New(joiner.MatchAll("order", "payment"), store, joiner.Name("paid"))
	shipped := joiner.New(joiner.MatchAll("paid", "parcel"), store, joiner.Name("shipped"))
	first := driver.New(paid, shipped, show)
	second := driver.New(shipped, show)

	deliver(first, message("order", `1`, 1), message("payment", `2`, 2))
	deliver(second, message("parcel", `3`, 3))
	// Output:
	// shipped of order-1: {"paid":{"order":1,"payment":2},"parcel":3}
}

// An event that waits is logged at the level debug, with what it waits for.
func ExampleLogger() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	join := joiner.New(joiner.MatchAll("event1", "event2"), memstore.New(), joiner.Logger(logger))
	deliver(driver.New(join, show), message("event1", `1`, 1), message("event2", `2`, 2))
	// Output:
	// level=DEBUG msg="waiting for event2" key=order-1 source=event1
	// composed-event of order-1: {"event1":1,"event2":2}
}

// A parcel that is never sent. A sweep ends the wait, and the handler is told what is missing.
func ExampleDeadline() {
	join := joiner.New(joiner.MatchAll("order", "parcel", "payment"), memstore.New(), joiner.Deadline(time.Hour))
	pipeline := driver.New(join, driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
		fmt.Printf("%s without %q\n", in.Content, in.Missing)
		return nil
	}))
	deliver(pipeline, message("order", `1`, 1), message("payment", `2`, 2))

	firstKept := time.Now().Add(-2 * time.Hour) // as the store says
	err := pipeline.Process(driver.WithSweep(context.Background(), firstKept), driver.Message{Key: "order-1"})
	fmt.Println(err)
	deliver(pipeline, message("parcel", `3`, 3))
	// Output:
	// {"order":1,"payment":2} without ["parcel"]
	// <nil>
	// parcel3 is dead-lettered: too-late
}

// Ten events are few enough to read all at once, so that the last one waits for a round trip less; it
// costs more reads.
func ExampleLookAtAll() {
	sources := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	pipeline := driver.New(joiner.New(joiner.MatchAll(sources...), memstore.New(), joiner.LookAtAll(10)), show)
	for i, source := range sources {
		deliver(pipeline, message(source, "1", i))
	}
	// Output:
	// composed-event of order-1: {"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1}
}
