package convert_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/internal/eventtest"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/driver/transformer"
	"example.com/eventdriver/stores/memstore"
)

// hostileError is an error whose methods panic.
type hostileError struct{}

func (hostileError) Error() string { panic("Error") }

func (hostileError) Unwrap() error { panic("Unwrap") }

func (hostileError) Is(error) bool { panic("Is") }

func (hostileError) As(any) bool { panic("As") }

func (hostileError) String() string { panic("String") }

func (e circleError) Error() string { return "circle" }

func (e circleError) Unwrap() error { return e }

func (longError) Error() string { return strings.Repeat("long ", 20_000) }

func (exitingError) Error() string { runtime.Goexit(); return "" }

func (leavingError) Error() string { return "leaving" }

func (leavingError) Is(error) bool { runtime.Goexit(); return true }

func (leavingError) As(any) bool { runtime.Goexit(); return true }

type (
	circleError  struct{}
	longError    struct{}
	exitingError struct{}
	leavingError struct{}
)

// ends are ways of a function to end that a careless caller does not survive.
var ends = map[string]func() error{
	"panics with a nil error":         func() error { panic((*fs.PathError)(nil)) },
	"panics with a hostile error":     func() error { panic(hostileError{}) },
	"panics to abort the handler":     func() error { panic(http.ErrAbortHandler) },
	"ends its goroutine":              func() error { runtime.Goexit(); return nil },
	"returns a nil error":             func() error { return (*fs.PathError)(nil) },
	"returns a nil LaterError":        func() error { return (*driver.LaterError)(nil) },
	"returns a nil HeldError":         func() error { return (*driver.HeldError)(nil) },
	"returns a hostile error":         func() error { return hostileError{} },
	"rejects for a hostile error":     func() error { return driver.Permanent(hostileError{}) },
	"returns an error in a circle":    func() error { return circleError{} },
	"returns a very long error":       func() error { return longError{} },
	"rejects for a very long error":   func() error { return driver.Permanent(longError{}) },
	"returns an error that ends":      func() error { return exitingError{} },
	"returns an error that leaves":    func() error { return leavingError{} },
	"returns a panic that did happen": func() error { return &driver.PanicError{Value: hostileError{}} },
}

// hooks are the stores, handlers and functions that users may write.
type hooks struct {
	*memstore.Store
	at  string // which of them is hostile
	end func() error
}

// call ends like the hostile hook if it is that of the name, and else calls fn.
func (h *hooks) call(name string, fn func() error) error {
	if name == h.at {
		return h.end()
	}
	return fn()
}

func (h *hooks) Persist(ctx context.Context, m driver.Message) error {
	return h.call("Persist", func() error { return h.Store.Persist(ctx, m) })
}

func (h *hooks) LookUp(ctx context.Context, key, source string) (m driver.Message, err error) {
	err = h.call("LookUp", func() error { m, err = h.Store.LookUp(ctx, key, source); return err })
	return m, err
}

func (h *hooks) KeepAndLook(ctx context.Context, m driver.Message, sources []string) (found []driver.Message, missing []string, err error) {
	if h.at == "LookUp" {
		return nil, nil, errors.ErrUnsupported
	}
	err = h.call("KeepAndLook", func() error { found, missing, err = h.Store.KeepAndLook(ctx, m, sources); return err })
	return found, missing, err
}

func (h *hooks) Replace(ctx context.Context, m driver.Message) (kept driver.Message, err error) {
	err = h.call("Replace", func() error { kept, err = h.Store.Replace(ctx, m); return err })
	return kept, err
}

func (h *hooks) Decide(ctx context.Context, key, name string, sources []string) (decided []string, err error) {
	err = h.call("Decide", func() error { decided, err = h.Store.Decide(ctx, key, name, sources); return err })
	return decided, err
}

func (h *hooks) ListDecided(ctx context.Context, key, name string) (sources, decided []string, err error) {
	err = h.call("ListDecided", func() error { sources, decided, err = h.Store.ListDecided(ctx, key, name); return err })
	return sources, decided, err
}

func (h *hooks) Acquire(ctx context.Context, c driver.Claim, ttl time.Duration) (got driver.Claim, err error) {
	err = h.call("Acquire", func() error { got, err = h.Store.Acquire(ctx, c, ttl); return err })
	got.Takeover = h.at == "QuarantineOnExpiry"
	return got, err
}

func (h *hooks) Complete(ctx context.Context, c driver.Claim, outcome driver.Outcome) error {
	return h.call("Complete", func() error { return h.Store.Complete(ctx, c, outcome) })
}

func (h *hooks) Release(ctx context.Context, c driver.Claim, r driver.Released) error {
	return h.call("Release", func() error { return h.Store.Release(ctx, c, r) })
}

func (h *hooks) AddDeadLetter(ctx context.Context, d driver.DeadLetter) error {
	return h.call("AddDeadLetter", func() error { return h.Store.AddDeadLetter(ctx, d) })
}

// handler returns a handler that is the hook of that name, and goes on if it is not the hostile one.
func (h *hooks) handler(name string) driver.Handler {
	return driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		return h.call(name, func() error { return next(ctx, in) })
	})
}

func (h *hooks) Process(ctx context.Context, in driver.Message) error {
	return h.call("Processor", func() error { return h.pipeline().Process(ctx, in) })
}

func (h *hooks) pipeline() *driver.Pipeline {
	rule := func(m driver.Message) (driver.Message, error) { return m, h.call("Rule", func() error { return nil }) }
	key := func(m driver.Message) string { _ = h.call("KeyFrom", func() error { return nil }); return m.Key }
	return driver.New(
		transformer.New(rule),
		h.joiner(),
		driver.Parallel(h.handler("Parallel"), h.handler("Parallel")),
		cache.New(h, cache.KeyFrom(key), cache.HandleDone(h.handler("HandleDone")), cache.QuarantineOnExpiry(h.handler("QuarantineOnExpiry"))),
		driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
			return h.call("Business", func() error {
				if h.at == "Release" {
					return errors.New("fails, to be released")
				}
				return nil
			})
		}))
}

// joiner waits for one event; with the condition of a user if that is the hostile hook.
func (h *hooks) joiner() driver.Handler {
	switch h.at {
	case "LookUp", "KeepAndLook":
		return joiner.New(joiner.MatchAll("event1", "event2"), h)
	case "Replace":
		return joiner.New(joiner.MatchAll("event1"), h, joiner.OnConflict(joiner.KeepLast))
	}
	checked := false // New evaluates the condition, too
	defer func() { checked = true }()
	return joiner.New(condition(func(sources []string) bool {
		if checked {
			_ = h.call("Condition", func() error { return nil })
		}
		return len(sources) > 0
	}), h)
}

type condition func([]string) bool

func (c condition) Evaluate(sources []string) bool { return c(sources) }

func (h *hooks) input(ctx context.Context, e *cloudevents.Event) (m driver.Message, err error) {
	err = h.call("InputConverter", func() error { m, err = convert.CloudEventToInput(ctx, e); return err })
	if h.at == "AddDeadLetter" {
		err = driver.Permanent(errors.New("to be dead-lettered"))
	}
	return m, err
}

func (h *hooks) Enabled(context.Context, slog.Level) bool {
	_ = h.call("Logger.Enabled", func() error { return nil })
	return true
}

func (h *hooks) Handle(context.Context, slog.Record) error {
	return h.call("Logger.Handle", func() error { return nil })
}

func (h *hooks) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h *hooks) WithGroup(string) slog.Handler { return h }

var hookNames = []string{"InputConverter", "Processor", "Rule", "Condition", "Persist", "LookUp", "KeepAndLook", "Replace", "Decide", "ListDecided", "Parallel", "KeyFrom", "Acquire", "Complete",
	"Release", "HandleDone", "QuarantineOnExpiry", "Business", "AddDeadLetter", "Logger.Enabled", "Logger.Handle"}

// Each event is answered, whichever code of the user ends in whichever way.
func TestEveryEventIsAnswered(t *testing.T) {
	for _, name := range hookNames {
		for does, end := range ends {
			t.Run(name+" "+does, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					answersAll(t, &hooks{Store: memstore.New(), at: name, end: end})
				})
			})
		}
	}
}

func answersAll(t *testing.T, h *hooks) {
	opts := []convert.Option{convert.DeadLetters(h), convert.Logger(slog.New(h))}
	handler := convert.ToHTTPHandler(h.input, h, opts...)
	for range 2 { // the second time the key may be completed
		answer := serve(handler, eventtest.Binary(`{}`, "Ce-Source", "event1"))
		if answer.Body.Len() > 40<<10 || strings.HasPrefix(h.at, "Logger") && answer.Code != http.StatusNoContent {
			t.Errorf("answered %d, %.300s", answer.Code, answer.Body)
		}
	}
	receive := convert.ToKNativeEventHandler(h.input, h, convert.OutputToCloudResult, opts...)
	if _, result := receive(t.Context(), keyed("event1")); result == nil || len(result.Error()) > 40<<10 {
		t.Errorf("result %.300v", result)
	}
	function := convert.ToCloudFunction(h.input, h, opts...)
	if err := function(t.Context(), keyed("event1")); err != nil && len(err.Error()) > 40<<10 {
		t.Errorf("error %.300v", err)
	}
}
