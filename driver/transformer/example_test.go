package transformer_test

import (
	"bytes"
	"context"
	"fmt"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/transformer"
)

var show = driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
	fmt.Printf("%s: %q\n", in.Source, in.Content)
	return nil
})

// deliver sends an event of each source through the handlers.
func deliver(pipeline *driver.Pipeline, sources ...string) {
	for _, source := range sources {
		m := driver.Message{Key: "order-1", Source: source, Content: []byte("Hello")}
		if err := pipeline.Process(context.Background(), m); err != nil {
			fmt.Println(err)
		}
	}
}

// Rules are functions, and applied in their order.
func ExampleNew() {
	upper := func(m driver.Message) (driver.Message, error) {
		m.Content = bytes.ToUpper(m.Content) // a copy: the content must not be changed in place
		return m, nil
	}
	both := transformer.New(upper, transformer.EraseContentFromSources("event2"))
	deliver(driver.New(both, show), "event1", "event2")
	// Output:
	// event1: "HELLO"
	// event2: ""
}

func ExampleEraseContentFromSources() {
	erase := transformer.EraseContentFromSources("event1", "event3")
	deliver(driver.New(transformer.New(erase), show), "event1", "event2", "event3")
	// Output:
	// event1: ""
	// event2: "Hello"
	// event3: ""
}

func ExampleRenameSources() {
	rename, err := transformer.RenameSources(map[string][]string{"event1": {"orders", "orders-v2"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	deliver(driver.New(transformer.New(rename), show), "orders", "orders-v2", "event2")

	_, err = transformer.RenameSources(map[string][]string{"event1": {"orders"}, "event2": {"orders"}})
	fmt.Println(err)
	// Output:
	// event1: "Hello"
	// event1: "Hello"
	// event2: "Hello"
	// source alias "orders" stands for both "event1" and "event2"
}
