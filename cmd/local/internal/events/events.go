// Package events publishes events in a local run, and can hold them back, deliver them twice
// and all at once.
package events

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/eventdriver/cmd/local/internal/records"
)

// Event is one to publish, or that was published.
type Event struct {
	// Topic is a source's name, an alias of one, or any other name.
	Topic      string            `json:"topic"`
	Key        string            `json:"key"`
	Content    []byte            `json:"content"`
	Attributes map[string]string `json:"attributes,omitempty"` // but for the key

	ID        string    `json:"id,omitempty"` // given when it is published
	Published time.Time `json:"published,omitzero"`
	HeldBack  bool      `json:"heldBack,omitempty"` // it waits to be let go
}

// Bus brings published events to the function.
type Bus interface {
	// Prepare returns what sends an event, each time that it is called, and the ID that the
	// event has then; "": send says it.
	Prepare(Event) (id string, send Send, err error)
}

// Send sends an event, and returns its ID.
type Send func() (id string, err error)

// ErrUnknown is the failure to find an event that was published.
var ErrUnknown = errors.New("no such event was published, or it is forgotten")

// Publisher publishes events. Make one with [New]; it is safe for concurrent use.
type Publisher struct {
	bus     Bus
	source  func(topic string) string
	journal *records.Journal

	mu      sync.Mutex
	history []published // the oldest first
	bytes   int         // of their contents
	holds   []Hold
}

type published struct {
	Event
	send Send
}

// Hold says which events are held back; an empty field: any.
type Hold struct {
	Source string `json:"source"`
	Key    string `json:"key"`
}

func (h Hold) holds(source, key string) bool {
	return (h.Source == "" || h.Source == source) && (h.Key == "" || h.Key == key)
}

// How much of what was published is remembered.
const (
	mostEvents = 10_000
	mostBytes  = 64 << 20
)

// heldPrefix begins the IDs of events that have none before they are sent.
const heldPrefix = "held-"

// New returns a publisher to a bus. source names the source of a topic; "": it has none.
func New(bus Bus, source func(topic string) string, journal *records.Journal) *Publisher {
	return &Publisher{bus: bus, source: source, journal: journal}
}

// Publish publishes an event, or holds it back if that was asked for, and returns its ID.
func (p *Publisher) Publish(e Event) (id string, err error) {
	id, send, err := p.bus.Prepare(e)
	if err != nil {
		return "", fmt.Errorf("publish to %s: %w", e.Topic, err)
	}
	e.ID, e.Published = id, time.Now()
	p.mu.Lock()
	e.HeldBack = slices.ContainsFunc(p.holds, func(h Hold) bool { return h.holds(p.sourceOf(e), e.Key) })
	if e.HeldBack {
		e.ID = cmp.Or(e.ID, heldPrefix+rand.Text())
		p.remember(published{e, send})
	}
	p.mu.Unlock()
	if e.HeldBack {
		p.note(records.HeldBack, e, "published, and held back")
		return e.ID, nil
	}
	return p.send(published{e, send}, "published")
}

// send sends an event that is not remembered yet.
func (p *Publisher) send(e published, what string) (id string, err error) {
	if e.ID != "" { // so that its record comes before that of its delivery
		p.note(records.Published, e.Event, what)
	}
	id, err = e.send()
	if err != nil {
		return "", fmt.Errorf("publish to %s: %w", e.Topic, err)
	}
	if e.ID == "" {
		e.ID = id
		p.note(records.Published, e.Event, what)
	}
	p.mu.Lock()
	p.remember(e)
	p.mu.Unlock()
	return id, nil
}

// PublishAll publishes events at once, in any order.
func (p *Publisher) PublishAll(all []Event) (ids []string, err error) {
	ids, errs := make([]string, len(all)), make([]error, len(all))
	var sending sync.WaitGroup
	for _, i := range mathrand.Perm(len(all)) {
		sending.Go(func() { ids[i], errs[i] = p.Publish(all[i]) })
	}
	sending.Wait()
	return ids, errors.Join(errs...)
}

// Duplicate delivers an event that was published once more, as it was.
func (p *Publisher) Duplicate(id string) error {
	p.mu.Lock()
	i := slices.IndexFunc(p.history, func(e published) bool { return e.ID == id })
	if i < 0 {
		p.mu.Unlock()
		return fmt.Errorf("event %s: %w", id, ErrUnknown)
	}
	e := p.history[i]
	p.mu.Unlock()
	p.note(records.Published, e.Event, "published again")
	_, err := e.send()
	return err
}

// HoldBack holds back the events of a source and a key that are published from now on; an
// empty one stands for any.
func (p *Publisher) HoldBack(source, key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := (Hold{source, key}); !slices.Contains(p.holds, h) {
		p.holds = append(p.holds, h)
	}
}

// LetGo ends a HoldBack, and publishes in any order what it has held back and no other does. What
// can't be published stays held back until the next LetGo.
func (p *Publisher) LetGo(source, key string) error {
	p.mu.Lock()
	p.holds = slices.DeleteFunc(p.holds, func(h Hold) bool { return h == Hold{source, key} })
	held := func(e published) bool {
		return slices.ContainsFunc(p.holds, func(h Hold) bool { return h.holds(p.sourceOf(e.Event), e.Key) })
	}
	var free []published
	p.history = slices.DeleteFunc(p.history, func(e published) bool {
		if !e.HeldBack || held(e) {
			return false
		}
		if e.HeldBack = false; strings.HasPrefix(e.ID, heldPrefix) {
			e.ID = ""
		}
		free = append(free, e)
		p.bytes -= len(e.Content)
		return true
	})
	p.mu.Unlock()
	mathrand.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	var errs []error
	for _, e := range free {
		if _, err := p.send(e, "let go"); err != nil {
			errs = append(errs, err)
			p.keepBack(e)
		}
	}
	return errors.Join(errs...)
}

// keepBack holds an event back that could not be sent, until the next LetGo.
func (p *Publisher) keepBack(e published) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.HeldBack, e.ID = true, cmp.Or(e.ID, heldPrefix+rand.Text())
	p.remember(e)
}

// Holds returns what is held back.
func (p *Publisher) Holds() []Hold {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.holds)
}

// Published returns the events of a key that are remembered, the oldest first; "": of all keys.
func (p *Publisher) Published(key string) (all []Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.history {
		if key == "" || e.Key == key {
			all = append(all, e.Event)
		}
	}
	return all
}

// Last returns the event that was published last to a topic.
func (p *Publisher) Last(topic string) (Event, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range slices.Backward(p.history) {
		if e.Topic == topic {
			return e.Event, true
		}
	}
	return Event{}, false
}

// remember is called with the lock.
func (p *Publisher) remember(e published) {
	p.history, p.bytes = append(p.history, e), p.bytes+len(e.Content)
	for len(p.history) > mostEvents || p.bytes > mostBytes && len(p.history) > 1 {
		i := slices.IndexFunc(p.history, func(e published) bool { return !e.HeldBack })
		if i < 0 {
			return
		}
		p.bytes -= len(p.history[i].Content)
		p.history = slices.Delete(p.history, i, i+1)
	}
}

// sourceOf returns an event's source, or its topic where that has none.
func (p *Publisher) sourceOf(e Event) string { return cmp.Or(p.source(e.Topic), e.Topic) }

func (p *Publisher) note(kind records.Kind, e Event, what string) {
	p.journal.Add(records.Record{Kind: kind, Severity: "DEBUG", Key: e.Key, Source: p.sourceOf(e), Event: e.ID, Message: what,
		Attributes: map[string]any{"bytes": len(e.Content)}})
}
