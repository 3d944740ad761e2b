package eventdriver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/driver/transformer"
	"example.com/eventdriver/stores/bqstore"
	"example.com/eventdriver/stores/gcsstore"
	"example.com/eventdriver/stores/memstore"
)

// newPipeline is the order of things: erase what nobody uses, join, make sure
// that it is the only time, act, and publish. The business handler decides whether
// what it acted upon is published, and what of it, by what it gives to its next;
// the key counts as processed when Pub/Sub has confirmed the message.
func newPipeline(c Config, s stores, business driver.Handler) (*driver.Pipeline, error) {
	if _, can := s.events.(driver.Replacer); !can && c.ConflictPolicy == joiner.KeepLast {
		return nil, fmt.Errorf("CONFLICT_POLICY last can't be had with EVENT_STORE %s", c.EventStore)
	}
	idempotency := []cache.Option{cache.SkipOnConflict(), cache.Lease(c.Lease)}
	if c.QuarantineOnExpiry {
		idempotency = append(idempotency, cache.QuarantineOnExpiry(nil))
	}
	handlers := []driver.Handler{
		transformer.New(transformer.EraseContentFromSources(c.EraseSources...)),
		joiner.New(joiner.MatchAll(c.Sources...), s.events, joiner.OnConflict(c.ConflictPolicy)),
		cache.New(s.claims, idempotency...),
		business,
	}
	if s.output != nil {
		handlers = append(handlers, s.output)
	}
	return driver.New(handlers...), nil
}

// stores are the places where the function keeps its state.
type stores struct {
	events      driver.EventStore
	claims      driver.ClaimStore
	deadLetters driver.DeadLetterStore
	output      driver.Handler // nil: nothing is published
	closers     []io.Closer
}

// store is what each of the stores is.
type store interface {
	driver.EventStore
	driver.ClaimStore
	driver.DeadLetterStore
}

// openStores opens each store and topic that config names, once. Dead letters go
// to their topic, or else to the store of the events.
func openStores(ctx context.Context, c Config) (stores, error) {
	var s stores
	opened := make(map[string]store)
	for _, name := range []string{c.EventStore, c.ClaimStore} {
		if opened[name] != nil {
			continue
		}
		one, err := openStore(ctx, name, c)
		if err != nil {
			return stores{}, errors.Join(fmt.Errorf("store %s: %w", name, err), s.close())
		}
		opened[name] = one
		if closer, ok := one.(io.Closer); ok {
			s.closers = append(s.closers, closer)
		}
	}
	s.events, s.claims, s.deadLetters = opened[c.EventStore], opened[c.ClaimStore], opened[c.EventStore]
	if err := s.openTopics(ctx, c); err != nil {
		return stores{}, errors.Join(err, s.close())
	}
	return s, nil
}

func openStore(ctx context.Context, name string, c Config) (store, error) {
	switch name {
	case StoreMemory:
		if inCloud() {
			slog.WarnContext(ctx, "EVENT_STORE or CLAIM_STORE is memory: each instance has its own, and forgets it when it ends. "+
				"Orders WILL be lost and doubled. Set GCS_BUCKET.")
		}
		return memstore.New(), nil
	case StoreGCS:
		settings := gcsstore.Config(c.Bucket).WithFolder(c.Folder).WithTimeout(gcsstore.Timeout{
			Default: &c.StoreTimeout, Operation: map[gcsstore.Operation]time.Duration{gcsstore.OpAcquire: c.acquireTimeout()}})
		return gcsstore.New(ctx, settings)
	case StoreBigQuery:
		settings := bqstore.Config(c.Project, c.Dataset).WithLocation(c.Location).
			WithRetention(c.Retention).WithEventWriter(c.EventWriter).WithTimeout(bqstore.Timeout{
			Default: &c.StoreTimeout, Operation: map[bqstore.Operation]time.Duration{bqstore.OpAcquire: c.acquireTimeout()}})
		return bqstore.New(ctx, settings)
	}
	return nil, fmt.Errorf("no store has that name")
}

func (s stores) close() error {
	var errs []error
	for _, closer := range s.closers {
		errs = append(errs, closer.Close())
	}
	return errors.Join(errs...)
}
