package drivertest_test

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/driver/transformer"
)

// Pipelines that are right pass. That flawed ones do not is shown in flawed_pipelines_test.go.

func event(source, content string) driver.Message {
	return driver.Message{ID: source, Key: "order-1", Source: source, Content: []byte(content)}
}

var threeEvents = []driver.Message{event("event1", `{"n":1}`), event("event2", `{"n":2}`), event("event3", `{"n":3}`)}

func sources(events []driver.Message) []string {
	var names []string
	for _, m := range events {
		names = append(names, m.Source)
	}
	return names
}

// matchAll is the pipeline of the README.
func matchAll(env *drivertest.Env) *driver.Pipeline {
	return driver.New(
		transformer.New(transformer.EraseContentFromSources("event1")),
		joiner.New(joiner.MatchAll("event1", "event2", "event3"), env.Store),
		cache.New(env.Store),
		env.Act)
}

func TestPipelinesThatAreRight(t *testing.T) {
	type build = func(*drivertest.Env) *driver.Pipeline
	joined := func(c joiner.Condition, act func(*drivertest.Env) driver.Handler, opts ...cache.Option) build {
		return func(env *drivertest.Env) *driver.Pipeline {
			return driver.New(joiner.New(c, env.Store), cache.New(env.Store, opts...), act(env))
		}
	}
	plain := func(env *drivertest.Env) driver.Handler { return env.Act }
	both := joiner.MatchAll("event1", "event2")
	pair := threeEvents[:2]
	five := []driver.Message{event("a", "1"), event("b", "2"), event("c", "3"), event("d", "4"), event("e", "5")}
	conflict := []driver.Message{event("event1", "1"), event("event1", "2"), event("event2", "3")}
	orders := []driver.Message{{Key: "a", Source: "event1"}, {Key: "b", Source: "event1"}}
	mayWait := drivertest.Exploration{MayWait: true}
	unless := joiner.MatchAny("event1").And(joiner.MatchNone("event2"))
	for name, c := range map[string]struct {
		build  build
		events []driver.Message
		drivertest.Exploration
	}{
		"the README's":                 {build: matchAll, events: threeEvents},
		"one event":                    {build: joined(joiner.MatchAll("event1"), plain), events: threeEvents[:1]},
		"five events, sampled":         {build: joined(joiner.MatchAll(sources(five)...), plain), events: five},
		"a decided join":               {build: joined(joiner.MatchAny("event1", "event2"), plain), events: pair},
		"a condition that stops":       {build: joined(unless, plain), events: pair, Exploration: mayWait},
		"quarantine":                   {build: joined(both, plain, cache.QuarantineOnExpiry(nil)), events: pair},
		"duplicates are dead-lettered": {build: joined(both, plain, cache.FailOnDone()), events: pair},
		"two orders":                   {build: joined(joiner.MatchAll("event1"), plain), events: orders},
		"contents in conflict":         {build: joined(both, plain), events: conflict},
		"a business of its own": {build: joined(both, func(env *drivertest.Env) driver.Handler {
			return driver.JSON(func(ctx context.Context, key string, order map[string]any) error {
				return env.Effect(ctx, "ship "+key, order)
			})
		}), events: pair},
		"two effects": {build: func(env *drivertest.Env) *driver.Pipeline {
			effect := func(name string) driver.Handler {
				branch := driver.New(cache.New(env.Store, cache.Scope(name)), driver.HandlerFunc(
					func(ctx context.Context, in driver.Message, _ driver.Next) error {
						return env.Effect(ctx, name+" "+in.Key, in.Content)
					}))
				return driver.HandlerFunc(func(ctx context.Context, in driver.Message, _ driver.Next) error {
					return branch.Process(ctx, in)
				})
			}
			return driver.New(joiner.New(both, env.Store), driver.Parallel(effect("ship"), effect("bill")))
		}, events: pair},
	} {
		t.Run(name, func(t *testing.T) {
			if name != "the README's" {
				c.Runs = 300 // a sample, for speed
			}
			c.Pipeline(t, c.build, c.events...)
		})
	}
}

// A run depends on its schedule alone: so the printed schedule shows the same again.
func TestSchedulesCanBeRunAgain(t *testing.T) {
	schedules := []string{
		"deliver 1 2 3",
		"deliver 3 1 2 1; new instances; step 4 fails",
		"deliver 2 3 1; retry soon; step 12 crash-after",
		"deliver 2 1 3; step 10 panics; step 11 loses-answer",
		"deliver 2 1 3; step 10 crash-before",
		"deliver 1 2 3 3 1 2; at once 7; step 9 crash-after",
		"deliver 1 3 2 3 2 1; at once 8; new instances",
	}
	first := drivertest.Stories(t, matchAll, schedules, threeEvents...)
	for range 3 {
		again := drivertest.Stories(t, matchAll, schedules, threeEvents...)
		if !reflect.DeepEqual(first, again) {
			t.Fatalf("the same schedules led to\n%s\nand then to\n%s", first, again)
		}
	}
	for i, story := range first {
		text := strings.Join(story, "\n")
		wrong := strings.Contains(text, "crashes") ||
			strings.Contains(text, "fails") || strings.Contains(text, "panics")
		if wrong != strings.Contains(schedules[i], "step") {
			t.Errorf("%s: got\n%s", schedules[i], text)
		}
	}
}
