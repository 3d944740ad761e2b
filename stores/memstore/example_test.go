package memstore_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/memstore"
)

func ExampleNew() {
	ctx := context.Background()
	store := memstore.New()
	for _, content := range []string{"first", "second"} {
		err := store.Persist(ctx, driver.Message{Key: "order-1", Source: "event1", Content: []byte(content)})
		fmt.Println(content, errors.Is(err, driver.ErrConflict))
	}
	kept, err := store.LookUp(ctx, "order-1", "event1")
	fmt.Println(string(kept.Content), err)
	// Output:
	// first false
	// second true
	// first <nil>
}
