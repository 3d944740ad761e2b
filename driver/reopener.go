package driver

import "context"

// Reopener is a [ClaimStore] that can also open a completed key again. What ClaimStore says of
// keys, scopes, concurrency and contexts holds for it, too.
type Reopener interface {
	// Reopen opens c.Key in c.Scope again, which was completed by the claim with c.Token.
	// Then the key is as if that claim had released it and said nothing: it can be claimed, with
	// a greater token, and completed by that claim. A completion by the old claim, or one
	// before it, that is still under way does not close the key again: it returns [ErrLost].
	//
	// Reopening again returns nil, until the key is completed again, and changes nothing. It
	// returns ErrLost, and changes nothing, where the key is not completed, or by a claim with
	// another token. c.Owner is who reopens it, as an [Inspector] says.
	Reopen(ctx context.Context, c Claim) error
}
