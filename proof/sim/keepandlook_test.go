package sim_test

import (
	"context"
	"errors"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/proof/sim"
)

// The joiner on stores that keep and look in one call.
var oneCallScenarios = []explored{
	{"one call, two events", inOneCall(small()), one, twoOne},
	{"one call, event1 twice", inOneCall(pipeline("event1", matchAll)), one, twoOne},
	{"one call, two keys", inOneCall(twoKeys()), one, twoOne},
	{"one call, other content, the first is kept", inOneCall(conflicting(joiner.KeepFirst)), one, twoOne},
	{"one call, other content, it is rejected", inOneCall(conflicting(joiner.Reject, driver.ReasonConflict)), one, twoOne},
	{"one call, other content, the last is kept", inOneCall(conflicting(joiner.KeepLast)), one, twoOne},
	{"one call of many steps, two events", onViewOf(small(), keepsThenLooks), one, twoOne},
	{"one call of many steps, other content", onViewOf(conflicting(joiner.KeepFirst), keepsThenLooks), one, twoOne},
}

// inOneCall is the scenario on a store that does it all in one step.
func inOneCall(s sim.Scenario) sim.Scenario {
	s.OneCall = true
	return s
}

// onViewOf is the scenario of two events, with a joiner on a view of the store.
func onViewOf(s sim.Scenario, view func(sim.Stores) driver.EventStore) sim.Scenario {
	s.Pipeline = func(stores sim.Stores, business driver.Handler) *driver.Pipeline {
		return driver.New(joiner.New(matchBoth, view(stores)), theCache(stores), business)
	}
	return s
}

// inSteps does no more for KeepAndLook than its contract says: each look at a source is a step.
type inSteps struct {
	sim.Stores
	looksFirst bool // which is wrong
}

func keepsThenLooks(s sim.Stores) driver.EventStore { return inSteps{s, false} }
func looksThenKeeps(s sim.Stores) driver.EventStore { return inSteps{s, true} }

func (s inSteps) KeepAndLook(ctx context.Context, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	if s.looksFirst {
		messages, missing, err := s.look(ctx, m, sources)
		if err == nil {
			err = s.Persist(ctx, m)
		}
		return messages, missing, err
	}
	kept := m
	errKeep := s.Persist(ctx, m)
	var conflict *driver.ConflictError
	if errors.As(errKeep, &conflict) {
		kept = conflict.Stored
	} else if errKeep != nil {
		return nil, nil, errKeep
	}
	messages, missing, err := s.look(ctx, kept, sources)
	if err != nil {
		return nil, nil, err
	}
	return messages, missing, errKeep
}

// look looks for the events of sources, of which it has one.
func (s inSteps) look(ctx context.Context, has driver.Message, sources []string) (messages []driver.Message, missing []string, err error) {
	for _, source := range sources {
		m, err := has, error(nil)
		if source != has.Source {
			m, err = s.LookUp(ctx, has.Key, source)
		}
		switch {
		case err == nil:
			messages = append(messages, m)
		case errors.Is(err, driver.ErrNotFound):
			missing = append(missing, source)
		default:
			return nil, nil, err
		}
	}
	if missing != nil {
		messages = nil
	}
	return messages, missing, nil
}
