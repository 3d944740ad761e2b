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
	s, err := openStores(ctx, config, unobserved{})
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

// Inspector returns what looks at the function's keys, in one store or two.
func (s *State) Inspector() (driver.Inspector, error) {
	if i := (stores{events: s.Events, claims: s.Claims}).inspector(); i != nil {
		return i, nil
	}
	return nil, fmt.Errorf("the keys in %T and %T can't be listed", s.Events, s.Claims)
}
