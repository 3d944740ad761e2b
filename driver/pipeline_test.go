package driver_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/internal/eventtest"
)

var order = driver.Message{ID: "id-1", Key: "order-1", Source: "event1", Content: []byte(`{"n":1}`)}

// trail appends its letter to the content and goes on.
func trail(letter string) driver.Handler {
	return driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		in = in.Clone()
		in.Content = append(in.Content, letter...)
		return next.Call(ctx, in)
	})
}

func fails(err error) driver.Handler {
	return driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { return err })
}

func TestPipelineRunsHandlersInOrder(t *testing.T) {
	var got string
	last := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		got = string(in.Content)
		return next(ctx, in)
	})
	for name, p := range map[string]*driver.Pipeline{
		"New":             driver.New(trail("a"), trail("b"), trail("c"), last),
		"WithNextHandler": driver.New().WithNextHandler(trail("a")).WithNextHandler(trail("b")).WithNextHandler(trail("c")).WithNextHandler(last),
	} {
		if err := p.Process(t.Context(), driver.Message{}); err != nil || got != "abc" {
			t.Errorf("%s: content %q, error %v; want abc, nil", name, got, err)
		}
	}
}

func TestPipelineIsImmutable(t *testing.T) {
	var got []string
	end := func(name string) driver.Handler {
		return driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
			got = append(got, name+string(in.Content))
			return nil
		})
	}
	base := driver.New(trail("a"))
	one, two := base.WithNextHandler(end("one ")), base.WithNextHandler(end("two "))
	for _, p := range []*driver.Pipeline{base, one, two} {
		if err := p.Process(t.Context(), driver.Message{}); err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(got) != "[one a two a]" {
		t.Errorf("got %v: the pipelines share handlers", got)
	}
}

func TestPipelineWithoutHandlersAccepts(t *testing.T) {
	var zero driver.Pipeline
	for _, p := range []*driver.Pipeline{&zero, driver.New()} {
		if err := p.Process(t.Context(), order); err != nil {
			t.Error(err)
		}
	}
}

func TestPipelineRefusesNilHandler(t *testing.T) {
	defer func() {
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "handler 2") {
			t.Errorf("panic %v; want one that names handler 2", v)
		}
	}()
	driver.New(trail("a"), nil)
}

func TestPipelineStopsWhereNextIsNotCalled(t *testing.T) {
	stop := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { return nil })
	never := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
		t.Error("went on")
		return nil
	})
	if err := driver.New(stop, never).Process(t.Context(), order); err != nil {
		t.Error(err)
	}
}

func TestPipelineErrorNamesHandlerKeyAndSource(t *testing.T) {
	cause := errors.New("out of stock")
	renamed := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		in.Source = "renamed"
		if err := next(ctx, in); err != nil {
			return fmt.Errorf("on the way back: %w", err)
		}
		return nil
	})
	err := driver.New(trail("a"), renamed, fails(cause)).Process(t.Context(), order)
	var e *driver.Error
	if !errors.As(err, &e) || !errors.Is(err, cause) {
		t.Fatalf("error %v is no *driver.Error of the cause", err)
	}
	if e.Handler != "handler 3" || e.Key != "order-1" || e.Source != "renamed" || e.ID != "id-1" {
		t.Errorf("located at handler %q, key %q, source %q, ID %q", e.Handler, e.Key, e.Source, e.ID)
	}
	for _, part := range []string{"handler 3", `"order-1"`, `"renamed"`, `"id-1"`, "out of stock", "on the way back"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("message %q lacks %s", err, part)
		}
	}
}

func TestPipelinePanicBecomesError(t *testing.T) {
	cause := errors.New("nil map")
	panics := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { panic(cause) })
	for name, ctx := range map[string]context.Context{"background": context.Background(), "cancellable": t.Context()} {
		err := driver.New(trail("a"), panics).Process(ctx, order)
		var p *driver.PanicError
		var e *driver.Error
		if !errors.As(err, &p) || !errors.As(err, &e) || !errors.Is(err, cause) {
			t.Fatalf("%s: error %v is no located panic", name, err)
		}
		if !strings.Contains(string(p.Stack), "TestPipelinePanicBecomesError") {
			t.Errorf("%s: the stack does not show where it panicked:\n%s", name, p.Stack)
		}
		if e.Handler != "handler 2" {
			t.Errorf("%s: panic located at handler %q", name, e.Handler)
		}
	}
}

func TestPipelineGoexitBecomesError(t *testing.T) {
	exits := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
		runtime.Goexit()
		return nil
	})
	if err := driver.New(exits).Process(t.Context(), order); err == nil {
		t.Error("a handler that ended its goroutine was taken for a success")
	}
	if err := driver.New(driver.Parallel(exits, trail("a"))).Process(t.Context(), order); err == nil {
		t.Error("a parallel handler that ended its goroutine was taken for a success")
	}
}

func TestPipelineReturnsWhenContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		ignores := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
			<-release
			return nil
		})
		p := driver.New(trail("a"), ignores)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		err := p.Process(ctx, order)
		if took := time.Since(start); took != time.Second {
			t.Errorf("returned after %v; want at the deadline, 1s", took)
		}
		if !errors.Is(err, context.DeadlineExceeded) || driver.IsPermanent(err) {
			t.Errorf("error %v; want a transient DeadlineExceeded", err)
		}
		var e *driver.Error
		if !errors.As(err, &e) || e.Key != "order-1" {
			t.Errorf("error %v does not say which key", err)
		}
		if n := p.Abandoned(); n != 1 {
			t.Errorf("%d abandoned while the handler runs; want 1", n)
		}
		close(release)
		synctest.Wait()
		if n := p.Abandoned(); n != 0 {
			t.Errorf("%d abandoned after the handler returned; want 0", n)
		}
	})
}

func TestPipelineDoesNotStartAfterContextEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ran := false
	p := driver.New(driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { ran = true; return nil }))
	if err := p.Process(ctx, order); !errors.Is(err, context.Canceled) || ran {
		t.Errorf("error %v, ran %v; want context.Canceled, and no handler run", err, ran)
	}
}

func TestPipelineUsesOneGoroutine(t *testing.T) {
	var during int
	last := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
		during = runtime.NumGoroutine()
		return nil
	})
	p := driver.New(trail("a"), trail("b"), trail("c"), trail("d"), last)
	before := runtime.NumGoroutine()
	for _, ctx := range []context.Context{context.Background(), t.Context()} {
		if err := p.Process(ctx, order); err != nil || during > before+1 { // fewer, if one of another test has just ended
			t.Errorf("%d goroutines during, %d before; want one more (%v)", during, before, err)
		}
	}
}

func TestProcessAsync(t *testing.T) {
	cause := errors.New("late")
	result := driver.New(fails(cause)).ProcessAsync(t.Context(), order)
	if err := <-result; !errors.Is(err, cause) {
		t.Errorf("got %v, want %v", err, cause)
	}
	if _, open := <-result; open {
		t.Error("the channel is not closed after its result")
	}
}

func TestParallelWaitsForAllAndGoesOnOnce(t *testing.T) {
	var branches, after atomic.Int32
	branch := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		in.Content[0] = byte('0' + branches.Add(1)) // a copy of its own: no race
		return next(ctx, in)
	})
	last := driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
		after.Add(1)
		if string(in.Content) != string(order.Content) || branches.Load() != 3 {
			t.Errorf("content %s after %d branches; want it as it came, after 3", in.Content, branches.Load())
		}
		return nil
	})
	if err := driver.New(driver.Parallel(branch, branch, branch), last).Process(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	if after.Load() != 1 {
		t.Errorf("went on %d times; want once", after.Load())
	}
}

// TestParallelCountsItsCopies: they are counted before they are made, for as long as a branch may use them.
func TestParallelCountsItsCopies(t *testing.T) {
	var during, after int64
	account := &eventtest.Account{}
	count := func(grown *int64) driver.Handler {
		return driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
			*grown = account.Grown
			return next.Call(ctx, in)
		})
	}
	p := driver.New(driver.Parallel(count(&during), trail("b")), count(&after))
	if err := p.Process(driver.WithMemory(t.Context(), account), order); err != nil {
		t.Fatal(err)
	}
	if want := int64(2 * len(order.Content)); during != want || after != 0 {
		t.Errorf("counted %d bytes in a branch, %d after; want %d and none", during, after, want)
	}
	fails := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { return errors.New("busy") })
	_ = driver.New(driver.Parallel(fails, trail("b"))).Process(driver.WithMemory(t.Context(), account), order)
	if want := int64(2 * len(order.Content)); account.Grown != want {
		t.Errorf("counted %d bytes after a branch failed, whose handler may still run; want %d", account.Grown, want)
	}
	account.Grown = 0
	account.Most = 2*int64(len(order.Content)) - 1
	during = -1
	if err := p.Process(driver.WithMemory(t.Context(), account), order); !errors.Is(err, driver.ErrNoMemory) || during != -1 {
		t.Errorf("without the memory: %v, and a branch ran: %v", err, during != -1)
	}
}

func TestParallelFailure(t *testing.T) {
	permanent, transient := driver.Permanent(errors.New("bad")), errors.New("busy")
	panics := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { panic("boom") })
	for _, c := range []struct {
		name     string
		handlers []driver.Handler
		want     bool
	}{
		{"all permanent", []driver.Handler{fails(permanent), fails(permanent)}, true},
		{"permanent and success", []driver.Handler{fails(permanent), trail("a")}, true},
		{"permanent and transient", []driver.Handler{fails(permanent), fails(transient)}, false},
		{"transient and permanent", []driver.Handler{fails(transient), fails(permanent)}, false},
		{"permanent and panic", []driver.Handler{fails(permanent), panics}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			never := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error {
				t.Error("went on after a failure")
				return nil
			})
			err := driver.New(driver.Parallel(c.handlers...), never).Process(t.Context(), order)
			if err == nil || driver.IsPermanent(err) != c.want {
				t.Errorf("error %v, permanent %v; want %v", err, driver.IsPermanent(err), c.want)
			}
			var e *driver.Error
			if !errors.As(err, &e) || !strings.HasPrefix(e.Handler, "branch ") {
				t.Errorf("error %v does not say which branch", err)
			}
		})
	}
}
