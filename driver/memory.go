package driver

import (
	"context"
	"fmt"
	"sync/atomic"
)

// Memory is the account of the bytes that a request holds, from before its body is
// read until its handlers have ended. Its methods are safe for concurrent use.
type Memory interface {
	// Grow adds n bytes that are about to be held until the request ends. It never
	// waits. An [ErrNoMemory] says that they are not free now: the caller gives up,
	// so that all that the request holds is freed, and the event is delivered again.
	// A permanent error with [ReasonTooLarge] says that n bytes can never be free.
	Grow(n int64) error
	// Shrink takes n bytes back that Grow has added, and that are not held any more.
	Shrink(n int64)
	// Hold keeps the account open until release is called, also after the request
	// has been answered. It is for handlers that go on then.
	Hold() (release func())
}

type memoryKey struct{}

// WithMemory returns a context whose handlers and stores count what they hold in m.
func WithMemory(ctx context.Context, m Memory) context.Context {
	return context.WithValue(ctx, memoryKey{}, m)
}

// Grow adds n bytes to the context's account: see [Memory]. Without an account there
// is no limit. Stores call it with the length of each content before they read it,
// and handlers before they copy a content. The joiner counts what it composes twice, so
// that a handler after it can copy it. [JSON] counts what decoding takes beside that.
func Grow(ctx context.Context, n int) error {
	m, ok := ctx.Value(memoryKey{}).(Memory)
	if !ok || n <= 0 {
		return nil
	}
	if err := m.Grow(int64(n)); err != nil {
		return fmt.Errorf("%d bytes more: %w", n, err)
	}
	return nil
}

// ScopeMemory returns a context whose account is the same, and a function that takes back
// what was added through that context. It is for what is held for a part of a request: call
// free when all of that is dropped, or never.
func ScopeMemory(ctx context.Context) (scoped context.Context, free func()) {
	m, ok := ctx.Value(memoryKey{}).(Memory)
	if !ok {
		return ctx, func() {}
	}
	s := &memoryScope{Memory: m}
	return WithMemory(ctx, s), func() { s.Memory.Shrink(s.grown.Swap(0)) }
}

type memoryScope struct {
	Memory
	grown atomic.Int64
}

// Grow implements [Memory].
func (s *memoryScope) Grow(n int64) error {
	err := s.Memory.Grow(n)
	if err == nil {
		s.grown.Add(n)
	}
	return err
}

// Shrink implements [Memory].
func (s *memoryScope) Shrink(n int64) {
	s.Memory.Shrink(n)
	s.grown.Add(-n)
}

// holdMemory keeps the context's account open until release is called.
func holdMemory(ctx context.Context) (release func()) {
	if m, ok := ctx.Value(memoryKey{}).(Memory); ok {
		return m.Hold()
	}
	return func() {}
}
