package sim

import (
	"context"
	"slices"

	"example.com/eventdriver/driver"
)

// ran checks that no business runs more often than it may, and none after its order was given up.
func (v *verifier) ran(ctx context.Context, in driver.Message) {
	claim, _ := driver.ClaimFrom(ctx)
	name := v.scenario.claimKey(in)
	k := v.key(name)
	if v.givenUp(in.Key) {
		v.violated("token %d ran after the order was given up", claim.Token)
	}
	k.tried[claim.Token] = true
	if n := v.scenario.MaxAttempts; n > 0 && !v.scenario.Quarantine && len(k.tried) > n {
		v.violated("token %d ran, and there had been %d attempts", claim.Token, len(k.tried)-1)
	}
}

// givenUp says whether an order has a letter because it failed too often.
func (v *verifier) givenUp(key string) bool {
	return slices.Contains(v.letters[key], driver.ReasonTooManyAttempts)
}

// paused checks that a release keeps the pause that the business has asked for, unless it marks the key.
func (v *verifier) paused(a *attempt, said driver.Released) {
	want := a.asks
	if said.Mark != driver.MarkNone {
		want = 0
	}
	if said.Pause != want {
		v.violated("event %d, try %d released its key with a pause of %v, and its business asked for %v", a.delivery+1, a.number, said.Pause, want)
	}
}
