package smoke

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
)

// sources are what the examples join.
var sources = []string{"event1", "event2", "event3"}

// order is one whose events are published in a sequence.
type order struct {
	key      string
	sequence []string
}

// everyOrder returns an order for each sequence of the events.
func everyOrder() (orders []order) {
	for _, sequence := range permutations(sources) {
		orders = append(orders, order{fmt.Sprintf("order-%d", len(orders)+1), sequence})
	}
	return orders
}

func permutations(of []string) (all [][]string) {
	if len(of) == 0 {
		return [][]string{nil}
	}
	for i, first := range of {
		rest := append(append([]string{}, of[:i]...), of[i+1:]...)
		for _, p := range permutations(rest) {
			all = append(all, append([]string{first}, p...))
		}
	}
	return all
}

// copies is how often each event is published.
const copies = 2

// atOnce is how many commands publish at once.
const atOnce = 4

// publish publishes the events of each order in its sequence, all of them twice, and an event without a key. Orders
// are published side by side.
func (t *trial) publish(ctx context.Context, topics map[string]string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	if t.DryRun {
		group.SetLimit(1) // what it prints is in order
	}
	group.Go(func() error { return t.send(ctx, topics[sources[0]], `{"poison":"no key"}`) })
	for _, o := range t.orders {
		group.Go(func() error {
			for range copies {
				for _, source := range o.sequence {
					data := fmt.Sprintf(`{"order":%q,"from":%q}`, o.key, source)
					if err := t.send(ctx, topics[source], data, "--attribute=key="+o.key); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (t *trial) send(ctx context.Context, topic, data string, flags ...string) error {
	args := append([]string{"pubsub", "topics", "publish", topic, "--project=" + t.Project, "--message=" + data}, flags...)
	_, err := t.read(ctx, "gcloud", args...)
	return err
}

// String says in which sequence the events came.
func (o order) String() string { return o.key + " (" + strings.Join(o.sequence, ", ") + ")" }
