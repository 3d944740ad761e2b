// Command condition joins events by a condition, and decodes what is joined into a type: an order
// ships when it is placed and paid, by card or by invoice, unless it was cancelled before. Run it
// as
//
//	go run ./examples/condition
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

// Order is the joined content: a member for each event that has arrived, named by its source.
type Order struct {
	Order   struct{ Item string }
	Card    *struct{ Last4 string }
	Invoice *struct{ To string }
}

// ships is the condition. The first event for which it holds decides: from then on the order is
// made of the same events, whatever else arrives.
var ships = joiner.MatchAll("order").
	And(joiner.MatchAny("card", "invoice")).
	And(joiner.MatchNone("cancelled"))

// pipeline ships each order once, on paper.
func pipeline(paper io.Writer) *driver.Pipeline {
	store := memstore.New()
	return driver.New(
		joiner.New(ships, store),
		cache.New(store),
		driver.JSON(func(_ context.Context, key string, o Order) error {
			switch {
			case o.Card != nil:
				fmt.Fprintf(paper, "ship %s: a %s, paid by card …%s\n", key, o.Order.Item, o.Card.Last4)
			case o.Invoice != nil:
				fmt.Fprintf(paper, "ship %s: a %s, with an invoice to %s\n", key, o.Order.Item, o.Invoice.To)
			}
			return nil
		}))
}

// events are three orders: one paid, one cancelled and then paid, and one paid twice and then cancelled.
var events = []driver.Message{
	event("order-1", "card", `{"last4":"4242"}`),
	event("order-1", "order", `{"item":"book"}`),

	event("order-2", "order", `{"item":"lamp"}`),
	event("order-2", "cancelled", `{}`),
	event("order-2", "card", `{"last4":"1881"}`),

	event("order-3", "order", `{"item":"chair"}`),
	event("order-3", "invoice", `{"to":"Ann"}`),
	event("order-3", "card", `{"last4":"0005"}`),
	event("order-3", "cancelled", `{}`),
}

func event(key, source, content string) driver.Message {
	return driver.Message{ID: key + source, Key: key, Source: source, Content: []byte(content)}
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	p := pipeline(out)
	for _, m := range events {
		fmt.Fprintf(out, "%s: %s\n", m.Key, m.Source)
		if err := p.Process(ctx, m); err != nil {
			return err
		}
	}
	return nil
}
