package sim

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"time"

	"example.com/eventdriver/driver"
)

// probe asks the store for what must change nothing, whenever something may have
// changed: a holder that was taken over tries to renew, to complete and to
// release; a stranger tries with the newest token, and the
// holder with an older one; a stranger asks for the key while it
// is held or completed; other content comes. On a store that keeps its contract
// this leaves no trace, and the checks of the contract find a store that breaks it.
func (v *verifier) probe(what func(contract, context.Context, string, *keyState), c contract) {
	if v.probing {
		return
	}
	v.probing = true
	defer func() { v.probing = false }()
	ctx := context.WithValue(context.WithValue(context.Background(), attemptKey{}, new(attempt)), callKey{}, call{free: true})
	for _, name := range slices.Sorted(maps.Keys(v.keys)) {
		what(c, ctx, name, v.keys[name])
	}
}

func (c contract) probeClaims(ctx context.Context, name string, k *keyState) {
	stranger := driver.Claim{Key: name, Token: max(k.claim.Token, 1), Owner: "stranger", Expires: time.Now().Add(time.Hour)}
	older := driver.Claim{Key: name, Token: k.claim.Token - 1, Owner: k.claim.Owner, Expires: k.claim.Expires}
	for _, claim := range append(slices.Clone(k.given), stranger, older) {
		if k.mine(claim) && k.state == held {
			continue // the holder's own
		}
		if !k.mine(claim) || k.state != done {
			_ = c.Complete(ctx, claim, driver.OutcomeProcessed)
		}
		_, _ = c.Renew(ctx, claim, time.Hour)
		_ = c.Release(ctx, claim, driver.Released{})
	}
	if k.live() || k.state == done {
		_, _ = c.Acquire(ctx, driver.Claim{Key: name, Owner: "stranger"}, time.Hour)
	}
}

func (c contract) probeEvents(ctx context.Context, name string, k *keyState) {
	for source, kept := range k.events {
		_, _ = c.LookUp(ctx, name, source)
		other := driver.Message{Key: name, Source: source, Content: bytes.ToUpper(kept.Content)} // as long
		_ = c.Persist(ctx, other)
		if c.verify.scenario.OneCall {
			_, _, _ = c.KeepAndLook(ctx, other, slices.Sorted(maps.Keys(k.events)))
		}
	}
	for source := range k.all() {
		_, _ = c.Seal(ctx, name, source)
	}
	for source := range k.sealed {
		_, _ = c.LookUp(ctx, name, source)
		late := driver.Message{Key: name, Source: source}
		_ = c.Persist(ctx, late)
		if c.verify.scenario.OneCall {
			_, _, _ = c.KeepAndLook(ctx, late, []string{source})
		}
	}
	if c.verify.scenario.Cloud == nil { // where it would be a request that writes
		for _, versions := range k.versions { // redeliveries of what was replaced
			for _, old := range versions[:len(versions)-1] {
				_, _ = c.Replace(ctx, old)
			}
		}
	}
	for join := range k.decided {
		_, _ = c.Decide(ctx, name, join, []string{"another"})
		_, _, _ = c.ListDecided(ctx, name, join)
	}
	_, _, _ = c.ListDecided(ctx, name, "another")
	_, _ = c.LookUp(ctx, name, "nothing")
	_, _ = c.LookUpByKey(ctx, name)
	_, _ = c.ListSourcesByKey(ctx, name)
}
