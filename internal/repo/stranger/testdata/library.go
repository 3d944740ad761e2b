// Command shop is the smallest program with the core and a store.
package main

import (
	"context"
	"fmt"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/gcsstore"
	"example.com/eventdriver/stores/memstore"
)

type store interface {
	driver.EventStore
	driver.ClaimStore
}

func open(bucket string) (store, error) {
	if bucket == "" {
		return memstore.New(), nil
	}
	return gcsstore.New(context.Background(), gcsstore.Config(bucket))
}

func main() {
	s, err := open("")
	if err != nil {
		panic(err)
	}
	pipeline := driver.New(joiner.New(joiner.MatchAll("paid", "packed"), s), cache.New(s),
		driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
			fmt.Printf("%s: %s\n", in.Key, in.Content)
			return nil
		}))
	for _, source := range []string{"packed", "paid", "packed"} {
		if err := pipeline.Process(context.Background(), driver.Message{ID: source, Key: "parcel-1", Source: source, Content: []byte("1")}); err != nil {
			panic(err)
		}
	}
}
