package sim

import (
	"context"
	"errors"
	"slices"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/operate/change"
)

// The changes that an operator makes, as package change makes them: see Event.Operator.
const (
	Replace = "replace"
	Purge   = "purge"
	Rerun   = "rerun"
)

// operated is a store whose keys operators change.
type operated interface {
	Stores
	driver.Corrector
	driver.Purger
	driver.Reopener
	driver.Inspector
}

// operate makes an operator's change. One that has nothing to change is done.
func (w *world) operate(ctx context.Context, a *attempt) error {
	s := w.storeOf(a).(operated)
	k := change.Keys{Claims: s, Events: s, Store: s, By: "ann", Settle: w.scenario.Settle}
	err := w.change(ctx, k, a.event)
	switch {
	case errors.Is(err, change.ErrNothing):
		return nil
	case err == nil:
		w.gate.mu.Lock()
		defer w.gate.mu.Unlock()
		w.gate.verify.changed(a.event)
	}
	return err
}

func (w *world) change(ctx context.Context, k change.Keys, e Event) error {
	switch e.Operator {
	case Purge:
		return k.Purge(ctx, e.Key, false)
	case Rerun:
		return k.Rerun(ctx, e.Key, false)
	}
	taken := func(_ context.Context, m driver.Message) (driver.Message, error) { return m, nil }
	r, err := k.Prepare(ctx, e.Key, e.Source, []byte(e.Content), "", taken)
	if err != nil {
		return err
	}
	return k.Replace(ctx, r, "it was wrong", false)
}

// correction is what operators have made of an event.
type correction struct {
	old     []string // the contents that were corrected
	settled int      // from which version on it is acted upon; 0: a correction is still under way
}

// was says whether a content was corrected.
func (c *correction) was(content []byte) bool {
	return c != nil && slices.Contains(c.old, string(content))
}

// changed notes that an operator was told that a change is made.
func (v *verifier) changed(e Event) {
	k := v.key(e.Key)
	if c := k.corrected[e.Source]; c != nil && e.Operator == Replace {
		c.settled = len(k.versions[e.Source]) - 1
	}
}

// stale checks that no run acts upon an event that was replaced before it began.
func (v *verifier) stale(k *keyState, source string, version int) {
	if c := k.corrected[source]; c != nil && version < c.settled {
		v.violated("acted on the event of %s that an operator had replaced", source)
	}
}

// reopened checks, after the last redeliveries, that each key that an operator has opened again, or
// whose event he has replaced, was run.
func (v *verifier) reopened() {
	for name, k := range v.keys {
		if k.wished && k.state != done && v.joined(k) {
			v.violated("key %s was changed by an operator, and the next delivery did not run it: the order is lost", name)
		}
	}
}

func (c contract) Inspect(ctx context.Context, key string) (driver.KeyState, error) {
	return c.store.(driver.Inspector).Inspect(ctx, key)
}

func (c contract) ListKeys(context.Context, driver.KeyQuery) (driver.KeyPage, error) {
	return driver.KeyPage{}, errors.ErrUnsupported
}

func (c contract) Correct(ctx context.Context, m driver.Message, by driver.Correction) error {
	k := c.verify.key(m.Key)
	kept, known := k.events[m.Source]
	err := c.store.(driver.Corrector).Correct(ctx, m, by)
	switch {
	case k.sealed[m.Source] && isTooLate(err), !known && errors.Is(err, driver.ErrNotFound):
	case err == nil && known:
		if k.corrected[m.Source] == nil {
			k.corrected[m.Source] = &correction{}
		}
		of := k.corrected[m.Source]
		of.old, of.settled = append(of.old, string(kept.Content)), 0
		k.keep(m)
		k.wished = true
	default:
		c.verify.violated("Correct %s of key %s: %v, and it is kept: %v", m.Source, m.Key, err, known)
	}
	c.verify.probe(contract.probeEvents, c)
	return err
}

func (c contract) ReadCorrected(ctx context.Context, ref string) (driver.Message, error) {
	return c.store.(driver.Corrector).ReadCorrected(ctx, ref)
}

func (c contract) PurgeEvents(ctx context.Context, key string) error {
	k := c.verify.key(key)
	if k.state != done {
		c.verify.violated("the events of key %s are purged, and it is not completed", key)
	}
	err := c.store.(driver.Purger).PurgeEvents(ctx, key)
	k.deletions++
	k.forgotten, k.complete = true, nil
	clear(k.events)
	clear(k.sealed)
	clear(k.decided)
	clear(k.versions)
	clear(k.corrected)
	c.verify.probe(contract.probeEvents, c)
	return err
}

func (c contract) PurgeClaims(ctx context.Context, key string) error {
	k := c.verify.key(key)
	if len(k.effects) > 0 {
		k.fence = max(k.fence, k.effects[len(k.effects)-1].token)
	}
	err := c.store.(driver.Purger).PurgeClaims(ctx, key)
	k.state, k.said, k.effects, k.given, k.wished = free, driver.Released{}, nil, nil, false
	k.claim = driver.Claim{Token: k.claim.Token} // the next is to be greater
	c.verify.probe(contract.probeClaims, c)
	return err
}

func (c contract) Reopen(ctx context.Context, claim driver.Claim) error {
	v, k := c.verify, c.verify.key(claim.Key)
	err := c.store.(driver.Reopener).Reopen(ctx, claim)
	may := k.state == done && k.claim.Token == claim.Token || k.state != done && k.opened == claim.Token
	switch {
	case err == nil && !may:
		v.violated("token %d was reopened, and the key is %v by token %d", claim.Token, k.state, k.claim.Token)
	case err != nil && (may || !errors.Is(err, driver.ErrLost)):
		v.violated("Reopen of token %d: %v, and the key is %v by token %d", claim.Token, err, k.state, k.claim.Token)
	case err == nil && k.state == done:
		k.state, k.said, k.opened, k.wished = free, driver.Released{}, claim.Token, true
		k.fence, k.effects = max(k.fence, claim.Token), nil // what acted before may act no more
	}
	v.probe(contract.probeClaims, c)
	return err
}

func (g gated) Inspect(ctx context.Context, key string) (driver.KeyState, error) {
	return value(ctx, g.gate, "Inspect", read, func(ctx context.Context) (driver.KeyState, error) { return g.store.Inspect(ctx, key) })
}

func (g gated) ListKeys(ctx context.Context, q driver.KeyQuery) (driver.KeyPage, error) {
	return g.store.ListKeys(ctx, q)
}

func (g gated) Correct(ctx context.Context, m driver.Message, c driver.Correction) error {
	return g.gate.step(ctx, "Correct "+m.Source, write, func(ctx context.Context) error { return g.store.Correct(ctx, m, c) })
}

func (g gated) ReadCorrected(ctx context.Context, ref string) (driver.Message, error) {
	return value(ctx, g.gate, "ReadCorrected", read, func(ctx context.Context) (driver.Message, error) { return g.store.ReadCorrected(ctx, ref) })
}

func (g gated) PurgeEvents(ctx context.Context, key string) error {
	return g.gate.step(ctx, "PurgeEvents", write, func(ctx context.Context) error { return g.store.PurgeEvents(ctx, key) })
}

func (g gated) PurgeClaims(ctx context.Context, key string) error {
	return g.gate.step(ctx, "PurgeClaims", write, func(ctx context.Context) error { return g.store.PurgeClaims(ctx, key) })
}

func (g gated) Reopen(ctx context.Context, c driver.Claim) error {
	return g.gate.step(ctx, "Reopen", write, func(ctx context.Context) error { return g.store.Reopen(ctx, c) })
}

var _ operated = gated{}
