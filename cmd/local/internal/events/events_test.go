package events_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"example.com/eventdriver/cmd/local/internal/events"
	"example.com/eventdriver/cmd/local/internal/records"
)

// bus notes what is sent.
type bus struct {
	mu   sync.Mutex
	next int
	sent []string
}

func (b *bus) Prepare(e events.Event) (id string, send events.Send, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.Topic == "broken" {
		return "", nil, errors.New("no such topic")
	}
	b.next++
	id = fmt.Sprint(b.next)
	return id, func() (string, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.sent = append(b.sent, e.Topic+" "+e.Key)
		return id, nil
	}, nil
}

func (b *bus) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	sent := b.sent
	b.sent = nil
	slices.Sort(sent)
	return sent
}

func publisher() (*events.Publisher, *bus) {
	b := &bus{}
	source := func(topic string) string { return map[string]string{"orders": "placed"}[topic] }
	return events.New(b, source, records.New(100, nil)), b
}

func publish(t *testing.T, p *events.Publisher, topic, key string) (id string) {
	t.Helper()
	id, err := p.Publish(events.Event{Topic: topic, Key: key, Content: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// An event that is held back, by its source or key, is sent when nothing holds it any more.
func TestHoldBack(t *testing.T) {
	p, b := publisher()
	p.HoldBack("placed", "")
	p.HoldBack("", "k1")
	for _, key := range []string{"k1", "k2"} {
		publish(t, p, "orders", key)
		publish(t, p, "paid", key)
	}
	if sent := b.take(); !slices.Equal(sent, []string{"paid k2"}) {
		t.Errorf("sent %q", sent)
	}
	if err := p.LetGo("placed", ""); err != nil {
		t.Fatal(err)
	}
	if sent := b.take(); !slices.Equal(sent, []string{"orders k2"}) {
		t.Errorf("sent %q; k1 is still held back", sent)
	}
	if err := p.LetGo("", "k1"); err != nil {
		t.Fatal(err)
	}
	if sent := b.take(); !slices.Equal(sent, []string{"orders k1", "paid k1"}) || len(p.Holds()) != 0 {
		t.Errorf("sent %q, %v", sent, p.Holds())
	}
	if err := p.LetGo("", "k1"); err != nil || len(b.take()) != 0 {
		t.Error("sent what was sent already")
	}
}

func TestDuplicateAndHistory(t *testing.T) {
	p, b := publisher()
	id := publish(t, p, "orders", "k1")
	publish(t, p, "paid", "k2")
	if err := p.Duplicate(id); err != nil || !slices.Equal(b.take(), []string{"orders k1", "orders k1", "paid k2"}) {
		t.Error(err)
	}
	if err := p.Duplicate("99"); !errors.Is(err, events.ErrUnknown) {
		t.Errorf("%v, want ErrUnknown", err)
	}
	last, ok := p.Last("orders")
	if _, never := p.Last("packed"); !ok || never || last.ID != id || string(last.Content) != "{}" {
		t.Errorf("%+v", last)
	}
	if of := p.Published("k2"); len(of) != 1 || of[0].Topic != "paid" || len(p.Published("")) != 2 {
		t.Errorf("%+v", of)
	}
}

func TestPublishAll(t *testing.T) {
	p, b := publisher()
	ids, err := p.PublishAll([]events.Event{{Topic: "orders", Key: "k"}, {Topic: "broken", Key: "k"}, {Topic: "paid", Key: "k"}})
	if err == nil || ids[0] == "" || ids[1] != "" || ids[2] == "" {
		t.Errorf("%q, %v", ids, err)
	}
	if sent := b.take(); !slices.Equal(sent, []string{"orders k", "paid k"}) {
		t.Errorf("sent %q", sent)
	}
}
