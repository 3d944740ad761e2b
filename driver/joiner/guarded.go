package joiner

import (
	"context"
	"errors"
	"fmt"

	"example.com/eventdriver/driver"
)

// guarded is a store that is called by [driver.Recover]: the joiner looks at what kind of
// error it returns. Whether it is a Replacer, a Decider and a Sealer, [Joiner.usable] has found out.
type guarded struct{ driver.EventStore }

// Persist implements [driver.EventStore].
func (s guarded) Persist(ctx context.Context, m driver.Message) error {
	return driver.Recover(func() error { return s.EventStore.Persist(ctx, m) })
}

// LookUp implements [driver.EventStore].
func (s guarded) LookUp(ctx context.Context, key, source string) (m driver.Message, err error) {
	err = driver.Recover(func() (err error) {
		m, err = s.EventStore.LookUp(ctx, key, source)
		return err
	})
	if err == nil {
		err = s.check(m, key, source)
	}
	return m, err
}

// check returns an error if m is not the event that was asked for. A store that returns nothing for an event that it
// does not keep would have the order processed without it.
func (s guarded) check(m driver.Message, key, source string) error {
	if m.Key == key && m.Source == source {
		return nil
	}
	return fmt.Errorf("%T returned the event of key %q, source %q, for that of key %q, source %q: what is not kept is "+
		"driver.ErrNotFound, or missing", s.EventStore, m.Key, m.Source, key, source)
}

// Replace implements [driver.Replacer].
func (s guarded) Replace(ctx context.Context, m driver.Message) (kept driver.Message, err error) {
	err = driver.Recover(func() (err error) {
		kept, err = s.EventStore.(driver.Replacer).Replace(ctx, m)
		return err
	})
	return kept, err
}

// Decide implements [driver.Decider].
func (s guarded) Decide(ctx context.Context, key, name string, sources []string) (decided []string, err error) {
	err = driver.Recover(func() (err error) {
		decided, err = s.EventStore.(driver.Decider).Decide(ctx, key, name, sources)
		return err
	})
	return decided, err
}

// ListDecided implements [driver.Decider].
func (s guarded) ListDecided(ctx context.Context, key, name string) (sources, decided []string, err error) {
	err = driver.Recover(func() (err error) {
		sources, decided, err = s.EventStore.(driver.Decider).ListDecided(ctx, key, name)
		return err
	})
	return sources, decided, err
}

// KeepAndLook implements [driver.KeepLooker].
func (s guarded) KeepAndLook(ctx context.Context, m driver.Message, sources []string) (messages []driver.Message, missing []string, err error) {
	store, can := s.EventStore.(driver.KeepLooker)
	if !can {
		return nil, nil, errors.ErrUnsupported
	}
	err = driver.Recover(func() (err error) {
		messages, missing, err = store.KeepAndLook(ctx, m, sources)
		return err
	})
	if messages != nil && len(messages) != len(sources) {
		return nil, nil, fmt.Errorf("%T returned %d events of %d sources", s.EventStore, len(messages), len(sources))
	}
	for i, found := range messages {
		if wrong := s.check(found, m.Key, sources[i]); wrong != nil {
			return nil, nil, wrong
		}
	}
	return messages, missing, err
}

// Seal implements [driver.Sealer].
func (s guarded) Seal(ctx context.Context, key, source string) (sealed bool, err error) {
	err = driver.Recover(func() (err error) {
		sealed, err = s.EventStore.(driver.Sealer).Seal(ctx, key, source)
		return err
	})
	return sealed, err
}

var (
	_ driver.Replacer   = guarded{}
	_ driver.Decider    = guarded{}
	_ driver.KeepLooker = guarded{}
	_ driver.Sealer     = guarded{}
)
