package driver_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

// goroutine returns the name of the goroutine that calls it.
func goroutine() string {
	name, _, _ := bytes.Cut(debugStack(), []byte(" ["))
	return string(name)
}

func debugStack() []byte {
	stack := make([]byte, 64)
	return stack[:runtime.Stack(stack, false)]
}

// prompt is a handler that notes its goroutine.
type prompt struct {
	driver.HandlerFunc
	is bool
}

func (p prompt) Prompt() bool { return p.is }

// Handlers that wait for nothing run in the caller's goroutine, up to the first that may wait.
func TestPromptHandlersNeedNoGoroutine(t *testing.T) {
	for _, c := range []struct {
		prompt []bool
		want   int // how many run in the caller's goroutine
	}{
		{[]bool{true, true}, 2}, {[]bool{true, false, true}, 1}, {[]bool{false, true}, 0}, {[]bool{false}, 0},
	} {
		var names []string
		note := func(ctx context.Context, m driver.Message, next driver.Next) error {
			names = append(names, goroutine())
			if driver.RunFrom(ctx) == nil {
				t.Error("a handler has no Run")
			}
			return next.Call(ctx, m)
		}
		p := driver.New()
		for _, is := range c.prompt {
			p = p.WithNextHandler(prompt{note, is})
		}
		if err := p.Process(t.Context(), order); err != nil {
			t.Fatal(err)
		}
		own := goroutine()
		for i, name := range names {
			if (name == own) != (i < c.want) || i > c.want && name != names[c.want] {
				t.Errorf("%v: handler %d of %d ran in %s, the caller in %s", c.prompt, i+1, len(names), name, own)
			}
		}
		if len(names) != len(c.prompt) {
			t.Errorf("%v: %d handlers ran", c.prompt, len(names))
		}
	}
}

// What Process promises holds also where prompt handlers come first.
func TestProcessReturnsBehindPromptHandlers(t *testing.T) {
	pass := prompt{func(ctx context.Context, m driver.Message, next driver.Next) error { return next.Call(ctx, m) }, true}
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		hangs := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
			<-end
			return nil
		})
		p := driver.New(pass, hangs)
		ctx, cancel := context.WithCancel(t.Context())
		result := p.ProcessAsync(ctx, order)
		synctest.Wait()
		cancel()
		var failure *driver.Error
		if err := <-result; !errors.Is(err, context.Canceled) || !errors.As(err, &failure) || failure.Handler != "" {
			t.Errorf("returned %v", err)
		}
		if n := p.Abandoned(); n != 1 {
			t.Errorf("%d runs are abandoned, want 1", n)
		}
		close(end)
		synctest.Wait()
		if n := p.Abandoned(); n != 0 {
			t.Errorf("%d runs are abandoned, want 0", n)
		}
	})
	exits := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
		runtime.Goexit()
		return nil
	})
	var panicked *driver.PanicError
	if err := driver.New(pass, exits).Process(t.Context(), order); !errors.As(err, &panicked) {
		t.Errorf("Goexit of a handler is %v", err)
	}
	panics := prompt{func(context.Context, driver.Message, driver.Next) error { panic("oops") }, true}
	if err := driver.New(panics).Process(t.Context(), order); !errors.As(err, &panicked) {
		t.Errorf("a panic of a prompt handler is %v", err)
	}
}

// A joiner on a store in memory is prompt; not so one on a store that embeds that, and may have
// methods of its own, nor one with a condition of another package.
func TestPromptJoiner(t *testing.T) {
	all, memory := joiner.MatchAll("a", "b"), memstore.New()
	for _, c := range []struct {
		name  string
		joins *joiner.Joiner
		want  bool
	}{
		{"in memory", joiner.New(all, memory), true},
		{"embedded", joiner.New(all, struct{ *memstore.Store }{memory}), false},
		{"another store", joiner.New(all, struct{ driver.EventStore }{memory}), false},
		{"another condition", joiner.New(anyCondition{}, memory), false},
		{"another condition inside", joiner.New(all.And(anyCondition{}), memory), false},
	} {
		if got := c.joins.Prompt(); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// A logger may end the goroutine in which it is asked, which may be that of Process's caller.
func TestLogsDebugReturns(t *testing.T) {
	if driver.LogsDebug(t.Context(), slog.New(exitingLogs{slog.DiscardHandler})) {
		t.Error("a logger that ends its goroutine writes debug records")
	}
}

type exitingLogs struct{ slog.Handler }

func (exitingLogs) Enabled(context.Context, slog.Level) bool {
	runtime.Goexit()
	return true
}

type anyCondition struct{}

func (anyCondition) Evaluate(sources []string) bool { return len(sources) > 0 }
