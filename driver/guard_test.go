package driver_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/eventdriver/driver"
)

// hostileError is an error whose methods do whatever a test wants.
type hostileError struct {
	text   func() string
	unwrap func() error
	is     func(error) bool
	as     func(any) bool
}

func (e *hostileError) Error() string        { return e.text() }
func (e *hostileError) Unwrap() error        { return e.unwrap() }
func (e *hostileError) Is(target error) bool { return e.is(target) }
func (e *hostileError) As(target any) bool   { return e.as(target) }

// hostileWith returns an error whose methods are harmless, but for what change does.
func hostileWith(change func(*hostileError)) error {
	e := &hostileError{
		text: func() string { return "hostile" }, unwrap: func() error { return nil },
		is: func(error) bool { return false }, as: func(any) bool { return false },
	}
	change(e)
	return e
}

// panicsAfterOnce returns an Unwrap that panics from its second call on. Handlers of several
// branches may return the same error at once.
func panicsAfterOnce() func() error {
	var called atomic.Bool
	return func() error {
		if called.Swap(true) {
			panic("Unwrap")
		}
		return nil
	}
}

// uncomparable panics when it is compared.
type uncomparable struct{ list any }

func (uncomparable) Error() string { return "uncomparable" }

type branching struct{ panics bool }

func (branching) Error() string { return "branching" }
func (b branching) Unwrap() []error {
	if b.panics {
		panic("Unwrap")
	}
	return []error{nil, b, b, nil}
}

// hostileErrors are errors that a careless reader of them does not survive.
func hostileErrors() map[string]error {
	all := map[string]error{
		"nil *fs.PathError":        (*fs.PathError)(nil),
		"nil *HeldError":           (*driver.HeldError)(nil),
		"nil *ConflictError":       (*driver.ConflictError)(nil),
		"nil *driver.Error":        (*driver.Error)(nil),
		"nil *PanicError":          (*driver.PanicError)(nil),
		"an Error of nothing":      &driver.Error{},
		"uncomparable":             uncomparable{[]int{1}},
		"Error panics":             hostileWith(func(e *hostileError) { e.text = func() string { panic("Error") } }),
		"Error panics with itself": hostileWith(func(e *hostileError) { e.text = func() string { panic(e) } }),
		"Error is very long":       hostileWith(func(e *hostileError) { e.text = func() string { return strings.Repeat("é", 50_000) } }),
		"Unwrap panics":            hostileWith(func(e *hostileError) { e.unwrap = func() error { panic("Unwrap") } }),
		"Unwrap panics later":      hostileWith(func(e *hostileError) { e.unwrap = panicsAfterOnce() }),
		"Unwrap in a circle":       hostileWith(func(e *hostileError) { e.unwrap = func() error { return e } }),
		"Unwrap never ends": hostileWith(func(e *hostileError) {
			e.unwrap = func() error { inner := *e; return &inner }
		}),
		"Unwrap branches without end": branching{},
		"Unwrap of many panics":       branching{panics: true},
		"Is panics":                   hostileWith(func(e *hostileError) { e.is = func(error) bool { panic("Is") } }),
		"As panics":                   hostileWith(func(e *hostileError) { e.as = func(any) bool { panic("As") } }),
		"Is ends the goroutine":       hostileWith(func(e *hostileError) { e.is = func(error) bool { runtime.Goexit(); return true } }),
		"As ends the goroutine":       hostileWith(func(e *hostileError) { e.as = func(any) bool { runtime.Goexit(); return true } }),
		"As finds nothing":            hostileWith(func(e *hostileError) { e.as = func(any) bool { return true } }),
		"As sets nil": hostileWith(func(e *hostileError) {
			e.as = func(target any) bool {
				if into, ok := target.(**driver.HeldError); ok {
					*into = nil
				}
				return true
			}
		}),
	}
	for name, err := range maps.Clone(all) {
		all[name+", wrapped"] = hostileWith(func(e *hostileError) { e.text, e.unwrap = err.Error, func() error { return err } })
		all[name+", joined"] = errors.Join(errors.New("other"), err)
		all[name+", in an Error"] = &driver.Error{Err: err}
		all[name+", in a PanicError"] = &driver.PanicError{Value: err}
	}
	return all
}

type stringer func() string

func (s stringer) String() string { return s() }

// hostileEnds are ways for a function to end that a careless caller does not survive.
func hostileEnds() map[string]func() error {
	circle := map[string]any{}
	circle["circle"] = circle
	list := []any{nil}
	list[0] = list
	all := map[string]func() error{
		"panics with a map that contains itself":   func() error { panic(circle) },
		"panics with a slice that contains itself": func() error { panic(list) },
		"panics with a Stringer that panics":       func() error { panic(stringer(func() string { panic("String") })) },
		"panics with a nil Stringer":               func() error { panic(stringer(nil)) },
		"panics with a very long string":           func() error { panic(strings.Repeat("x", 100_000)) },
		"panics with nil":                          func() error { panic(nil) },
		"panics with a func":                       func() error { panic(func() {}) },
		"ends its goroutine":                       func() error { runtime.Goexit(); return nil },
		"ends its goroutine while it panics":       func() error { defer runtime.Goexit(); panic("panic") },
		"returns an error that ends the goroutine": func() error {
			return hostileWith(func(e *hostileError) { e.text = func() string { runtime.Goexit(); return "" } })
		},
	}
	for name, err := range hostileErrors() {
		all["returns "+name] = func() error { return err }
		all["panics with "+name] = func() error { panic(err) }
		all["rejects "+name] = func() error { return driver.Permanent(err) }
	}
	return all
}

// checkSafe uses err in every way that this project does.
func checkSafe(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	for _, sentinel := range []error{driver.ErrHeld, driver.ErrDone, context.Canceled} {
		_ = errors.Is(err, sentinel)
	}
	_ = errors.Is(err, uncomparable{[]int{1}})
	if held, ok := errors.AsType[*driver.HeldError](err); ok && held == nil {
		t.Error("a HeldError that is nil")
	}
	if conflict, ok := errors.AsType[*driver.ConflictError](err); ok && conflict == nil {
		t.Error("a ConflictError that is nil")
	}
	if panicked, ok := errors.AsType[*driver.PanicError](err); ok && panicked == nil {
		t.Error("a PanicError that is nil")
	}
	_ = driver.IsPermanent(fmt.Errorf("around it: %w", err))
	if text := err.Error(); text == "" || len(text) > 40<<10 {
		t.Errorf("a text of %d bytes", len(text))
	}
}

// Whatever a handler does or returns, and wherever it is, Process returns an error that is
// safe to use.
func TestPipelineSurvivesItsHandlers(t *testing.T) {
	goesOn := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error { return next(ctx, in) })
	for name, end := range hostileEnds() {
		t.Run(name, func(t *testing.T) {
			hostile := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { return end() })
			later := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
				_ = next(ctx, in)
				return end()
			})
			for place, p := range map[string]*driver.Pipeline{
				"first":    driver.New(hostile, goesOn),
				"last":     driver.New(goesOn, goesOn, hostile),
				"branches": driver.New(driver.Parallel(hostile, goesOn, hostile)),
				"deep":     driver.New(goesOn, driver.Parallel(goesOn, driver.Parallel(hostile)), goesOn),
				"later":    driver.New(later, hostile),
			} {
				for _, ctx := range []context.Context{context.Background(), t.Context()} {
					err := p.Process(ctx, order)
					checkSafe(t, err)
					if e, ok := errors.AsType[*driver.Error](err); !ok {
						t.Errorf("%s: %v does not say on which event", place, err)
					} else if e.Key != order.Key && !strings.Contains(name, "Error") {
						t.Errorf("%s: %v is of key %q", place, err, e.Key)
					}
				}
			}
			checkSafe(t, driver.Guard(end))
		})
	}
}

// What is harmless comes back as what it was.
func TestGuardKeepsErrors(t *testing.T) {
	cause := errors.New("cause")
	held := &driver.HeldError{Key: "k", Expires: time.Unix(1, 0)}
	for name, err := range map[string]error{
		"itself":   errors.Join(cause, held),
		"wrapped":  fmt.Errorf("a: %w", fmt.Errorf("b: %w", errors.Join(held, fmt.Errorf("c: %w", cause)))),
		"rejected": driver.Reject(driver.ReasonConflict, errors.Join(cause, held)),
	} {
		got := driver.Guard(func() error { return err })
		again := driver.Guard(func() error { return fmt.Errorf("again: %w", got) })
		for _, e := range []error{got, again} {
			var asHeld *driver.HeldError
			if !errors.Is(e, cause) || !errors.Is(e, driver.ErrHeld) || errors.Is(e, driver.ErrDone) || !errors.As(e, &asHeld) || asHeld != held {
				t.Errorf("%s: %v has lost what it was", name, e)
			}
			if driver.ReasonOf(e) != driver.ReasonOf(err) || !strings.Contains(e.Error(), err.Error()) {
				t.Errorf("%s: %v with reason %q", name, e, driver.ReasonOf(e))
			}
		}
	}
	if err := driver.Guard(func() error { return nil }); err != nil {
		t.Errorf("nil became %v", err)
	}
	preset := &driver.HeldError{Key: "before"}
	if target := preset; errors.As(driver.Guard(func() error { return hostileErrors()["As sets nil"] }), &target) || target != preset {
		t.Errorf("an As that sets nil left %v", target)
	}
}

// A chain of errors is as deep as people make it.
func TestGuardFindsWhatIsDeep(t *testing.T) {
	err := driver.ErrHeld
	for range 500 {
		err = fmt.Errorf("%w", err)
	}
	if !errors.Is(driver.Guard(func() error { return err }), driver.ErrHeld) {
		t.Error("what is 500 deep is not found")
	}
}

// A goroutine's end is a failure that says so, with the place.
func TestGoexitIsAPanicError(t *testing.T) {
	exits := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { runtime.Goexit(); return nil })
	for _, p := range []*driver.Pipeline{driver.New(exits), driver.New(driver.Parallel(exits))} {
		err := p.Process(t.Context(), order)
		panicked, ok := errors.AsType[*driver.PanicError](err)
		if !ok || !strings.Contains(err.Error(), "Goexit") || !strings.Contains(string(panicked.Stack), "TestGoexitIsAPanicError") {
			t.Errorf("%v; want one that says where the goroutine ended", err)
		}
	}
}
