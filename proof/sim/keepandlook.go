package sim

import (
	"context"
	"errors"
	"slices"

	"example.com/eventdriver/driver"
)

// oneCall is a gated store that is a [driver.KeepLooker]. Its call is one step.
type oneCall struct{ gated }

func (o oneCall) KeepAndLook(ctx context.Context, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	type look struct {
		messages []driver.Message
		missing  []string
		conflict error
	}
	l, err := value(ctx, o.gate, "KeepAndLook "+m.Source, write, func(ctx context.Context) (l look, err error) {
		l.messages, l.missing, err = o.store.KeepAndLook(ctx, m, sources)
		if errors.Is(err, driver.ErrConflict) {
			l.conflict, err = err, nil
		}
		return l, err
	})
	if err != nil {
		return nil, nil, err
	}
	return l.messages, l.missing, l.conflict
}

func (c contract) KeepAndLook(ctx context.Context, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	k := c.verify.key(m.Key)
	messages, missing, err := c.store.(driver.KeepLooker).KeepAndLook(ctx, m, sources)
	if slices.ContainsFunc(sources, func(source string) bool { return k.sealed[source] }) {
		c.refused(ctx, k, m, err)
		return messages, missing, err
	}
	c.kept("KeepAndLook", k, m, err)
	var want []driver.Message
	var lacking []string
	for _, source := range sources {
		if kept, known := k.events[source]; known {
			want = append(want, kept)
		} else {
			lacking = append(lacking, source)
		}
	}
	if lacking != nil {
		want = nil
	}
	if !slices.EqualFunc(messages, want, same) || !slices.Equal(missing, lacking) {
		c.verify.violated("KeepAndLook %s of key %s: %v, missing %q, and %v is kept, %q is missing", m.Source, m.Key, messages, missing, want, lacking)
	}
	c.verify.stored(attemptFrom(ctx), k)
	c.verify.probe(contract.probeEvents, c)
	return messages, missing, err
}

// refused checks a KeepAndLook that found a seal. The event is kept unless it is its own.
func (c contract) refused(ctx context.Context, k *keyState, m driver.Message, err error) {
	if !isTooLate(err) {
		c.verify.violated("KeepAndLook %s of key %s: %v, and %v is sealed", m.Source, m.Key, err, k.sealed)
	}
	if _, known := k.events[m.Source]; !known && !k.sealed[m.Source] {
		k.keep(m)
	}
	c.verify.stored(attemptFrom(ctx), k)
	c.verify.probe(contract.probeEvents, c)
}
