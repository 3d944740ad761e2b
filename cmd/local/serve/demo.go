package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"

	"example.com/eventdriver"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/eventarc"
)

// tell runs the demo. Orders have their events in every order, twice, or all at once; for
// two of them the business fails or panics the first time; and some events can never
// succeed. It returns an error unless each order was processed exactly once.
func tell(ctx context.Context, o options) error {
	ledger := &ledger{log: eventdriver.NewLogger(os.Stdout, slog.LevelInfo),
		mishaps: make(map[string]func() error), processed: make(map[string]int)}
	local, err := start(ctx, o, ledger, story())
	if err != nil {
		return err
	}
	expected := publishStory(local.eventarc, ledger)
	local.eventarc.Wait()
	if err := ctx.Err(); err != nil {
		return errors.Join(errors.New("interrupted"), local.stop())
	}
	letters, err := countDeadLetters(ctx, local.function)
	if err := errors.Join(err, local.stop()); err != nil {
		return err
	}
	return ledger.sum(expected, letters)
}

// story returns the settings of the demo: the defaults, whatever the environment says, and
// a folder that no demo has used before.
func story() settings {
	return settings{
		here:     map[string]string{"EVENT_SOURCES": "event1,event2,event3", "ERASE_SOURCES": "event1", "GCS_FOLDER": "demo-" + rand.Text()},
		fallback: func(string) (string, bool) { return "", false },
	}
}

// hopeless is how many events of the demo can never succeed.
const hopeless = 2

// publishStory publishes the events and returns the keys of the orders.
func publishStory(e *eventarc.Eventarc, l *ledger) (orders []string) {
	publish := func(name, event string) {
		e.Publish(event, name, fmt.Appendf(nil, `{"order":%q,"from":%q,"number":9007199254740993}`, name, event))
	}
	order := func(name string, times int, sequence ...string) {
		orders = append(orders, name)
		for _, event := range sequence {
			for range times {
				publish(name, event)
			}
		}
	}
	for i, sequence := range sequences {
		name := fmt.Sprintf("in-order-%d", i+1)
		orders = append(orders, name)
		for range 2 { // the second time late duplicates
			for _, event := range sequence {
				publish(name, event)
				e.Wait()
			}
		}
	}
	l.mishap("fails-once", func() error { return errors.New("the warehouse is closed, this first time") })
	l.mishap("panics-once", func() error { panic("a bug, this first time") })
	order("fails-once", 1, sequences[0]...)
	order("panics-once", 1, sequences[1]...)
	for i := range 20 {
		order(fmt.Sprintf("at-once-%d", i+1), 2, sequences[i%len(sequences)]...)
	}
	e.Publish("event1", "", []byte(`{"the key":"is missing"}`))
	e.Publish("event9", "nobody-waits-for-it", []byte(`{}`))
	return orders
}

var sequences = [][]string{
	{"event1", "event2", "event3"}, {"event1", "event3", "event2"},
	{"event2", "event1", "event3"}, {"event2", "event3", "event1"},
	{"event3", "event1", "event2"}, {"event3", "event2", "event1"},
}

// ledger is the business of the demo. It notes which orders were processed, and writes a
// line for each.
type ledger struct {
	log *slog.Logger

	mu        sync.Mutex
	mishaps   map[string]func() error // by key; each happens once
	processed map[string]int          // by key
}

func (l *ledger) mishap(key string, happens func() error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mishaps[key] = happens
}

// Process implements [driver.Handler].
func (l *ledger) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	l.mu.Lock()
	happens := l.mishaps[in.Key]
	delete(l.mishaps, in.Key)
	l.mu.Unlock()
	if happens != nil {
		if err := happens(); err != nil {
			return err
		}
	}
	claim, _ := driver.ClaimFrom(ctx)
	l.log.InfoContext(ctx, "order processed", "key", in.Key, "token", claim.Token, "bytes", len(in.Content))
	l.mu.Lock()
	l.processed[in.Key]++
	l.mu.Unlock()
	return next.Call(ctx, in)
}

// sum prints the result, and returns an error unless each order was processed once.
func (l *ledger) sum(orders []string, deadLettered int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	once, lost, doubled := 0, 0, 0
	for _, key := range orders {
		switch l.processed[key] {
		case 0:
			lost++
		case 1:
			once++
		default:
			doubled++
		}
	}
	fmt.Printf("demo: %d orders, %d processed once, %d lost, %d doubled, %d dead-lettered\n",
		len(orders), once, lost, doubled, deadLettered)
	for key := range l.processed {
		if !slices.Contains(orders, key) {
			return fmt.Errorf("demo: %q was processed, which is not an order of the demo", key)
		}
	}
	switch {
	case once != len(orders):
		return errors.New("demo: not every order was processed exactly once")
	case deadLettered != hopeless:
		return fmt.Errorf("demo: %d events should have been dead-lettered", hopeless)
	}
	return nil
}

// countDeadLetters counts the dead letters of the function.
func countDeadLetters(ctx context.Context, function *eventdriver.Function) (int, error) {
	store, err := function.DeadLetters(ctx)
	if err != nil {
		return 0, err
	}
	switch store := store.(type) {
	case interface{ DeadLetters() []driver.DeadLetter }:
		return len(store.DeadLetters()), nil
	case interface {
		DeadLetters(context.Context) ([]driver.DeadLetter, error)
	}:
		letters, err := store.DeadLetters(ctx)
		return len(letters), err
	}
	return 0, fmt.Errorf("the dead letters in a %T can't be counted", store)
}
