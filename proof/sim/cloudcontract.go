package sim

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"example.com/eventdriver/driver"
)

// observed is a store whose operations take several steps. The result of each must have
// been true of the key at some time between its begin and its end.
type observed struct {
	cloud *cloud
	store Stores
}

// before is what was true when an operation began.
type before struct {
	events    map[string]driver.Message
	sealed    map[string]bool
	state     claimState
	claim     driver.Claim
	deletions int
	paused    bool
}

// begin returns the context for an operation's requests, the key, and the key's state.
func (o observed) begin(ctx context.Context, c call) (context.Context, *keyState, before) {
	o.cloud.gate.mu.Lock()
	defer o.cloud.gate.mu.Unlock()
	k := o.cloud.verify.key(c.key)
	return context.WithValue(ctx, callKey{}, c), k, before{maps.Clone(k.events), maps.Clone(k.sealed), k.state, k.claim, k.deletions,
		k.isPaused()}
}

// end checks an operation's result against the key.
func (o observed) end(ctx context.Context, check func(v *verifier, a *attempt)) {
	o.cloud.gate.mu.Lock()
	defer o.cloud.gate.mu.Unlock()
	a := attemptFrom(ctx)
	if a.crashed || a.delivery < o.cloud.gate.first {
		return // nobody hears of it
	}
	check(o.cloud.verify, a)
}

func (o observed) Persist(ctx context.Context, m driver.Message) error {
	in, k, was := o.begin(ctx, call{op: "Persist " + m.Source, key: m.Key, message: m})
	err := o.store.Persist(in, m)
	o.end(ctx, func(v *verifier, a *attempt) {
		kept, known := k.events[m.Source]
		var conflict *driver.ConflictError
		switch {
		case k.deletions > was.deletions || err != nil && a.troubled:
		case isTooLate(err) && k.sealed[m.Source]:
		case err == nil && known && string(kept.Content) == string(m.Content):
		case errors.As(err, &conflict) && known && string(conflict.Stored.Content) != string(m.Content) && was.was(k, conflict.Stored):
		default:
			v.violated("Persist %s of key %s: %v, and %q is kept", m.Source, m.Key, err, kept.Content)
		}
		v.stored(a, k)
	})
	return err
}

// was says whether m was kept at some time since the operation began.
func (b before) was(k *keyState, m driver.Message) bool {
	versions := k.versions[m.Source]
	first := 0
	if kept, ok := b.events[m.Source]; ok {
		for i, version := range versions {
			if same(version, kept) {
				first = i
			}
		}
	}
	return slices.ContainsFunc(versions[first:], func(version driver.Message) bool { return same(version, m) })
}

func (o observed) Replace(ctx context.Context, m driver.Message) (driver.Message, error) {
	in, k, was := o.begin(ctx, call{op: "Replace " + m.Source, key: m.Key, message: m})
	got, err := o.store.Replace(in, m)
	o.end(ctx, func(v *verifier, a *attempt) {
		switch {
		case k.deletions > was.deletions || err != nil && a.troubled:
		case isTooLate(err) && k.sealed[m.Source]:
		case err == nil && was.was(k, got) && !m.Time.After(got.Time):
		default:
			v.violated("Replace %s of key %s: %q, %v, and %q is to be kept", m.Source, m.Key, got.Content, err, m.Content)
		}
		v.stored(a, k)
	})
	return got, err
}

func (o observed) LookUp(ctx context.Context, key, source string) (driver.Message, error) {
	in, k, was := o.begin(ctx, call{op: "LookUp " + source, key: key})
	m, err := o.store.LookUp(in, key, source)
	o.end(ctx, func(v *verifier, a *attempt) {
		_, known := was.events[source]
		switch {
		case k.deletions > was.deletions:
		case err == nil && was.was(k, m):
		case isTooLate(err) && k.sealed[source]:
		case errors.Is(err, driver.ErrNotFound) && !known && !was.sealed[source]:
		case err != nil && !errors.Is(err, driver.ErrNotFound) && a.troubled:
		default:
			v.violated("LookUp %s of key %s: %q, %v, and %q was kept", source, key, m.Content, err, was.events[source].Content)
		}
	})
	return m, err
}

func (o observed) LookUpByKey(ctx context.Context, key string) ([]driver.Message, error) {
	in, k, was := o.begin(ctx, call{op: "LookUpByKey", key: key})
	all, err := o.store.LookUpByKey(in, key)
	o.end(ctx, func(v *verifier, a *attempt) {
		listed := make([]string, 0, len(all))
		right := true
		for _, m := range all {
			listed = append(listed, m.Source)
			right = right && was.was(k, m)
		}
		if right = right && was.lists(k, listed); !right && (err == nil || !a.troubled) && k.deletions == was.deletions {
			v.violated("LookUpByKey %s: %v, %v, and %v was kept", key, all, err, was.events)
		}
	})
	return all, err
}

// lists says whether a list of sources, which is ordered, has all that was kept when
// the operation began, and nothing that is not kept now.
func (b before) lists(k *keyState, sources []string) bool {
	for source := range b.events {
		if !slices.Contains(sources, source) {
			return false
		}
	}
	for _, source := range sources {
		if _, ok := k.events[source]; !ok {
			return false
		}
	}
	return slices.IsSorted(sources)
}

func (o observed) ListSourcesByKey(ctx context.Context, key string) ([]string, error) {
	in, k, was := o.begin(ctx, call{op: "ListSourcesByKey", key: key})
	all, err := o.store.ListSourcesByKey(in, key)
	o.end(ctx, func(v *verifier, a *attempt) {
		if !was.lists(k, all) && (err == nil || !a.troubled) && k.deletions == was.deletions {
			v.violated("ListSourcesByKey %s: %q, %v, and %v was kept", key, all, err, was.events)
		}
	})
	return all, err
}

func (o observed) Decide(ctx context.Context, key, name string, sources []string) ([]string, error) {
	in, k, was := o.begin(ctx, call{op: "Decide", key: key})
	decided, err := o.store.Decide(in, key, name, sources)
	o.end(ctx, func(v *verifier, a *attempt) {
		switch {
		case err != nil && a.troubled || k.deletions > was.deletions:
		case err == nil && k.decided[name] == nil:
			k.decided[name] = decided
		case err != nil || !slices.Equal(decided, k.decided[name]):
			v.violated("Decide %q of key %s: %q, %v, and %q is decided", sources, key, decided, err, k.decided[name])
		}
	})
	return decided, err
}

func (o observed) ListDecided(ctx context.Context, key, name string) (sources, decided []string, err error) {
	in, k, was := o.begin(ctx, call{op: "ListDecided", key: key})
	known := k.decided[name]
	sources, decided, err = o.store.ListDecided(in, key, name)
	o.end(ctx, func(v *verifier, a *attempt) {
		switch {
		case err != nil && a.troubled || k.deletions > was.deletions:
		case err != nil || !was.lists(k, sources) || !slices.Equal(decided, known) && !slices.Equal(decided, k.decided[name]):
			v.violated("ListDecided of key %s: %q, %q, %v, and %q is decided", key, sources, decided, err, k.decided[name])
		}
	})
	return sources, decided, err
}

func (o observed) Acquire(ctx context.Context, wanted driver.Claim, ttl time.Duration) (driver.Claim, error) {
	key, owner := wanted.Key, wanted.Owner
	in, k, was := o.begin(ctx, call{op: "Acquire", key: key, claim: wanted})
	claim, err := o.store.Acquire(in, wanted, ttl)
	o.end(ctx, func(v *verifier, a *attempt) {
		var heldBy *driver.HeldError
		switch {
		case err == nil:
			o.handedOut(v, k, claim, owner)
		case errors.Is(err, driver.ErrDone) && (k.state == done || was.deletions < k.deletions):
		case errors.Is(err, driver.ErrLater) && (was.paused || k.isPaused()):
		case errors.As(err, &heldBy) && !(k.mine(driver.Claim{Token: heldBy.Token, Owner: owner}) && was.state == held):
		case !errors.Is(err, driver.ErrDone) && a.troubled:
		default:
			v.violated("Acquire of key %s: %v, and token %d is %v until %v", key, err, k.claim.Token, k.state, k.claim.Expires)
		}
		v.claimed(a, claim, err)
	})
	return claim, err
}

// handedOut checks a claim that was handed out: the bucket has the same one, its lease is
// not longer than there, and the key was not completed before.
func (o observed) handedOut(v *verifier, k *keyState, c driver.Claim, owner string) {
	ends, known := k.ends[c.Token]
	stored := slices.ContainsFunc(k.given, func(given driver.Claim) bool {
		return given.Token == c.Token && given.Owner == owner && given.Takeover == c.Takeover
	})
	switch {
	case k.doneAt > 0 && k.granted[c.Token] > k.doneAt:
		v.violated("a completed key was claimed, token %d", c.Token)
	case !known || !stored || c.Owner != owner:
		v.violated("the claim %+v was handed out, and is not stored", c)
	case c.Expires.After(ends.Add(o.cloud.scenario.Ahead)):
		v.violated("the claim %+v was handed out, and its lease ends at %v", c, ends.Add(o.cloud.scenario.Ahead))
	}
}

func (o observed) Renew(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	in, k, was := o.begin(ctx, call{op: "Renew", key: c.Key, claim: c})
	renewed, err := o.store.Renew(in, c, ttl)
	o.end(ctx, func(v *verifier, a *attempt) {
		switch {
		case err == nil && was.lost(c):
			v.violated("token %d was renewed after %d was handed out, or the key given up", c.Token, was.claim.Token)
		case err == nil:
			o.handedOut(v, k, renewed, c.Owner)
		case errors.Is(err, driver.ErrLost) && (!k.mine(c) || k.state != held):
		case !errors.Is(err, driver.ErrLost) && a.troubled:
		default:
			v.violated("Renew of token %d: %v, and token %d is the newest", c.Token, err, k.claim.Token)
		}
	})
	return renewed, err
}

// lost says whether a claim was lost already when the operation began.
func (b before) lost(c driver.Claim) bool {
	return b.state != held || b.claim.Token != c.Token || b.claim.Owner != c.Owner
}

func (o observed) Complete(ctx context.Context, c driver.Claim, outcome driver.Outcome) error {
	in, k, was := o.begin(ctx, call{op: "Complete", key: c.Key, claim: c})
	err := o.store.Complete(in, c, outcome)
	o.end(ctx, func(v *verifier, a *attempt) {
		mine := k.state == done && k.doneBy.Token == c.Token && k.doneBy.Owner == c.Owner
		switch {
		case err == nil && k.deletions == was.deletions && !mine:
			v.violated("Complete of token %d: nil, and it is not what is stored", c.Token)
		case err == nil && !k.mine(c) && k.claim.Token > 0:
			v.violated("token %d completed after %d was handed out", c.Token, k.claim.Token)
		case err == nil:
		case errors.Is(err, driver.ErrLost) && (!k.mine(c) || k.state != held) && !mine:
		case !errors.Is(err, driver.ErrLost) && a.troubled:
		default:
			v.violated("Complete of token %d: %v, and token %d is the newest", c.Token, err, k.claim.Token)
		}
	})
	return err
}

func (o observed) Release(ctx context.Context, c driver.Claim, r driver.Released) error {
	in, k, _ := o.begin(ctx, call{op: "Release", key: c.Key, claim: c})
	err := o.store.Release(in, c, r)
	o.end(ctx, func(v *verifier, a *attempt) {
		switch {
		case err == nil && k.state == held && k.mine(c):
			v.violated("Release of token %d: nil, and it is still held", c.Token)
		case err == nil:
		case errors.Is(err, driver.ErrLost) && (!k.mine(c) || k.state != held):
		case !errors.Is(err, driver.ErrLost) && a.troubled:
		default:
			v.violated("Release of token %d: %v, and token %d is the newest", c.Token, err, k.claim.Token)
		}
	})
	return err
}
