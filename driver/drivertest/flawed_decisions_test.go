package drivertest_test

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/memstore"
)

// flawedDecisions are kept in a map of their own, with something wrong.
type flawedDecisions struct {
	mu   sync.Mutex
	kept map[string][]string
}

func (d *flawedDecisions) get(key, name string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.kept[key+"\x00"+name]
}

func (d *flawedDecisions) set(key, name string, sources []string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept[key+"\x00"+name] = sources
	return sources
}

// decides returns a store whose Decide is decide. It lists what that keeps.
func decides(decide func(ctx context.Context, d *flawedDecisions, key, name string, sources []string) ([]string, error)) func(*memstore.Store) *flawedEvents {
	return func(s *memstore.Store) *flawedEvents {
		d := &flawedDecisions{kept: make(map[string][]string)}
		return &flawedEvents{Store: s,
			decide: func(ctx context.Context, key, name string, sources []string) ([]string, error) {
				mine, err := driver.ValidDecision(key, name, sources)
				if err := cmp.Or(ctx.Err(), err); err != nil {
					return nil, err
				}
				return decide(ctx, d, key, name, mine)
			},
			listDecided: func(ctx context.Context, key, name string) ([]string, []string, error) {
				sources, _, err := s.ListDecided(ctx, key, name)
				return sources, d.get(key, name), err
			},
		}
	}
}

func decidesLast(_ context.Context, d *flawedDecisions, key, name string, sources []string) ([]string, error) {
	return d.set(key, name, sources), nil
}

func looksThenDecides(_ context.Context, d *flawedDecisions, key, name string, sources []string) ([]string, error) {
	if kept := d.get(key, name); kept != nil {
		return kept, nil
	}
	pause()
	return d.set(key, name, sources), nil
}

func decidesForTheKey(_ context.Context, d *flawedDecisions, key, name string, sources []string) ([]string, error) {
	if kept := d.get(key, ""); kept != nil {
		return d.set(key, name, kept), nil
	}
	return d.set(key, name, d.set(key, "", sources)), nil
}

func decidesForFew(ctx context.Context, d *flawedDecisions, key, name string, sources []string) ([]string, error) {
	return looksThenDecides(ctx, d, key, name, sources[:min(len(sources), 20)])
}

// decisionIsAnEvent keeps decisions where the events are.
func decisionIsAnEvent(s *memstore.Store) *flawedEvents {
	return &flawedEvents{Store: s, decide: func(ctx context.Context, key, name string, sources []string) ([]string, error) {
		decided, err := s.Decide(ctx, key, name, sources)
		return decided, errors.Join(err, s.Persist(ctx, driver.Message{Key: key, Source: name}))
	}}
}

func decidesWithoutContext(s *memstore.Store) *flawedEvents {
	return &flawedEvents{Store: s, decide: func(ctx context.Context, key, name string, sources []string) ([]string, error) {
		return s.Decide(context.WithoutCancel(ctx), key, name, sources)
	}}
}

// decisionSeenLate does not list what was decided since the key was listed before.
func decisionSeenLate(s *memstore.Store) *flawedEvents {
	var first sync.Map
	return &flawedEvents{Store: s, listDecided: func(ctx context.Context, key, name string) ([]string, []string, error) {
		sources, decided, err := s.ListDecided(ctx, key, name)
		seen, _ := first.LoadOrStore(key+"\x00"+name, decided)
		return sources, seen.([]string), err
	}}
}
