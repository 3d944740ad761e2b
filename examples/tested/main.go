// Command tested is a pipeline as its users write and test it: the stores and the outside world
// are arguments, so that main_test.go can try it in every order, with crashes in between. Run it
// as
//
//	go run ./examples/tested
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
	"example.com/eventdriver/driver/transformer"
	"example.com/eventdriver/stores/memstore"
)

// Refund is what the bank is asked for. The bank refuses a Token that is older than one it has
// seen for the order: so a second try after a crash is no second refund.
type Refund struct {
	Cents int
	Token int64
}

// Receipt is the content of the event receipt.
type Receipt struct{ Cents int }

// Request is the content of the event request.
type Request struct{ Reason string }

// store is what the pipeline needs of a store.
type store interface {
	driver.EventStore
	driver.ClaimStore
}

// pipeline refunds an order once, when the customer has asked for it and the parcel is back.
func pipeline(s store, refund func(ctx context.Context, order string, r Refund) error) *driver.Pipeline {
	return driver.New(
		transformer.New(transformer.EraseContentFromSources("parcel")),
		joiner.New(joiner.MatchAll("receipt", "request", "parcel"), s),
		cache.New(s),
		driver.JSON(func(ctx context.Context, order string, in struct {
			Receipt Receipt
			Request Request
		}) error {
			if in.Receipt.Cents <= 0 {
				return driver.Permanent(fmt.Errorf("a receipt of %d cents", in.Receipt.Cents))
			}
			claim, _ := driver.ClaimFrom(ctx)
			return refund(ctx, order, Refund{in.Receipt.Cents, claim.Token})
		}))
}

// events are those of one order.
var events = []driver.Message{
	{ID: "1", Key: "order-1", Source: "receipt", Content: []byte(`{"cents":1250}`)},
	{ID: "2", Key: "order-1", Source: "request", Content: []byte(`{"reason":"too small"}`)},
	{ID: "3", Key: "order-1", Source: "parcel", Content: []byte(`{"depot":"north"}`)},
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run delivers each event twice.
func run(ctx context.Context, out io.Writer) error {
	p := pipeline(memstore.New(), func(_ context.Context, order string, r Refund) error {
		_, err := fmt.Fprintf(out, "refund %s: %d cents, token %d\n", order, r.Cents, r.Token)
		return err
	})
	for _, m := range append(events, events...) {
		fmt.Fprintf(out, "%s: %s\n", m.Key, m.Source)
		if err := p.Process(ctx, m); err != nil {
			return err
		}
	}
	return nil
}
