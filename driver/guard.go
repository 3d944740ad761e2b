package driver

import (
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"strings"
)

// Guard calls fn and returns its error; a panic becomes a [*PanicError], and so does the
// end of fn's goroutine by [runtime.Goexit]. Call functions that others wrote by Guard where
// an event has to be answered, whatever they do. fn runs in a goroutine of its own, and Guard
// waits for it.
//
// The methods of the error that Guard returns never panic, whatever those of fn's error
// do. Its text is the one that fn's error had when fn returned, and ends after 32 KiB. [errors.Is]
// and [errors.As] find in it what they find in fn's error, except errors more than a thousand
// levels deep, and nil pointers.
func Guard(fn func() error) error {
	return <-Go(fn)
}

// Go is [Guard] that does not wait: what Guard would return comes from the channel, once.
func Go(fn func() error) <-chan error {
	result := make(chan error, 1)
	go deliver(fn, func(err error) { result <- err })
	return result
}

// deliver calls fn, which can end the goroutine, and passes on what [Guard] returns.
func deliver(fn func() error, to func(error)) {
	var err error
	returned := false
	defer func() {
		if !returned {
			err = safe(&PanicError{Value: errGoexit, Stack: debug.Stack()})
		}
		to(err)
	}()
	err = Recover(fn)
	returned = true
}

// growStack gives a goroutine that has just begun the stack that a pipeline needs, at once: while
// there is nothing on it. Otherwise it would grow in steps, each of which copies all frames. The
// function's frame is as large as that also where it is not used.
//
//go:noinline
func growStack(use bool) (last byte) {
	if use {
		var frame [stackOfRun]byte
		for i := range frame {
			frame[i] = last + byte(i)
			last = frame[i/2]
		}
	}
	return last
}

const stackOfRun = 8 << 10

var errGoexit = errors.New("it ended its goroutine (runtime.Goexit)")

// Recover is [Guard] in the caller's own goroutine, at a hundredth of its cost. It is for functions that
// never end that, and for what handlers call: these run in a goroutine of [Pipeline.Process], which
// returns the error that Guard would where fn ends it. A [Prompt] handler calls nothing that does.
func Recover(fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = safe(&PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	return safe(fn())
}

// PanicError is a panic of a handler, or of another function that [Guard] has called.
type PanicError struct {
	Value any    // what it panicked with; for runtime.Goexit an error that says so
	Stack []byte // the goroutine's stack at the panic, as runtime/debug.Stack prints it
}

// Error says what the handler panicked with, and leaves the stack out.
func (e *PanicError) Error() string { return "panic: " + valueText(e.Value) }

// Unwrap returns the value that was panicked with, where that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return safe(err)
}

const (
	longestText  = 32 << 10 // bytes of an error's text
	longestChain = 1000     // errors that an error wraps
)

// safeError is an error that others have made, and that may have methods which panic, go
// round in circles or return megabytes. Nobody but this type calls them.
type safeError struct {
	text  string
	chain []error // the error and all that it wraps, in the order of errors.Is; none is a nil pointer
}

// safe returns err with methods that are safe to call; nil for nil.
func safe(err error) error {
	if err == nil {
		return nil
	}
	if already, ok := err.(*safeError); ok && already != nil {
		return already
	}
	return &safeError{textOf(err), appendChain(nil, err)}
}

// Error returns the text that the error had first.
func (e *safeError) Error() string { return e.text }

// Is is for [errors.Is].
func (e *safeError) Is(target error) bool {
	for _, err := range e.chain {
		if is(err, target) {
			return true
		}
	}
	return false
}

// As is for [errors.As].
func (e *safeError) As(target any) bool {
	for _, err := range e.chain {
		if as(err, target) {
			return true
		}
	}
	return false
}

// is looks at err alone, and not at what it wraps.
func is(err, target error) bool {
	if equal(err, target) {
		return true
	}
	x, ok := err.(interface{ Is(error) bool })
	return ok && apart(func() bool { return x.Is(target) })
}

// equal compares two errors; those that can't be compared are different.
func equal(a, b error) (same bool) {
	defer func() {
		if recover() != nil {
			same = false
		}
	}()
	return reflect.TypeOf(a).Comparable() && a == b
}

// as looks at err alone, and not at what it wraps. What an As method leaves behind counts
// only where it is something.
func as(err error, target any) bool {
	into := reflect.ValueOf(target).Elem()
	if reflect.TypeOf(err).AssignableTo(into.Type()) {
		into.Set(reflect.ValueOf(err))
		return true
	}
	x, ok := err.(interface{ As(any) bool })
	if !ok {
		return false
	}
	before := reflect.New(into.Type()).Elem()
	before.Set(into)
	if apart(func() bool { return x.As(target) }) && !isNil(into) {
		return true
	}
	into.Set(before)
	return false
}

// apart calls the method of an error in a goroutine of its own, which the method can end. Where it
// does that, or panics, the answer is false.
func apart(method func() bool) bool {
	answer := make(chan bool, 1)
	go func() {
		yes := false
		defer func() {
			_ = recover()
			answer <- yes
		}()
		yes = method()
	}()
	return <-answer
}

// appendChain appends err and what it wraps to chain, depth first.
func appendChain(chain []error, err error) []error {
	if safe, ok := err.(*safeError); ok && safe != nil {
		return append(chain, safe.chain[:min(len(safe.chain), longestChain-len(chain))]...)
	}
	if err == nil || isNil(reflect.ValueOf(err)) {
		return chain
	}
	chain = append(chain, err)
	for _, inner := range unwrapped(err) {
		if len(chain) >= longestChain {
			break
		}
		chain = appendChain(chain, inner)
	}
	return chain
}

// unwrapped returns the errors that err wraps.
func unwrapped(err error) (inner []error) {
	defer func() {
		if recover() != nil {
			inner = nil
		}
	}()
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		return []error{err.Unwrap()}
	case interface{ Unwrap() []error }:
		return err.Unwrap()
	}
	return nil
}

// isNil says whether v is nil, or an interface that holds a value that is.
func isNil(v reflect.Value) bool {
	for v.Kind() == reflect.Interface && !v.IsNil() {
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Chan, reflect.Func, reflect.Interface, reflect.Map, reflect.Pointer, reflect.Slice, reflect.UnsafePointer:
		return v.IsNil()
	}
	return false
}

// textOf returns err's own text.
func textOf(err error) (text string) {
	defer func() {
		if recover() == nil {
			return
		}
		if text = fmt.Sprintf("a %T whose method Error panics", err); isNil(reflect.ValueOf(err)) {
			text = fmt.Sprintf("a nil %T", err)
		}
	}()
	return cut(err.Error())
}

// valueText returns v as text. It does not follow maps, slices and pointers: a value that
// contains itself would never end.
func valueText(v any) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("a %T whose method String panics", v)
		}
	}()
	switch v := v.(type) {
	case error:
		return textOf(v)
	case fmt.Stringer:
		return cut(v.String())
	}
	switch kind := reflect.ValueOf(v).Kind(); {
	case kind == reflect.String || kind >= reflect.Bool && kind <= reflect.Complex128:
		return cut(fmt.Sprint(v))
	}
	return fmt.Sprintf("a value of type %T", v)
}

// cut returns the beginning of text, with its length, where it is very long.
func cut(text string) string {
	if len(text) <= longestText {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:longestText], ""), len(text))
}
