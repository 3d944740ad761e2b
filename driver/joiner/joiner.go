// Package joiner goes on with a pipeline when all events of a key have arrived.
//
// # Why no join is missed
//
// The joiner first keeps its own event in the store, and looks for the others
// after the store has said that it is kept. Of all the events of a key, the one
// whose Persist returns last therefore sees all the others, wherever they were
// handled. Two events that return at about the same time may both see the join
// complete, and any redelivery sees it again: so the joiner may go on several
// times for a key, never zero times. A cache after it makes that once.
package joiner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"example.com/eventdriver/driver"
)

// ComposedSource is the Source of the message that a joiner goes on with.
const ComposedSource = "composed-event"

// ConflictPolicy says what to do with an event for whose key and source other
// content is stored already.
type ConflictPolicy int

const (
	// KeepFirst ignores the new content. It is the default.
	KeepFirst ConflictPolicy = iota
	// KeepLast replaces the stored content, unless the stored event has the
	// later Time. What was joined and processed already is not done again. The
	// store must be a [driver.Replacer].
	KeepLast
	// Reject fails the event with a permanent error, so that it is set aside
	// with [driver.ReasonConflict].
	Reject
)

// Option changes how a joiner works.
type Option func(*Joiner)

// OnConflict sets the policy for an event that brings other content than is
// stored. The default is [KeepFirst].
func OnConflict(policy ConflictPolicy) Option {
	return func(j *Joiner) { j.policy = policy }
}

// Joiner is a handler that keeps events and goes on when the condition holds for
// the sources that have arrived. Create it with [New].
//
// The message that it goes on with has the events' Key, [ComposedSource] as
// Source, the latest of their Times, and as Content a JSON object with the
// content of each event under its source: content that is valid JSON byte for
// byte (nested less than 10,000 deep, so that the whole can be read), other text as
// a JSON string, and what is not UTF-8 as a JSON string in base64. Its ID is made from the key, so that it is the same each time.
type Joiner struct {
	condition Condition
	store     driver.EventStore
	policy    ConflictPolicy
}

// New returns a joiner. It panics if the condition can never hold (see [Check])
// or if the store is no [driver.Replacer] and the policy is [KeepLast]: these are
// mistakes in the program, to be seen when it starts.
//
// For [MatchAll], and for [And] of those, the joiner reads only the sources that
// are needed, at the same time as it writes: an event waits for two store calls
// one after the other at most, unless another arrives at the same time. For
// other conditions it writes, then lists all that is stored for the key.
func New(condition Condition, store driver.EventStore, opts ...Option) *Joiner {
	if err := Check(condition); err != nil {
		panic(err)
	}
	if store == nil {
		panic(errors.New("joiner: the event store is nil"))
	}
	j := &Joiner{condition: condition, store: store}
	for _, opt := range opts {
		opt(j)
	}
	if _, can := store.(driver.Replacer); !can && j.policy == KeepLast {
		panic(fmt.Errorf("joiner: KeepLast needs a store that is a driver.Replacer, and %T is none", store))
	}
	return j
}

// Process implements [driver.Handler]. Failures of the store are returned as they
// are, so that the event is delivered again. An event without a key, or from a
// source that the condition does not wait for, is a permanent error.
func (j *Joiner) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	if err := j.check(in); err != nil {
		return err
	}
	join := j.listed
	e, ours := j.condition.(*Expression)
	if ours && e.needed != nil {
		join = j.needed
	}
	messages, err := join(ctx, in)
	if err != nil {
		return err
	}
	if messages == nil {
		slog.DebugContext(ctx, "event stored, the join is not complete", "key", in.Key, "source", in.Source)
		driver.RunFrom(ctx).Wait()
		return nil
	}
	return next.Call(ctx, compose(in.Key, messages))
}

func (j *Joiner) check(in driver.Message) error {
	if err := in.Valid(); err != nil {
		return err
	}
	if e, ours := j.condition.(*Expression); ours && !e.waitsFor(in.Source) {
		return driver.Reject(driver.ReasonUnknownSource,
			fmt.Errorf("source %q is none of those joined, %q: give it an alias, or send it elsewhere", in.Source, e.named))
	}
	return nil
}

// listed persists in and then asks for everything that is stored for its key. It
// returns nil if the condition does not hold.
func (j *Joiner) listed(ctx context.Context, in driver.Message) ([]driver.Message, error) {
	if _, err := j.persist(ctx, in); err != nil {
		return nil, err
	}
	messages, err := j.store.LookUpByKey(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	sources := make([]string, len(messages))
	for i, m := range messages {
		sources[i] = m.Source
	}
	if !j.condition.Evaluate(sources) {
		return nil, nil
	}
	return messages, nil
}

// needed persists in and at the same time looks for each other source that is
// needed. What it did not find then, it looks for again after in is persisted:
// without this second look, two events that arrive together could both miss the
// other. It returns nil if one is still missing.
func (j *Joiner) needed(ctx context.Context, in driver.Message) ([]driver.Message, error) {
	sources := j.condition.(*Expression).needed
	messages := make([]driver.Message, len(sources))
	errs := make([]error, len(sources))
	var wait sync.WaitGroup
	for i, source := range sources {
		wait.Go(func() {
			errs[i] = driver.Guard(func() (err error) {
				if source == in.Source {
					messages[i], err = j.persist(ctx, in)
				} else {
					messages[i], err = j.store.LookUp(ctx, in.Key, source)
				}
				return err
			})
		})
	}
	wait.Wait()
	if err := errs[slices.Index(sources, in.Source)]; err != nil {
		return nil, err
	}
	for i, source := range sources {
		if errs[i] == nil {
			continue
		}
		m, err := j.store.LookUp(ctx, in.Key, source)
		if errors.Is(err, driver.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		messages[i] = m
	}
	return messages, nil
}

// persist keeps m, and returns what is kept: m, or what the policy prefers to it.
func (j *Joiner) persist(ctx context.Context, m driver.Message) (driver.Message, error) {
	err := j.store.Persist(ctx, m)
	var conflict *driver.ConflictError
	if !errors.As(err, &conflict) {
		return m, err
	}
	switch j.policy {
	case KeepLast:
		return j.store.(driver.Replacer).Replace(ctx, m)
	case Reject:
		return m, driver.Reject(driver.ReasonConflict, err)
	}
	slog.DebugContext(ctx, "other content was stored before, it is kept", "key", m.Key, "source", m.Source)
	return conflict.Stored, nil
}
