package eventdriver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/publish"
	"example.com/eventdriver/stores/combined"
)

// storeKind is a store that EVENT_STORE and CLAIM_STORE may name. To add one, write a
// file store_NAME.go with a function that returns its kind, and add that to storeKinds.
type storeKind struct {
	name      string
	open      func(context.Context, Config, observer) (store, error)
	settings  []setting     // of this store alone
	impliedBy string        // the variable that makes it the default where it is set
	claimsIn  string        // the kind that keeps the claims of its events, where that one's variable is set; "": its own
	timeout   time.Duration // how long its calls may take; 0: defaultStoreTimeout
	shortest  time.Duration // the least that STORE_TIMEOUT may be
	lease     time.Duration // the least that LEASE may be where it keeps the claims; 0: shortestLease
	seals     bool          // it is a driver.Sealer and a driver.Inspector, so joins can have a deadline
	leftOut   string        // the build tag that left it out of this program; "": it is here
}

// storeKinds returns all of them; the first is the default.
func storeKinds() []storeKind {
	return []storeKind{
		memoryStore(),
		gcsStore(),
		bigQueryStore(),
	}
}

// store is what each of the stores is.
type store interface {
	driver.EventStore
	driver.ClaimStore
	driver.DeadLetterStore
}

// Stores returns the names of the stores that this program has.
func Stores() (names []string) {
	for _, kind := range storeKinds() {
		if kind.leftOut == "" {
			names = append(names, kind.name)
		}
	}
	return names
}

// findStore returns the kind of that name, which this program must have.
func findStore(kinds []storeKind, name string) (storeKind, error) {
	i := slices.IndexFunc(kinds, func(k storeKind) bool { return k.name == name })
	switch {
	case i < 0:
		return storeKind{}, errInvalid
	case kinds[i].leftOut != "":
		return storeKind{}, fmt.Errorf("it was left out of this program, which was built with -tags %s", kinds[i].leftOut)
	}
	return kinds[i], nil
}

func checkStore(name string) error {
	_, err := findStore(storeKinds(), name)
	return err
}

// defaultStore returns the name of the first store whose variable is set.
func defaultStore(env environment) string {
	kinds := storeKinds()
	for _, kind := range kinds {
		if kind.impliedBy != "" && env.text(kind.impliedBy) != "" {
			return kind.name
		}
	}
	return kinds[0].name
}

// defaultClaimStore returns the name of the store that takes the claims of these events.
func defaultClaimStore(events string, env environment) string {
	kinds := storeKinds()
	kind, err := findStore(kinds, events)
	if err != nil {
		return events
	}
	better, err := findStore(kinds, kind.claimsIn)
	if err != nil || env.text(better.impliedBy) == "" {
		return events
	}
	return better.name
}

// uses says whether a store is of that kind.
func (c Config) uses(store string) bool { return c.EventStore == store || c.ClaimStore == store }

// storeTimeout is how long each call of a store may take.
func (c Config) storeTimeout() time.Duration {
	if c.StoreTimeout != 0 {
		return c.StoreTimeout
	}
	longest := defaultStoreTimeout
	for _, kind := range storeKinds() {
		if c.uses(kind.name) {
			longest = max(longest, kind.timeout)
		}
	}
	return longest
}

// acquireTimeout is how long it may take to claim a key: half of a short lease, unless
// StoreTimeout says otherwise.
func (c Config) acquireTimeout() time.Duration {
	if c.StoreTimeout == 0 && c.Lease > 0 {
		return min(c.storeTimeout(), c.Lease/2)
	}
	return c.storeTimeout()
}

// stores are the places where the function keeps its state.
type stores struct {
	events      driver.EventStore
	claims      driver.ClaimStore
	deadLetters driver.DeadLetterStore
	output      driver.Handler // nil: nothing is published
	closers     []io.Closer
}

// openStores opens each store and topic that config names, once. Dead letters go
// to their topic, or else to the store of the events.
func openStores(ctx context.Context, c Config, o observer) (stores, error) {
	var s stores
	opened := make(map[string]store)
	for _, name := range []string{c.EventStore, c.ClaimStore} {
		if opened[name] != nil {
			continue
		}
		one, err := openStore(ctx, name, c, o)
		if err != nil {
			return stores{}, errors.Join(fmt.Errorf("store %s: %w", name, err), s.close())
		}
		opened[name] = one
		if closer, ok := one.(io.Closer); ok {
			s.closers = append(s.closers, closer)
		}
	}
	s.events, s.claims, s.deadLetters = opened[c.EventStore], opened[c.ClaimStore], opened[c.EventStore]
	if err := s.openTopics(ctx, c, o); err != nil {
		return stores{}, errors.Join(err, s.close())
	}
	return s, nil
}

func openStore(ctx context.Context, name string, c Config, o observer) (store, error) {
	kind, err := findStore(storeKinds(), name)
	if err != nil {
		return nil, err
	}
	return kind.open(ctx, c, o)
}

// openTopics opens the topics that config names.
func (s *stores) openTopics(ctx context.Context, c Config, o observer) error {
	if c.DeadLetterTopic != "" {
		topic, err := publish.Open(ctx, c.DeadLetterTopic)
		if err != nil {
			return fmt.Errorf("DEAD_LETTER_TOPIC: %w", err)
		}
		// What is too large for Pub/Sub is whole in the event store.
		s.deadLetters, s.closers = publish.NewLetters(topic, s.deadLetters), append(s.closers, topic)
	}
	if c.OutputTopic != "" {
		topic, err := publish.Open(ctx, c.OutputTopic)
		if err != nil {
			return fmt.Errorf("OUTPUT_TOPIC: %w", err)
		}
		s.output, s.closers = publish.NewOutput(topic, o.output()...), append(s.closers, topic)
	}
	return nil
}

// inspector returns what looks at the keys, or nil.
func (s stores) inspector() driver.Inspector {
	events, can := s.events.(driver.Inspector)
	claims, canClaims := s.claims.(driver.Inspector)
	switch {
	case !can || !canClaims:
		return nil
	case events == claims:
		return events
	}
	return combined.New(events, claims)
}

func (s stores) close() error {
	var errs []error
	for _, closer := range s.closers {
		errs = append(errs, closer.Close())
	}
	return errors.Join(errs...)
}
