package drivertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"example.com/eventdriver/driver"
)

var (
	_ driver.EventStore      = (*Faults)(nil)
	_ driver.Replacer        = (*Faults)(nil)
	_ driver.Decider         = (*Faults)(nil)
	_ driver.KeepLooker      = (*Faults)(nil)
	_ driver.Sealer          = (*Faults)(nil)
	_ driver.ClaimStore      = (*Faults)(nil)
	_ driver.DeadLetterStore = (*Faults)(nil)
)

// ErrInjected is the failure that [Fail] injects. It is not permanent.
var ErrInjected = errors.New("injected fault")

// Op names an operation: a method of a store.
type Op string

// The operations, and OpAny, which stands for all of them.
const (
	OpAny              Op = ""
	OpPersist          Op = "Persist"
	OpLookUp           Op = "LookUp"
	OpLookUpByKey      Op = "LookUpByKey"
	OpListSourcesByKey Op = "ListSourcesByKey"
	OpReplace          Op = "Replace"
	OpDecide           Op = "Decide"
	OpListDecided      Op = "ListDecided"
	OpKeepAndLook      Op = "KeepAndLook"
	OpSeal             Op = "Seal"
	OpAcquire          Op = "Acquire"
	OpRenew            Op = "Renew"
	OpComplete         Op = "Complete"
	OpRelease          Op = "Release"
	OpAddDeadLetter    Op = "AddDeadLetter"
)

// Call is one call of an operation.
type Call struct {
	Op     Op
	Key    string
	Source string // empty where the operation has none
	N      int    // which call of this operation it is, from 1
	Seq    int    // which call of any operation it is, from 1
}

// String names the call: "Persist 2, key "order-1", source "event1"".
func (c Call) String() string {
	s := fmt.Sprintf("%s %d, key %q", c.Op, c.N, c.Key)
	if c.Source != "" {
		s += fmt.Sprintf(", source %q", c.Source)
	}
	return s
}

// Fault is what goes wrong with one call. The zero Fault is nothing. The
// functions are given the caller's context: see [Fail], [Delay] and [Block].
type Fault struct {
	// Before runs before the operation. Its error is returned in place of doing
	// the operation.
	Before func(ctx context.Context) error
	// After runs after the operation, whatever came of that. Its error is
	// returned in place of the operation's result: the answer is lost.
	After func(ctx context.Context) error

	saw func(result any, err error) // runs between the two
}

// Fail is a part of a [Fault] that returns [ErrInjected].
func Fail(context.Context) error { return ErrInjected }

// FailWith returns a part of a [Fault] that returns err: for example
// [context.DeadlineExceeded], as a store does that bounds its operations itself.
func FailWith(err error) func(ctx context.Context) error {
	return func(context.Context) error { return err }
}

// Delay returns a part of a [Fault] that lets d pass, or returns the context's
// error if that ends first.
func Delay(d time.Duration) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		timer := time.NewTimer(d)
		defer timer.Stop()
		return until(ctx, timer.C)
	}
}

// Block returns a part of a [Fault] that waits until the channel is closed, or
// returns the context's error if that ends first.
func Block(opened <-chan struct{}) func(ctx context.Context) error {
	return func(ctx context.Context) error { return until(ctx, opened) }
}

func until[T any](ctx context.Context, event <-chan T) error {
	select {
	case <-event:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Faults wraps a store, fails its operations as it is told, and counts them. It
// is safe for concurrent use, also by hooks.
//
// It has the methods of every kind of store in package driver. A method that the
// wrapped store lacks is not counted and returns an error that wraps
// [errors.ErrUnsupported]. The errors of faults are wrapped, with the call.
type Faults struct {
	store any

	mu    sync.Mutex
	hooks []func(Call) Fault
	calls []Call
	count map[Op]int
}

// NewFaults returns a wrapper of store, any of the kinds of store in package
// driver. Until it is told otherwise, it lets everything pass.
func NewFaults(store any) *Faults {
	return &Faults{store: store, count: make(map[Op]int)}
}

// Hook has hook asked about every call from now on. What several hooks say all
// happens, in the order of the hooks, until one of them fails. Hooks are called
// concurrently.
func (f *Faults) Hook(hook func(Call) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hooks = append(f.hooks, hook)
}

// FailBefore fails the nth call of op, counted from 1 as in [Call], without doing
// it. With [OpAny] it is the nth call of any operation.
func (f *Faults) FailBefore(op Op, n int) {
	f.Hook(nth(op, n, Fault{Before: Fail}))
}

// FailAfter does the nth call of op, counted from 1 as in [Call], but loses its
// answer. With [OpAny] it is the nth call of any operation.
func (f *Faults) FailAfter(op Op, n int) {
	f.Hook(nth(op, n, Fault{After: Fail}))
}

func nth(op Op, n int, fault Fault) func(Call) Fault {
	return func(c Call) Fault {
		if op == OpAny && c.Seq == n || c.Op == op && c.N == n {
			return fault
		}
		return Fault{}
	}
}

// Count says how often op was called; with [OpAny], how often any operation was.
// Calls that failed count.
func (f *Faults) Count(op Op) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[op]
}

// Calls returns the calls so far, in the order in which they began.
func (f *Faults) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Reset forgets hooks and calls: all passes, and the count begins again.
func (f *Faults) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hooks, f.calls = nil, nil
	clear(f.count)
}

// begin notes a call and returns its number, and what goes wrong with it.
func (f *Faults) begin(op Op, key, source string) (Call, []Fault) {
	f.mu.Lock()
	f.count[op]++
	f.count[OpAny]++
	c := Call{Op: op, Key: key, Source: source, N: f.count[op], Seq: f.count[OpAny]}
	f.calls = append(f.calls, c)
	hooks := slices.Clone(f.hooks)
	f.mu.Unlock()

	faults := make([]Fault, len(hooks))
	for i, hook := range hooks {
		faults[i] = hook(c)
	}
	return c, faults
}
