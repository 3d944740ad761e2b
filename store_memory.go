package eventdriver

import (
	"context"
	"log/slog"

	"example.com/eventdriver/stores/memstore"
)

// StoreMemory is the store in the memory of the process, for local runs and tests.
const StoreMemory = "memory"

func memoryStore() storeKind {
	return storeKind{
		name: StoreMemory,
		open: func(ctx context.Context, _ Config) (store, error) {
			if inCloud() {
				slog.WarnContext(ctx, "EVENT_STORE or CLAIM_STORE is memory: each instance has its own, and forgets it when it ends. "+
					"Orders WILL be lost and doubled. Set GCS_BUCKET.")
			}
			return memstore.New(), nil
		},
	}
}
