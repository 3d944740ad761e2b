// Package memstore keeps events, claims and dead letters in memory.
//
// It is for local runs and tests only: the state dies with the process, and no other
// process sees it. It keeps the contracts of package driver to the letter, so what works
// with it works with the stores that last. Nothing is ever deleted, so a process that
// handles new keys all the time runs out of memory.
package memstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"example.com/eventdriver/driver"
)

var (
	_ driver.EventStore      = (*Store)(nil)
	_ driver.PromptStore     = (*Store)(nil)
	_ driver.Replacer        = (*Store)(nil)
	_ driver.Decider         = (*Store)(nil)
	_ driver.KeepLooker      = (*Store)(nil)
	_ driver.Sealer          = (*Store)(nil)
	_ driver.ClaimStore      = (*Store)(nil)
	_ driver.Reopener        = (*Store)(nil)
	_ driver.DeadLetterStore = (*Store)(nil)
	_ driver.LetterBox       = (*Store)(nil)
	_ driver.Inspector       = (*Store)(nil)
	_ driver.Corrector       = (*Store)(nil)
	_ driver.Purger          = (*Store)(nil)
)

// Store is a store in memory. It is safe for concurrent use: one mutex makes
// every method a single step. Make one with [New].
type Store struct {
	mu      sync.Mutex
	events  map[string]events              // by key
	decided map[string]map[string][]string // by key, then by the join's name
	sealed  map[string]map[string]bool     // by key, then by source
	leases  map[claimed]*lease
	letters []letter // in the order they came, which is that of their numbers
	added   int      // how many letters there have ever been

	corrected   map[string]driver.Message // events as they were before, by what they are called
	corrections int                       // how many there have ever been
	purged      int64                     // the greatest token of the claims that were purged
}

type letter struct {
	driver.DeadLetter
	number int
	added  time.Time
}

// New returns an empty store. Leases run by [time.Now].
func New() *Store {
	return &Store{
		events:  make(map[string]events),
		decided: make(map[string]map[string][]string),
		sealed:  make(map[string]map[string]bool),
		leases:  make(map[claimed]*lease),

		corrected: make(map[string]driver.Message),
	}
}

// IsPrompt implements [driver.PromptStore].
func (s *Store) IsPrompt(store driver.EventStore) bool { return store == driver.EventStore(s) }

// Persist implements [driver.EventStore].
func (s *Store) Persist(ctx context.Context, m driver.Message) error {
	if err := cmp.Or(ctx.Err(), m.Valid()); err != nil {
		return failed("persist", m.Key, m.Source, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.persist(ctx, m)
}

// persist keeps m unless an event is kept already. The caller holds the mutex.
func (s *Store) persist(ctx context.Context, m driver.Message) error {
	if err := s.checkSealed(m.Key, m.Source); err != nil {
		return failed("persist", m.Key, m.Source, err)
	}
	kept := s.events[m.Key].of(m.Source)
	if kept == nil {
		s.keep(driver.Succession{Last: m})
		return nil
	}
	var conflict *driver.ConflictError
	if !errors.As(kept.Conflict(m), &conflict) {
		return nil
	}
	if err := driver.Grow(ctx, len(kept.Last.Content)); err != nil {
		return failed("persist", m.Key, m.Source, err)
	}
	conflict.Stored = kept.message()
	return failed("persist", m.Key, m.Source, conflict)
}

// KeepAndLook implements [driver.KeepLooker].
func (s *Store) KeepAndLook(ctx context.Context, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	if err := cmp.Or(ctx.Err(), driver.ValidLook(m, sources)); err != nil {
		return nil, nil, failed("keep and look", m.Key, m.Source, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	err := s.persist(ctx, m)
	if err != nil {
		var conflict *driver.ConflictError
		if !errors.As(err, &conflict) {
			return nil, nil, err
		}
		m = conflict.Stored
	}
	messages, missing, failure := s.look(ctx, m, sources)
	if failure != nil {
		return nil, nil, failed("keep and look", m.Key, m.Source, failure)
	}
	return messages, missing, err
}

// look returns the events of sources, which are in order, or those sources that are missing. m has the content
// that is kept for its source. The caller holds the mutex.
func (s *Store) look(ctx context.Context, m driver.Message, sources []string) (messages []driver.Message, missing []string, err error) {
	events, sealed := s.events[m.Key], len(s.sealed[m.Key]) > 0
	rest := events
	for _, source := range sources {
		if sealed {
			if err := s.checkSealed(m.Key, source); err != nil {
				return nil, nil, err
			}
		}
		var kept *event
		if kept, rest = rest.next(source); kept == nil {
			if missing == nil {
				missing = make([]string, 0, len(sources))
			}
			missing = append(missing, source)
		}
	}
	if missing != nil {
		return nil, missing, nil
	}
	messages, rest = make([]driver.Message, 0, len(sources)), events
	for _, source := range sources {
		var kept *event
		kept, rest = rest.next(source)
		if source == m.Source {
			one := kept.Last
			one.Content, one.Attributes = m.Content, kept.attributesLike(m.Attributes)
			messages = append(messages, one)
			continue
		}
		if err := driver.Grow(ctx, len(kept.Last.Content)); err != nil {
			return nil, nil, err
		}
		messages = append(messages, kept.message())
	}
	return messages, nil, nil
}

// Replace implements [driver.Replacer].
func (s *Store) Replace(ctx context.Context, m driver.Message) (driver.Message, error) {
	if err := cmp.Or(ctx.Err(), m.Valid()); err != nil {
		return driver.Message{}, failed("replace", m.Key, m.Source, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	if err := s.checkSealed(m.Key, m.Source); err != nil {
		return driver.Message{}, failed("replace", m.Key, m.Source, err)
	}
	before := s.events[m.Key].of(m.Source)
	var kept driver.Succession
	if before != nil {
		kept = before.Succession
	}
	next, later := kept.Replace(m)
	if err := driver.Grow(ctx, max(len(kept.Last.Content), len(m.Content))); err != nil {
		return driver.Message{}, failed("replace", m.Key, m.Source, err)
	}
	switch {
	case before == nil:
		s.keep(driver.Succession{Last: m})
	case later:
		s.keep(next)
	default:
		return before.message(), nil
	}
	return m.Clone(), nil
}

// keep stores a copy of the event. The caller holds the mutex.
func (s *Store) keep(e driver.Succession) {
	kept := s.events[e.Last.Key]
	if kept == nil {
		kept = make(events, 0, 4) // rather than one, two, four
	}
	i, found := kept.find(e.Last.Source)
	if !found {
		kept = slices.Insert(kept, i, &event{since: time.Now()})
	}
	kept[i].set(e)
	s.events[kept[i].Last.Key] = kept
}

// LookUp implements [driver.EventStore].
func (s *Store) LookUp(ctx context.Context, key, source string) (driver.Message, error) {
	if err := cmp.Or(ctx.Err(), driver.ValidName(key, source)); err != nil {
		return driver.Message{}, failed("look up", key, source, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	if err := s.checkSealed(key, source); err != nil {
		return driver.Message{}, failed("look up", key, source, err)
	}
	kept := s.events[key].of(source)
	if kept == nil {
		return driver.Message{}, failed("look up", key, source, driver.ErrNotFound)
	}
	if err := driver.Grow(ctx, len(kept.Last.Content)); err != nil {
		return driver.Message{}, failed("look up", key, source, err)
	}
	return kept.message(), nil
}

// LookUpByKey implements [driver.EventStore].
func (s *Store) LookUpByKey(ctx context.Context, key string) ([]driver.Message, error) {
	if err := cmp.Or(ctx.Err(), driver.ValidKey(key)); err != nil {
		return nil, failed("look up", key, anySource, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	found := make([]driver.Message, 0, len(s.events[key]))
	for _, e := range s.events[key] {
		if err := driver.Grow(ctx, len(e.Last.Content)); err != nil {
			return nil, failed("look up", key, e.Last.Source, err)
		}
		found = append(found, e.message())
	}
	return found, nil
}

// ListSourcesByKey implements [driver.EventStore].
func (s *Store) ListSourcesByKey(ctx context.Context, key string) ([]string, error) {
	if err := cmp.Or(ctx.Err(), driver.ValidKey(key)); err != nil {
		return nil, failed("list sources", key, anySource, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.sources(key), nil
}

// sources returns key's sources, ordered. The caller holds the mutex.
func (s *Store) sources(key string) (sources []string) {
	for _, e := range s.events[key] {
		sources = append(sources, e.Last.Source)
	}
	return sources
}

// Decide implements [driver.Decider].
func (s *Store) Decide(ctx context.Context, key, name string, sources []string) ([]string, error) {
	mine, err := driver.ValidDecision(key, name, sources)
	if err := cmp.Or(ctx.Err(), err); err != nil {
		return nil, fmt.Errorf("memstore: decide: key %q, join %q: %w", key, name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.decided[key] == nil {
		s.decided[key] = make(map[string][]string)
	}
	if s.decided[key][name] == nil {
		s.decided[key][name] = mine
	}
	return slices.Clone(s.decided[key][name]), nil
}

// ListDecided implements [driver.Decider].
func (s *Store) ListDecided(ctx context.Context, key, name string) (sources, decided []string, err error) {
	if err := cmp.Or(ctx.Err(), driver.ValidJoin(key, name)); err != nil {
		return nil, nil, fmt.Errorf("memstore: list decided: key %q, join %q: %w", key, name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.sources(key), slices.Clone(s.decided[key][name]), nil
}

// anySource stands for the source where a method takes a key alone.
const anySource = ""

// failed says what it was that err happened to.
func failed(what, key, source string, err error) error {
	if source == anySource {
		return fmt.Errorf("memstore: %s: key %q: %w", what, key, err)
	}
	return fmt.Errorf("memstore: %s: key %q, source %q: %w", what, key, source, err)
}
