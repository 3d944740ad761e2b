package sim

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"example.com/eventdriver/driver"
)

// Stores is what a pipeline keeps its state in.
type Stores interface {
	driver.EventStore
	driver.Replacer
	driver.Decider
	driver.Sealer
	driver.ClaimStore
}

// contract calls the store, and checks each answer against the contract in package
// driver. Calls come one after another.
type contract struct {
	store  Stores
	verify *verifier
	ahead  time.Duration // how far the clock is ahead by which the verifier ends leases
}

// keyState is the true state of a key after the calls so far.
type keyState struct {
	corrected map[string]*correction // by source
	wished    bool                   // an operator has changed the key, so that it is run again
	opened    int64                  // the token of the completion that was reopened last

	events   map[string]driver.Message   // the events that are kept, by source
	versions map[string][]driver.Message // all that were ever kept, in order
	complete map[string]int              // how many versions there were when the join became complete
	decided  map[string][]string         // by the join's name
	sealed   map[string]bool             // the sources of which no event is awaited
	state    claimState
	claim    driver.Claim    // the newest
	said     driver.Released // when it was released
	paused   time.Time       // until when, as was said then
	fence    int64           // the greatest token whose holder asked whether the business acted
	length   time.Duration
	given    []driver.Claim      // all claims, each as it was last handed out
	ends     map[int64]time.Time // of the leases, by token
	effects  []effect
	repeated bool           // its dead letter was written again, and is kept once
	refused  int            // late effects, by their tokens
	tried    map[int64]bool // the tokens of the runs that called the business, or vanished

	// On a cloud; steps are counted by its writes and deletions.
	stored    driver.Claim  // what the claim's object says, if it is not released
	granted   map[int64]int // the step at which each token was first stored
	doneBy    driver.Claim
	doneAt    int // the step; 0: not yet
	deletions int
	forgotten bool // its completion was deleted
}

type claimState int

const (
	free claimState = iota
	held
	done
)

// mine says whether the claim is the newest.
func (k *keyState) mine(c driver.Claim) bool {
	return c.Token == k.claim.Token && c.Owner == k.claim.Owner
}

// mayComplete says whether the claim is the newest and was not given up, or is the
// one that has completed the key.
func (k *keyState) mayComplete(c driver.Claim) bool {
	if k.state == done && k.doneAt > 0 {
		return c.Token == k.doneBy.Token && c.Owner == k.doneBy.Owner
	}
	return k.state != free && k.mine(c)
}

// live says whether somebody holds the key now.
func (k *keyState) live() bool { return k.state == held && time.Now().Before(k.claim.Expires) }

func (c contract) Persist(ctx context.Context, m driver.Message) error {
	err := c.store.Persist(ctx, m)
	c.kept("Persist", c.verify.key(m.Key), m, err)
	c.verify.stored(attemptFrom(ctx), c.verify.key(m.Key))
	c.verify.probe(contract.probeEvents, c)
	return err
}

// kept checks what a call returned that was to keep m.
func (c contract) kept(op string, k *keyState, m driver.Message, err error) {
	kept, known := k.events[m.Source]
	var conflict *driver.ConflictError
	switch same := bytes.Equal(kept.Content, m.Content); {
	case k.sealed[m.Source] && isTooLate(err):
	case err == nil && !known && !k.sealed[m.Source]:
		k.keep(m)
	case err == nil && same:
	case errors.As(err, &conflict) && known && !same && bytes.Equal(conflict.Stored.Content, kept.Content) &&
		conflict.Corrected == k.corrected[m.Source].was(m.Content):
	default:
		c.verify.violated("%s %s of key %s: %v, and %q is kept", op, m.Source, m.Key, err, kept.Content)
	}
}

func (c contract) Replace(ctx context.Context, m driver.Message) (driver.Message, error) {
	k := c.verify.key(m.Key)
	got, err := c.store.Replace(ctx, m)
	if k.sealed[m.Source] && isTooLate(err) {
		return got, err
	}
	k.replace(m)
	kept := k.events[m.Source]
	if err != nil || !bytes.Equal(got.Content, kept.Content) || !got.Time.Equal(kept.Time) {
		c.verify.violated("Replace %s of key %s: %q, %v, and %q is to be kept", m.Source, m.Key, got.Content, err, kept.Content)
	}
	c.verify.stored(attemptFrom(ctx), k)
	c.verify.probe(contract.probeEvents, c)
	return got, err
}

// replace keeps the later of two events. Of events with the same time it keeps the one that
// comes later, unless that one was replaced before.
func (k *keyState) replace(m driver.Message) {
	kept, known := k.events[m.Source]
	had := func(old driver.Message) bool {
		return old.ID == m.ID && old.Time.Equal(m.Time) && bytes.Equal(old.Content, m.Content)
	}
	if k.corrected[m.Source] != nil {
		return
	}
	if !known || m.Time.After(kept.Time) || m.Time.Equal(kept.Time) && !slices.ContainsFunc(k.versions[m.Source], had) {
		k.keep(m)
	}
}

func (k *keyState) keep(m driver.Message) {
	k.events[m.Source] = m
	k.versions[m.Source] = append(k.versions[m.Source], m)
}

func (c contract) LookUp(ctx context.Context, key, source string) (driver.Message, error) {
	m, err := c.store.LookUp(ctx, key, source)
	k := c.verify.key(key)
	kept, known := k.events[source]
	if k.sealed[source] && isTooLate(err) {
		return m, err
	}
	if !known && !errors.Is(err, driver.ErrNotFound) || k.sealed[source] || known && (err != nil || !same(m, kept)) {
		c.verify.violated("LookUp %s of key %s: %q, %v, and %q is kept", source, key, m.Content, err, kept.Content)
	}
	return m, err
}

func (c contract) LookUpByKey(ctx context.Context, key string) ([]driver.Message, error) {
	all, err := c.store.LookUpByKey(ctx, key)
	kept := c.verify.key(key).events
	var want []driver.Message
	for _, source := range slices.Sorted(maps.Keys(kept)) {
		want = append(want, kept[source])
	}
	if err != nil || !slices.EqualFunc(all, want, same) {
		c.verify.violated("LookUpByKey %s: %v, %v, and %v is kept", key, all, err, want)
	}
	return all, err
}

func same(a, b driver.Message) bool {
	return a.Key == b.Key && a.Source == b.Source && a.ID == b.ID && a.Time.Equal(b.Time) && bytes.Equal(a.Content, b.Content)
}

func (c contract) ListSourcesByKey(ctx context.Context, key string) ([]string, error) {
	all, err := c.store.ListSourcesByKey(ctx, key)
	if want := slices.Sorted(maps.Keys(c.verify.key(key).events)); err != nil || !slices.Equal(all, want) {
		c.verify.violated("ListSourcesByKey %s: %q, %v, and %q are kept", key, all, err, want)
	}
	return all, err
}

func (c contract) Decide(ctx context.Context, key, name string, sources []string) ([]string, error) {
	k := c.verify.key(key)
	decided, err := c.store.Decide(ctx, key, name, sources)
	if k.decided[name] == nil {
		k.decided[name] = slices.Sorted(slices.Values(sources))
	}
	if err != nil || !slices.Equal(decided, k.decided[name]) {
		c.verify.violated("Decide %q of key %s: %q, %v, and %q is decided", sources, key, decided, err, k.decided[name])
	}
	c.verify.probe(contract.probeEvents, c)
	return decided, err
}

func (c contract) ListDecided(ctx context.Context, key, name string) (sources, decided []string, err error) {
	k := c.verify.key(key)
	sources, decided, err = c.store.ListDecided(ctx, key, name)
	if want := slices.Sorted(maps.Keys(k.events)); err != nil || !slices.Equal(sources, want) || !slices.Equal(decided, k.decided[name]) {
		c.verify.violated("ListDecided of key %s: %q, %q, %v, and %q are kept, %q is decided", key, sources, decided, err, want, k.decided[name])
	}
	return sources, decided, err
}

func (c contract) Acquire(ctx context.Context, wanted driver.Claim, ttl time.Duration) (driver.Claim, error) {
	key, owner := wanted.Key, wanted.Owner
	v, k := c.verify, c.verify.key(key)
	claim, err := c.store.Acquire(ctx, wanted, ttl)
	var heldBy *driver.HeldError
	var later *driver.LaterError
	switch again := k.state == held && k.claim.Owner == owner; {
	case err == nil && k.state == done:
		v.violated("a completed key was claimed, token %d", claim.Token)
	case err == nil && again && (claim.Token != k.claim.Token || claim.Takeover != k.claim.Takeover || k.told(claim) != k.told(k.claim)):
		v.violated("token %d was claimed again by its owner, and became %d, takeover %v, %v",
			k.claim.Token, claim.Token, claim.Takeover, k.told(claim))
	case err == nil && !again && k.live():
		v.violated("token %d was handed out while the lease of token %d runs", claim.Token, k.claim.Token)
	case err == nil && !again && claim.Token <= k.claim.Token:
		v.violated("a new claim has token %d, after %d", claim.Token, k.claim.Token)
	case err == nil && !again && claim.Takeover != (k.state == held):
		v.violated("token %d says takeover %v", claim.Token, claim.Takeover)
	case err == nil && k.isPaused() && !wanted.Early:
		v.violated("token %d was handed out while the key is paused until %v", claim.Token, k.paused)
	case err == nil && !again && k.told(claim) != k.tells():
		v.violated("token %d was told %v, and the key was released with %v", claim.Token, k.told(claim), k.tells())
	case err == nil && (claim.Owner != owner || claim.Key != key || claim.Scope != wanted.Scope || claim.Margin != wanted.Margin || !claim.Expires.Equal(time.Now().Add(ttl))):
		v.violated("the claim %+v is not what was asked for: %s, %s, %v", claim, owner, key, ttl)
	case err == nil:
	case k.state == done && errors.Is(err, driver.ErrDone):
	case k.isPaused() && !wanted.Early && errors.As(err, &later) && later.Token == k.claim.Token && later.Until.Equal(k.paused):
	case k.live() && !again && errors.As(err, &heldBy) && heldBy.Token == k.claim.Token && heldBy.Expires.Equal(k.claim.Expires.Add(c.ahead)):
	default:
		v.violated("Acquire of key %s: %v, and token %d is %v until %v", key, err, k.claim.Token, k.state, k.claim.Expires)
	}
	if err == nil {
		k.give(claim, ttl)
	}
	v.claimed(attemptFrom(ctx), claim, err)
	v.probe(contract.probeClaims, c)
	return claim, err
}

// isPaused says whether the key was released with a pause that has not passed.
func (k *keyState) isPaused() bool { return k.state == free && time.Now().Before(k.paused) }

// told is what a claim says of the holders before.
func (k *keyState) told(c driver.Claim) driver.Released {
	return driver.Released{Mark: c.Mark, Attempts: c.Attempts}
}

// tells is what the next holder is to be told.
func (k *keyState) tells() driver.Released {
	if k.state == free {
		return driver.Released{Mark: k.said.Mark, Attempts: k.said.Attempts}
	}
	return driver.Released{Attempts: k.claim.Attempts + 1}
}

// give notes a claim that the store has handed out.
func (k *keyState) give(c driver.Claim, ttl time.Duration) {
	if c.Takeover && c.Token != k.claim.Token {
		k.tried[k.claim.Token] = true
	}
	k.given = append(slices.DeleteFunc(k.given, func(old driver.Claim) bool { return old.Token == c.Token }), c)
	k.ends[c.Token] = c.Expires
	k.state, k.claim, k.length = held, c, ttl
}

func (c contract) Renew(ctx context.Context, claim driver.Claim, ttl time.Duration) (driver.Claim, error) {
	v, k := c.verify, c.verify.key(claim.Key)
	renewed, err := c.store.Renew(ctx, claim, ttl)
	may := k.state == held && k.mine(claim)
	switch {
	case err == nil && !may:
		v.violated("token %d was renewed after %d was handed out, or the key given up", claim.Token, k.claim.Token)
	case err == nil && (renewed.Token < claim.Token || renewed.Owner != claim.Owner || !renewed.Expires.Equal(time.Now().Add(ttl))):
		v.violated("token %d was renewed, and became %+v", claim.Token, renewed)
	case err != nil && (may || !errors.Is(err, driver.ErrLost)):
		v.violated("Renew of token %d: %v, and token %d is the newest", claim.Token, err, k.claim.Token)
	}
	if err == nil {
		k.give(renewed, ttl)
	}
	v.probe(contract.probeClaims, c)
	return renewed, err
}

func (c contract) Complete(ctx context.Context, claim driver.Claim, outcome driver.Outcome) error {
	v, k, err := c.verify, c.verify.key(claim.Key), c.store.Complete(ctx, claim, outcome)
	may := k.mayComplete(claim)
	switch {
	case err == nil && !may:
		v.violated("token %d completed after %d was handed out, or the key given up", claim.Token, k.claim.Token)
	case err != nil && (may || !errors.Is(err, driver.ErrLost)):
		v.violated("Complete of token %d: %v, and token %d is the newest", claim.Token, err, k.claim.Token)
	}
	if err == nil {
		attemptFrom(ctx).sawDone = true
	}
	if err == nil && k.state != done {
		k.state = done
		v.completed(attemptFrom(ctx), k, claim)
		if attemptFrom(ctx).event.Operator == "" {
			v.outcome(k, outcome)
		}
	}
	v.probe(contract.probeClaims, c)
	return err
}

func (c contract) Release(ctx context.Context, claim driver.Claim, said driver.Released) error {
	v, k, err := c.verify, c.verify.key(claim.Key), c.store.Release(ctx, claim, said)
	may := k.state != done && k.mine(claim)
	switch {
	case err == nil && !may:
		v.violated("token %d was released after %d was handed out, or the key completed", claim.Token, k.claim.Token)
	case err != nil && (may || !errors.Is(err, driver.ErrLost)):
		v.violated("Release of token %d: %v, and token %d is the newest", claim.Token, err, k.claim.Token)
	}
	if err == nil && may && k.state == held {
		k.state, k.said, k.paused = free, said, time.Now().Add(said.Pause)
		v.released(attemptFrom(ctx), claim, said.Mark)
		v.paused(attemptFrom(ctx), said)
	}
	v.probe(contract.probeClaims, c)
	return err
}
