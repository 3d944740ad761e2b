package drivertest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/driver/joiner"
)

var pair = threeEvents[:2]

func joinPair(env *drivertest.Env) driver.Handler {
	return joiner.New(joiner.MatchAll("event1", "event2"), env.Store)
}

// onceJoined is a pipeline that is right up to its last handlers.
func onceJoined(env *drivertest.Env, first driver.HandlerFunc, further ...driver.Handler) *driver.Pipeline {
	return driver.New(append([]driver.Handler{joinPair(env), cache.New(env.Store), first}, further...)...)
}

// flawed are pipelines with one flaw each, and how a test says that it has found it.
var flawed = map[string]struct {
	build func(*drivertest.Env) *driver.Pipeline
	says  string
}{
	"no cache": {func(env *drivertest.Env) *driver.Pipeline {
		return driver.New(joinPair(env), env.Act)
	}, "is there a cache before the business?"},

	"the cache before the joiner": {func(env *drivertest.Env) *driver.Pipeline {
		return driver.New(cache.New(env.Store), joinPair(env), env.Act)
	}, "does the cache come before the joiner"},

	"a business that swallows its error": {func(env *drivertest.Env) *driver.Pipeline {
		return onceJoined(env, func(ctx context.Context, in driver.Message, _ driver.Next) error {
			_ = env.Effect(ctx, in.Key, in.Content)
			return nil
		})
	}, "does a handler swallow its error?"},

	"a business that acts and then fails": {func(env *drivertest.Env) *driver.Pipeline {
		tries := 0
		return onceJoined(env, func(ctx context.Context, in driver.Message, _ driver.Next) error {
			err := env.Effect(ctx, in.Key, in.Content)
			if tries++; tries == 1 {
				return fmt.Errorf("no paper in the printer")
			}
			return err
		})
	}, "no crash came between the first act and its completion"},

	"a join in memory": {func(env *drivertest.Env) *driver.Pipeline {
		return driver.New(joinInMemory(), cache.New(env.Store), env.Act)
	}, "the order is lost; no key was claimed"},

	"a handler that remembers what it has seen before it succeeds": {func(env *drivertest.Env) *driver.Pipeline {
		seen := make(map[string]bool)
		return onceJoined(env, func(ctx context.Context, in driver.Message, next driver.Next) error {
			if seen[in.Key] {
				return nil
			}
			seen[in.Key] = true
			return next(ctx, in)
		}, env.Act)
	}, "the order is lost"},

	"content that depends on memory": {func(env *drivertest.Env) *driver.Pipeline {
		n := 0
		return onceJoined(env, func(ctx context.Context, in driver.Message, next driver.Next) error {
			n++
			in.Content = fmt.Appendf(nil, "invoice %d", n)
			return next(ctx, in)
		}, env.Act)
	}, "depends on the order, or on memory"},

	"a handler that drops an event": {func(env *drivertest.Env) *driver.Pipeline {
		return driver.New(handler(func(ctx context.Context, in driver.Message, next driver.Next) error {
			if in.Source == "event2" {
				return nil
			}
			return next(ctx, in)
		}), joinPair(env), cache.New(env.Store), env.Act)
	}, "does every event reach the joiner?"},

	"a condition that never holds": {func(env *drivertest.Env) *driver.Pipeline {
		three := joiner.MatchAll("event1", "event2", "event3")
		return driver.New(joiner.New(three, env.Store), cache.New(env.Store), env.Act)
	}, "does the condition hold for these events"},

	"a source that is misspelt": {func(env *drivertest.Env) *driver.Pipeline {
		return driver.New(joiner.New(joiner.MatchAll("event1", "evnet2"), env.Store), cache.New(env.Store), env.Act)
	}, `event2 of "order-1" was dead-lettered`},

	"a join that looks before it stores": {func(env *drivertest.Env) *driver.Pipeline {
		return driver.New(lookFirst(env), cache.New(env.Store), env.Act)
	}, "the order is lost; no key was claimed"},

	"a join that ignores an error of the store": {func(env *drivertest.Env) *driver.Pipeline {
		return driver.New(forgetful(env), cache.New(env.Store), env.Act)
	}, "the order is lost"},

	"a join that counts arrivals": {func(env *drivertest.Env) *driver.Pipeline {
		return driver.New(counting(env), cache.New(env.Store), env.Act)
	}, "depends on the order, or on memory"},

	"a business that acts in the background": {func(env *drivertest.Env) *driver.Pipeline {
		return onceJoined(env, func(ctx context.Context, in driver.Message, _ driver.Next) error {
			time.AfterFunc(time.Second, func() { _ = env.Effect(ctx, in.Key, in.Content) })
			return nil
		})
	}, "after its pipeline had returned"},

	"a context of its own": {func(env *drivertest.Env) *driver.Pipeline {
		return onceJoined(env, func(_ context.Context, in driver.Message, _ driver.Next) error {
			return env.Effect(context.Background(), in.Key, in.Content)
		})
	}, "a context that is not the handler's"},

	"content that is changed in place": {func(env *drivertest.Env) *driver.Pipeline {
		return driver.New(handler(func(ctx context.Context, in driver.Message, next driver.Next) error {
			in.Content[0] = ' '
			return next(ctx, in)
		}), joinPair(env), cache.New(env.Store), env.Act)
	}, "in place"},

	"a business that never succeeds": {func(env *drivertest.Env) *driver.Pipeline {
		return onceJoined(env, func(context.Context, driver.Message, driver.Next) error {
			return fmt.Errorf("no")
		})
	}, "never acknowledged"},

	"completion without a claim": {func(env *drivertest.Env) *driver.Pipeline {
		return driver.New(joinPair(env), onceByEvents(env), env.Act)
	}, "with token 0 after 0"},
}

func handler(fn driver.HandlerFunc) driver.Handler { return fn }

// joinInMemory keeps what has arrived in a map.
func joinInMemory() driver.Handler {
	var mu sync.Mutex
	arrived := make(map[string]bool)
	return handler(func(ctx context.Context, in driver.Message, next driver.Next) error {
		mu.Lock()
		arrived[in.Source] = true
		all := len(arrived) == len(pair)
		mu.Unlock()
		if !all {
			return nil
		}
		in.Content = []byte("both")
		return next(ctx, in)
	})
}

// lookFirst looks for the other event and then stores its own: two that do so at the same time
// miss each other.
func lookFirst(env *drivertest.Env) driver.Handler {
	return handler(func(ctx context.Context, in driver.Message, next driver.Next) error {
		sources, err := env.Store.ListSourcesByKey(ctx, in.Key)
		if err != nil {
			return err
		}
		if err := env.Store.Persist(ctx, in); err != nil {
			return err
		}
		if sources = slices.DeleteFunc(sources, func(s string) bool { return s == in.Source }); len(sources) == 0 {
			return nil
		}
		in.Content = []byte("both")
		return next(ctx, in)
	})
}

// forgetful goes on when its event could not be stored.
func forgetful(env *drivertest.Env) driver.Handler {
	return handler(func(ctx context.Context, in driver.Message, next driver.Next) error {
		_ = env.Store.Persist(ctx, in)
		sources, err := env.Store.ListSourcesByKey(ctx, in.Key)
		if err != nil || len(sources) < len(pair) {
			return err
		}
		in.Content = []byte("both")
		return next(ctx, in)
	})
}

// counting goes on when two events have arrived, and takes a redelivery for another event.
func counting(env *drivertest.Env) driver.Handler {
	return handler(func(ctx context.Context, in driver.Message, next driver.Next) error {
		arrived, err := env.Store.LookUpByKey(ctx, in.Key)
		if err != nil {
			return err
		}
		numbered := in
		numbered.Source = fmt.Sprint("arrival ", len(arrived))
		numbered.Content = []byte(in.Source)
		if err := env.Store.Persist(ctx, numbered); err != nil || len(arrived) == 0 {
			return err
		}
		sources := []string{string(arrived[0].Content), in.Source}
		slices.Sort(sources)
		in.Content = []byte(strings.Join(sources, " and "))
		return next(ctx, in)
	})
}

// onceByEvents lets a key pass until an event says that it was completed, and claims nothing.
func onceByEvents(env *drivertest.Env) driver.Handler {
	return handler(func(ctx context.Context, in driver.Message, next driver.Next) error {
		if _, err := env.Store.LookUp(ctx, in.Key+" is done", "done"); err == nil {
			return nil
		}
		if err := next(ctx, in); err != nil {
			return err
		}
		return env.Store.Persist(ctx, driver.Message{Key: in.Key + " is done", Source: "done"})
	})
}

func TestFlawedPipelinesAreFound(t *testing.T) {
	for name, c := range flawed {
		t.Run(name, func(t *testing.T) {
			report, schedule := drivertest.ExplorePipeline(t, drivertest.Exploration{}, c.build, pair...)
			if !strings.Contains(report, c.says) {
				t.Fatalf("got\n%s\nwant a report that says %q", report, c.says)
			}
			command := drivertest.Schedule + "='" + schedule + "' go test -run '^TestFlawedPipelinesAreFound$/^"
			if !strings.Contains(report, command) {
				t.Errorf("the report does not say how to run %q again:\n%s", schedule, report)
			}
			again := strings.Join(drivertest.Stories(t, c.build, []string{"deliver 1 2", schedule}, pair...)[1], "\n")
			if !strings.Contains(again, c.says) {
				t.Errorf("run again, the schedule %q shows\n%s", schedule, again)
			}
		})
	}
}

// A failing test, as users see it, is run in a process of its own, and then its schedule is.
func TestFailuresCanBeRunAlone(t *testing.T) {
	const isUser = "DRIVERTEST_TEST_OF_A_USER"
	if os.Getenv(isUser) != "" {
		drivertest.Pipeline(t, flawed["a business that swallows its error"].build, pair...)
		return
	}
	user := func(env ...string) string {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(append(os.Environ(), isUser+"=yes"), env...)
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Fatalf("the test of a flawed pipeline passes:\n%s", out)
		}
		return string(out)
	}
	out := user()
	hint := regexp.MustCompile(drivertest.Schedule + `='(.*)' go test -run '\^TestFailuresCanBeRunAlone\$'`)
	command := hint.FindStringSubmatch(out)
	if command == nil || !strings.Contains(out, "does a handler swallow its error?") {
		t.Fatalf("the failure says neither what it is nor how to run it alone:\n%s", out)
	}
	alone := user(drivertest.Schedule + "=" + command[1])
	if !strings.Contains(alone, "does a handler swallow its error?") || !strings.Contains(alone, "run 2 ") {
		t.Errorf("run alone, the schedule %q shows\n%s", command[1], alone)
	}
	wrong := user(drivertest.Schedule + "=deliver 1 7")
	if !strings.Contains(wrong, `"7" is not one of the events 1 to 2`) {
		t.Errorf("a wrong schedule is told as\n%s", wrong)
	}
}
