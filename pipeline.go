package eventdriver

import (
	"context"
	"fmt"
	"log/slog"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/driver/transformer"
)

// newPipeline returns the steps in their order: erase content that nobody uses, join,
// let each key pass once, act, publish. The business handler decides what is
// published: the message that it passes to next. A key counts as processed when
// Pub/Sub has confirmed that message.
func newPipeline(c Config, s stores, business driver.Handler, logger *slog.Logger, o observer) (*driver.Pipeline, error) {
	if _, can := s.events.(driver.Replacer); !can && c.ConflictPolicy == joiner.KeepLast {
		return nil, fmt.Errorf("CONFLICT_POLICY must not be last: the store %s can't replace events", c.EventStore)
	}
	if _, hasName := business.(fmt.Stringer); !hasName {
		business = driver.Named("business", business)
	}
	s = o.stores(c, s)
	idempotency := []cache.Option{cache.SkipOnConflict(), cache.Lease(c.Lease), cache.Logger(logger)}
	if c.QuarantineOnExpiry {
		idempotency = append(idempotency, cache.QuarantineOnExpiry(c.quarantine(s)))
	}
	handlers := []driver.Handler{
		transformer.NewPrompt(transformer.EraseContentFromSources(c.EraseSources...)),
		joiner.New(c.Join().Condition, s.events, joiner.OnConflict(c.ConflictPolicy), joiner.Deadline(c.JoinDeadline), joiner.Logger(logger)),
		cache.New(s.claims, idempotency...),
	}
	if c.DeadLetters {
		handlers = append(handlers, convert.DeadLetterSwept(s.deadLetters, c.BodyLimit))
	}
	if !c.ProcessIncomplete {
		handlers = append(handlers, convert.DeadLetterIncomplete(s.deadLetters, c.BodyLimit))
	}
	handlers = append(handlers, cache.MaxAttempts(c.MaxAttempts), o.business(business))
	if s.output != nil {
		handlers = append(handlers, s.output)
	}
	return driver.New(o.handlers(handlers)...), nil
}

// Pipeline returns the function's pipeline on a store of yours, for tests: give it the store of a
// drivertest.Env, and a business that acts by that one's Effect. It writes no dead letters itself: a
// join that a sweep ends goes on to the business, and a run that fails for good in one is a failure.
func (c Config) Pipeline(store interface {
	driver.EventStore
	driver.ClaimStore
}, business driver.Handler) (*driver.Pipeline, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.DeadLetters, c.ProcessIncomplete = false, true
	return newPipeline(c, stores{events: store, claims: store}, business, nil, unobserved{})
}

// Join is the function's join, for those who look at keys.
func (c Config) Join() joiner.Join { return joiner.Join{Condition: joiner.MatchAll(c.Sources...)} }

// quarantine returns what is called for a key whose last run may have acted. No event is delivered in
// a sweep, so the handler writes the letter itself then.
func (c Config) quarantine(s stores) driver.Handler {
	if !c.DeadLetters {
		return cache.OutcomeUnknown
	}
	swept := convert.DeadLetterSwept(s.deadLetters, c.BodyLimit)
	return driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		return swept.Process(ctx, in, func(ctx context.Context, in driver.Message) error {
			return cache.OutcomeUnknown.Process(ctx, in, next)
		})
	})
}

// input returns what makes messages of events.
func (c Config) input() (convert.InputConverter, error) {
	opts := append(c.keyPointers(), c.sourceNames(), decode.Content(c.Content), decode.ContentLimit(c.BodyLimit))
	decoder, err := decode.New(opts...)
	if err != nil {
		return nil, err
	}
	return decoder.Message, nil
}

// keyPointers leaves out a pointer for all events that is empty: as a JSON pointer it
// would point to the whole content.
func (c Config) keyPointers() []decode.Option {
	each := decode.KeyPointers(c.KeyPointers)
	if c.KeyPointer == "" {
		return []decode.Option{each}
	}
	return []decode.Option{decode.KeyPointer(c.KeyPointer), each}
}

// sourceNames returns the aliases of every source, even of those that have none, so
// that a topic with the name of an event is known to bring it.
func (c Config) sourceNames() decode.Option {
	names := make(map[string][]string)
	for _, source := range c.Sources {
		names[source] = c.SourceAliases[source]
	}
	return decode.SourceAliases(names)
}
