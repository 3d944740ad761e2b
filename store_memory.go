package eventdriver

import (
	"context"

	"example.com/eventdriver/stores/memstore"
)

// StoreMemory is the store in the memory of the process, for local runs and tests.
const StoreMemory = "memory"

func memoryStore() storeKind {
	return storeKind{
		name:  StoreMemory,
		seals: true,
		open:  func(context.Context, Config, observer) (store, error) { return memstore.New(), nil },
	}
}
