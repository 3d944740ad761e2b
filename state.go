package eventdriver

import (
	"context"
	"errors"
	"fmt"

	"example.com/eventdriver/driver"
)

// State is what a function keeps, for tools that look at it or change it. Open it with
// [OpenState].
type State struct {
	Events      driver.EventStore
	Claims      driver.ClaimStore
	DeadLetters driver.DeadLetterStore // the event store, also where a topic takes the letters
	close       func() error
}

// OpenState opens the stores that config names, and no topics. A store in memory is refused: it
// would be another than the function's.
func OpenState(ctx context.Context, config Config) (*State, error) {
	if config.uses(StoreMemory) {
		return nil, errors.New("EVENT_STORE or CLAIM_STORE is memory, which only the function's own process sees")
	}
	config.DeadLetterTopic, config.OutputTopic = "", ""
	s, err := openStores(ctx, config)
	if err != nil {
		return nil, err
	}
	return &State{Events: s.events, Claims: s.claims, DeadLetters: s.deadLetters, close: s.close}, nil
}

// State returns what the function keeps, in its own stores, for tools in its process. It opens
// them if they are not open yet. They are closed with the function, and not by Close of the state.
func (f *Function) State(ctx context.Context) (*State, error) {
	parts, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	s := parts.stores
	letters, isStore := s.events.(driver.DeadLetterStore)
	if !isStore {
		return nil, fmt.Errorf("the event store, %T, keeps no dead letters", s.events)
	}
	return &State{Events: s.events, Claims: s.claims, DeadLetters: letters, close: func() error { return nil }}, nil
}

// Close closes the stores.
func (s *State) Close() error { return s.close() }

// Inspector returns the store of events and claims, for looking at keys. The error says what to
// use instead.
func (s *State) Inspector() (driver.Inspector, error) {
	inspector, can := s.Events.(driver.Inspector)
	switch {
	case !can:
		return nil, fmt.Errorf("the event store, %T, can't be looked at by key; for BigQuery, use the queries of "+
			"docs/bigquery.md", s.Events)
	case any(s.Events) != any(s.Claims):
		return nil, errors.New("EVENT_STORE and CLAIM_STORE differ: keys can be looked at only where one store has both; " +
			"see docs/bigquery.md")
	}
	return inspector, nil
}
