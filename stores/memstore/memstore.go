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
	"strings"
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
	keys    map[string]*record
	letters []letter // in the order they came, which is that of their numbers
	added   int      // how many letters there have ever been

	corrected   map[string]driver.Message // events as they were before, by what they are called
	corrections int                       // how many there have ever been
	purged      int64                     // the greatest token of the claims that were purged
}

// record is all that is kept of a key but its letters.
type record struct {
	key     string
	events  events
	sealed  map[string]bool     // by source
	decided map[string][]string // by the join's name
	leases  leases
}

type letter struct {
	driver.DeadLetter
	number int
	added  time.Time
}

// New returns an empty store. Leases run by [time.Now].
func New() *Store {
	return &Store{keys: make(map[string]*record), corrected: make(map[string]driver.Message)}
}

// read returns what is kept of a key, which may be nothing. The caller holds the mutex.
func (s *Store) read(key string) record {
	if r := s.keys[key]; r != nil {
		return *r
	}
	return record{key: key}
}

// record returns what is kept of a key, to be added to. The caller holds the mutex.
func (s *Store) record(key string) *record {
	r := s.keys[key]
	if r == nil {
		key = strings.Clone(key) // which may be a part of a large text
		r = &record{key: key}
		s.keys[key] = r
	}
	return r
}

// forget takes the record of a key away if it is empty. The caller holds the mutex.
func (s *Store) forget(r *record) {
	if len(r.events)+len(r.sealed)+len(r.decided)+len(r.leases) == 0 {
		delete(s.keys, r.key)
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

	return s.record(m.Key).persist(ctx, m, 1)
}

// persist keeps m unless an event is kept already. expected is how many events the key is to have.
func (r *record) persist(ctx context.Context, m driver.Message, expected int) error {
	if err := r.checkSealed(m.Source); err != nil {
		return failed("persist", m.Key, m.Source, err)
	}
	i, found := r.events.find(m.Source)
	if !found {
		r.insert(i, m, expected)
		return nil
	}
	kept := &r.events[i]
	if kept.content() == string(m.Content) {
		return nil
	}
	if err := driver.Grow(ctx, len(kept.content())); err != nil {
		return failed("persist", m.Key, m.Source, err)
	}
	return failed("persist", m.Key, m.Source, kept.succession(r.key).Conflict(m))
}

// KeepAndLook implements [driver.KeepLooker].
func (s *Store) KeepAndLook(ctx context.Context, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	if err := cmp.Or(ctx.Err(), driver.ValidLook(m, sources)); err != nil {
		return nil, nil, failed("keep and look", m.Key, m.Source, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	r := s.record(m.Key)
	err := r.persist(ctx, m, len(sources))
	if err != nil {
		var conflict *driver.ConflictError
		if !errors.As(err, &conflict) {
			return nil, nil, err
		}
		m = conflict.Stored
	}
	missing, failure := r.missing(sources)
	var messages []driver.Message
	if failure == nil && missing == nil {
		messages, failure = r.look(ctx, m, sources)
	}
	if failure != nil {
		return nil, nil, failed("keep and look", m.Key, m.Source, failure)
	}
	return messages, missing, err
}

// missing returns which of the sources, which are in order, have no event.
func (r *record) missing(sources []string) (missing []string, err error) {
	for source, kept := range r.events.each(sources) {
		if err := r.checkSealed(source); err != nil {
			return nil, err
		}
		if kept == nil {
			if missing == nil {
				missing = make([]string, 0, max(1, len(sources)-len(r.events)))
			}
			missing = append(missing, source)
		}
	}
	return missing, nil
}

// look returns the events of sources, which are in order and all there. m has the content that is kept for its
// source. The contents of the others share one piece of memory.
func (r *record) look(ctx context.Context, m driver.Message, sources []string) ([]driver.Message, error) {
	size := 0
	for source, kept := range r.events.each(sources) {
		if source != m.Source {
			size += len(kept.content())
		}
	}
	if err := driver.Grow(ctx, size); err != nil {
		return nil, err
	}
	messages, contents := make([]driver.Message, 0, len(sources)), make([]byte, 0, size)
	for source, kept := range r.events.each(sources) {
		one := kept.head(r.key)
		if source == m.Source {
			one.Content, one.Attributes = m.Content, kept.attributesLike(m.Attributes)
		} else {
			begin := len(contents)
			contents = append(contents, kept.content()...)
			one.Content, one.Attributes = contents[begin:len(contents):len(contents)], kept.attributeMap()
		}
		messages = append(messages, one)
	}
	return messages, nil
}

// Replace implements [driver.Replacer].
func (s *Store) Replace(ctx context.Context, m driver.Message) (driver.Message, error) {
	if err := cmp.Or(ctx.Err(), m.Valid()); err != nil {
		return driver.Message{}, failed("replace", m.Key, m.Source, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	r := s.read(m.Key)
	if err := r.checkSealed(m.Source); err != nil {
		return driver.Message{}, failed("replace", m.Key, m.Source, err)
	}
	i, found := r.events.find(m.Source)
	if !found {
		if err := driver.Grow(ctx, len(m.Content)); err != nil {
			return driver.Message{}, failed("replace", m.Key, m.Source, err)
		}
		s.record(m.Key).insert(i, m, 1)
		return m.Clone(), nil
	}
	before := &r.events[i]
	if err := driver.Grow(ctx, max(len(before.content()), len(m.Content))); err != nil {
		return driver.Message{}, failed("replace", m.Key, m.Source, err)
	}
	kept := before.succession(r.key)
	next, later := kept.Replace(m)
	if !later {
		return kept.Last, nil
	}
	before.set(next)
	return m.Clone(), nil
}

// insert keeps a copy of m, of a source that has no event yet, in place i.
func (r *record) insert(i int, m driver.Message, expected int) {
	if r.events == nil {
		r.events = make(events, 0, expected)
	}
	e := event{since: time.Now().UnixNano()}
	e.set(driver.Succession{Last: m})
	r.events = slices.Insert(r.events, i, e)
}

// LookUp implements [driver.EventStore].
func (s *Store) LookUp(ctx context.Context, key, source string) (driver.Message, error) {
	if err := cmp.Or(ctx.Err(), driver.ValidName(key, source)); err != nil {
		return driver.Message{}, failed("look up", key, source, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	r := s.read(key)
	if err := r.checkSealed(source); err != nil {
		return driver.Message{}, failed("look up", key, source, err)
	}
	kept := r.events.of(source)
	if kept == nil {
		return driver.Message{}, failed("look up", key, source, driver.ErrNotFound)
	}
	if err := driver.Grow(ctx, len(kept.content())); err != nil {
		return driver.Message{}, failed("look up", key, source, err)
	}
	return kept.message(r.key), nil
}

// LookUpByKey implements [driver.EventStore].
func (s *Store) LookUpByKey(ctx context.Context, key string) ([]driver.Message, error) {
	if err := cmp.Or(ctx.Err(), driver.ValidKey(key)); err != nil {
		return nil, failed("look up", key, anySource, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	r := s.read(key)
	found := make([]driver.Message, 0, len(r.events))
	for i := range r.events {
		e := &r.events[i]
		if err := driver.Grow(ctx, len(e.content())); err != nil {
			return nil, failed("look up", key, e.source(), err)
		}
		found = append(found, e.message(r.key))
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

	return s.read(key).events.sources(), nil
}

// Decide implements [driver.Decider].
func (s *Store) Decide(ctx context.Context, key, name string, sources []string) ([]string, error) {
	mine, err := driver.ValidDecision(key, name, sources)
	if err := cmp.Or(ctx.Err(), err); err != nil {
		return nil, fmt.Errorf("memstore: decide: key %q, join %q: %w", key, name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	r := s.record(key)
	if r.decided == nil {
		r.decided = make(map[string][]string)
	}
	if r.decided[name] == nil {
		r.decided[name] = mine
	}
	return slices.Clone(r.decided[name]), nil
}

// ListDecided implements [driver.Decider].
func (s *Store) ListDecided(ctx context.Context, key, name string) (sources, decided []string, err error) {
	if err := cmp.Or(ctx.Err(), driver.ValidJoin(key, name)); err != nil {
		return nil, nil, fmt.Errorf("memstore: list decided: key %q, join %q: %w", key, name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	r := s.read(key)
	return r.events.sources(), slices.Clone(r.decided[name]), nil
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
