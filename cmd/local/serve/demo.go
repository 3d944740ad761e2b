package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"example.com/eventdriver/cmd/local/internal/events"
	"example.com/eventdriver/driver"
)

// tell runs the demo. Orders have their events in every order, twice, or all at once; for
// two of them the business fails or panics the first time; and some events can never
// succeed. It returns an error unless each order was processed exactly once.
func tell(ctx context.Context, o options) error {
	p := newPrinter(os.Stdout, o.json)
	ledger := newLedger()
	local, err := start(ctx, o, ledger, story(), p)
	if err != nil {
		return err
	}
	ledger.log = local.Records
	expected, err := local.tellStory(ctx, p)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err != nil {
		return errors.Join(err, local.stop())
	}
	letters, err := local.countLetters(ctx)
	if err := errors.Join(err, local.stop()); err != nil {
		return err
	}
	sum, err := ledger.sum(expected, letters)
	p.say(sum)
	return err
}

// story returns the settings of the demo: the defaults, whatever the environment says, and
// a folder and a dataset that no demo has used before.
func story() settings {
	return settings{
		here: map[string]string{"EVENT_SOURCES": "event1,event2,event3", "ERASE_SOURCES": "event1",
			"GCS_FOLDER": "demo-" + rand.Text(), "BIGQUERY_DATASET": "demo_" + rand.Text()},
		fallback: func(string) (string, bool) { return "", false },
	}
}

// hopeless is how many events of the demo can never succeed.
const hopeless = 2

var sequences = [][]string{
	{"event1", "event2", "event3"}, {"event1", "event3", "event2"},
	{"event2", "event1", "event3"}, {"event2", "event3", "event1"},
	{"event3", "event1", "event2"}, {"event3", "event2", "event1"},
}

// tellStory publishes the events, chapter by chapter, and returns the keys of the orders.
func (l *local) tellStory(ctx context.Context, p *printer) (orders []string, err error) {
	for _, chapter := range []struct {
		title  string
		events func() (orders []string, steps [][]events.Event)
	}{
		{"Six orders, whose three events arrive in every possible order. Each event comes twice.", inOrder},
		{"Two orders whose business fails and panics the first time. The events are delivered again.", l.mishaps},
		{"Twenty orders, six deliveries for each, all at once.", atOnce},
		{"Two events that can never succeed: one without a key, and one that nobody waits for.", never},
	} {
		if !p.json {
			p.say("\n" + chapter.title + "\n")
		}
		keys, steps := chapter.events()
		orders = append(orders, keys...)
		for _, step := range steps {
			if _, err := l.Events.PublishAll(step); err != nil {
				return nil, err
			}
			if l.waitForEvents(ctx); ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
	}
	return orders, nil
}

func event(topic, key string) events.Event {
	return events.Event{Topic: topic, Key: key, Content: fmt.Appendf(nil, `{"order":%q,"from":%q,"number":9007199254740993}`, key, topic)}
}

// inOrder publishes one event after another, and then all of them again.
func inOrder() (orders []string, steps [][]events.Event) {
	for i, sequence := range sequences {
		key := fmt.Sprintf("in-order-%d", i+1)
		orders = append(orders, key)
		for range 2 {
			for _, topic := range sequence {
				steps = append(steps, []events.Event{event(topic, key)})
			}
		}
	}
	return orders, steps
}

func (l *local) mishaps() (orders []string, steps [][]events.Event) {
	l.Troubles.FailHandler("fails-once", 1)
	l.Troubles.PanicHandler("panics-once", 1)
	for i, key := range []string{"fails-once", "panics-once"} {
		orders = append(orders, key)
		for _, topic := range sequences[i] {
			steps = append(steps, []events.Event{event(topic, key)})
		}
	}
	return orders, steps
}

func atOnce() (orders []string, steps [][]events.Event) {
	var all []events.Event
	for i := range 20 {
		key := fmt.Sprintf("at-once-%d", i+1)
		orders = append(orders, key)
		for _, topic := range sequences[i%len(sequences)] {
			all = append(all, event(topic, key), event(topic, key))
		}
	}
	return orders, [][]events.Event{all}
}

func never() (orders []string, steps [][]events.Event) {
	return nil, [][]events.Event{
		{{Topic: "event1", Content: []byte(`{"the key":"is missing"}`)}},
		{event("event9", "nobody-waits-for-it")},
	}
}

// countLetters counts the dead letters of the function.
func (l *local) countLetters(ctx context.Context) (n int, err error) {
	box, err := l.Letters()
	if err != nil {
		return 0, err
	}
	var q driver.LetterQuery
	for {
		page, err := box.ListLetters(ctx, q)
		if n += len(page.Letters); err != nil || page.Next == "" {
			return n, err
		}
		q.Cursor = page.Next
	}
}
