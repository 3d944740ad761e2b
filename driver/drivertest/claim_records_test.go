package drivertest_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"example.com/eventdriver/driver"
)

// records is a claim store as over a network: a record for the claim, another
// for completion, each changed by compare-and-swap, with time for others to come
// between. It is right, but for its flaw.
type records struct {
	flaw string

	mu     sync.Mutex
	claims map[recordID]record
	dones  map[recordID]record
	owners map[string]driver.Claim // of all times; for one flaw
}

type recordID struct{ scope, key string }

type record struct {
	claim    driver.Claim
	released bool
	said     driver.Released // when it was released
	paused   time.Time       // until when, as was said then
	version  int             // 0: no record
}

func newRecords(flaw string) *records {
	return &records{flaw: flaw, claims: map[recordID]record{}, dones: map[recordID]record{}, owners: map[string]driver.Claim{}}
}

func (r *records) has(flaw string) bool { return r.flaw == flaw }

func (r *records) check(ctx context.Context, c driver.Claim) error {
	if r.has("ignores the context") {
		ctx = context.WithoutCancel(ctx)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	switch {
	case c.Key == "" && !r.has("accepts an empty key"):
		return driver.Permanent(driver.ErrNoKey)
	case c.Owner == "" && !r.has("accepts an empty owner"):
		return driver.Permanent(driver.ErrNoOwner)
	}
	return nil
}

// id is of the records of c's key in its scope.
func (r *records) id(c driver.Claim) recordID {
	switch {
	case r.has("one lease for all keys"):
		return recordID{c.Scope, "all"}
	case r.has("forgets the scope"):
		return recordID{"", c.Key}
	case r.has("glues the scope to the key"):
		return recordID{"", c.Scope + "/" + c.Key}
	}
	return recordID{c.Scope, c.Key}
}

func (r *records) load(c driver.Claim) record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.claims[r.id(c)]
}

// swap writes the claim's record, if nobody else has since it was loaded.
func (r *records) swap(c driver.Claim, next record) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.claims[r.id(c)].version != next.version && !r.has("writes without comparing") {
		return false
	}
	next.version++
	r.claims[r.id(c)] = next
	r.owners[next.claim.Owner] = next.claim
	return true
}

func (r *records) done(c driver.Claim) (driver.Claim, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.dones[r.id(c)]
	if r.has("forgets done after the lease") && time.Now().After(d.claim.Expires) {
		return driver.Claim{}, false
	}
	return d.claim, ok
}

// ownedBefore returns the last claim of owner, with the flaw that it is for.
func (r *records) ownedBefore(owner string) (driver.Claim, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.owners[owner]
	return c, ok && r.has("remembers old owners")
}

func (r *records) Acquire(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	if err := r.check(ctx, c); err != nil {
		return driver.Claim{}, err
	}
	if ttl <= 0 && !r.has("any lease length") {
		return driver.Claim{}, errors.New("not positive")
	}
	if old, known := r.ownedBefore(c.Owner); known {
		return old, nil
	}
	for {
		if _, done := r.done(c); done {
			return driver.Claim{}, driver.ErrDone
		}
		old := r.load(c)
		if r.heldBefore(old, c) {
			return driver.Claim{}, &driver.HeldError{Scope: c.Scope, Key: c.Key, Token: old.claim.Token, Expires: old.claim.Expires}
		}
		if until := r.pausedUntil(old, c); time.Now().Before(until) {
			return driver.Claim{}, &driver.LaterError{Scope: c.Scope, Key: c.Key, Token: old.claim.Token, Until: until}
		}
		pause()
		next := r.successor(old, c, ttl)
		if !r.swap(c, next) {
			continue
		}
		if _, done := r.done(c); done && !r.has("does not look at done again") {
			return driver.Claim{}, driver.ErrDone
		}
		return next.claim, nil
	}
}

// pausedUntil says until when c is not handed out after old was released.
func (r *records) pausedUntil(old record, c driver.Claim) time.Time {
	switch {
	case !old.released || c.Early && !r.has("a pause can't be ended"), r.has("forgets the pause"),
		r.has("a mark ends the pause") && old.said.Mark != driver.MarkNone:
		return time.Time{}
	case r.has("a pause never ends") && old.said.Pause > 0:
		return time.Now().Add(old.said.Pause)
	}
	return old.paused
}

// heldBefore says whether old keeps c from being handed out.
func (r *records) heldBefore(old record, c driver.Claim) bool {
	switch {
	case r.has("a token that is known is held") && c.Token > 0 && old.claim.Token >= c.Token:
		return true
	case old.version == 0 || old.released || r.has("nothing is ever held"), c.Early && r.has("an early claim is always given"):
		return false
	case old.claim.Owner == c.Owner && !r.has("ignores the owner"):
		return false
	}
	return time.Now().Before(old.claim.Expires)
}

// successor is the record that makes c's owner the holder after old.
func (r *records) successor(old record, c driver.Claim, ttl time.Duration) record {
	known := c.Token
	next := record{claim: c, version: old.version}
	mine := old.version > 0 && !old.released && old.claim.Owner == c.Owner
	runOut := r.has("an owner's own lease runs out") && !time.Now().Before(old.claim.Expires)
	if mine && !runOut && !r.has("ignores the owner") && !r.has("a new claim for the owner") {
		next.claim, next.said = old.claim, old.said
		if !r.has("a claim given again has the old margin") {
			next.claim.Margin = c.Margin
		}
		if !r.has("a claim given again is not longer") {
			next.claim.Expires = time.Now().Add(ttl)
		}
		if r.has("a mark is told once") {
			next.claim.Mark = driver.MarkNone
		}
		if r.has("attempts are told once") {
			next.claim.Attempts = 0
		}
		return next
	}
	if r.has("a pause outlives the next holder") {
		next.paused = old.paused
	}
	n := &next.claim
	n.Token, n.Expires, n.Takeover = old.claim.Token+1, time.Now().Add(ttl), old.version > 0 && !old.released
	if n.Mark = driver.MarkNone; old.released || r.has("a mark outlives the next holder") {
		n.Mark, next.said.Mark = old.said.Mark, old.said.Mark
	}
	n.Attempts = r.attempts(old)
	switch {
	case r.has("token resets on release") && old.released:
		n.Token = 1
	case r.has("takeover keeps the token") && n.Takeover:
		n.Token = old.claim.Token
	case r.has("never says Takeover"):
		n.Takeover = false
	case r.has("always says Takeover"):
		n.Takeover = true
	case r.has("a new claim for the owner") && mine:
		n.Takeover = false
	case r.has("hides its key"):
		n.Key = ""
	case r.has("forgets the margin"):
		n.Margin = 0
	case r.has("forgets the mark"):
		n.Mark = driver.MarkNone
	case r.has("the token that is known is the one") && known > 0:
		n.Token = known
	}
	return next
}

// attempts is how many runs have failed when another claims the key after old.
func (r *records) attempts(old record) int {
	switch {
	case old.version == 0 || r.has("forgets the attempts"):
		return 0
	case old.released:
		return old.said.Attempts
	case r.has("a run that vanished is not counted"):
		return old.claim.Attempts
	case r.has("a run that vanished is all that counts"):
		return 1
	}
	return old.claim.Attempts + 1
}

// mine returns the record of c's key, and whether c's holder has it.
func (r *records) mine(c driver.Claim) (record, bool) {
	rec := r.load(c)
	ok := rec.version > 0 && rec.claim.Token == c.Token && rec.claim.Owner == c.Owner
	if r.has("compares the owner alone") {
		ok = rec.version > 0 && rec.claim.Owner == c.Owner
	}
	if r.has("an expired claim is lost") && time.Now().After(rec.claim.Expires) ||
		r.has("compares Expires") && !c.Expires.Equal(rec.claim.Expires) {
		ok = false
	}
	return rec, ok
}

func (r *records) Renew(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	if err := r.check(ctx, c); err != nil {
		return driver.Claim{}, err
	}
	rec, ok := r.mine(c)
	_, done := r.done(c)
	if (!ok || rec.released || done) && !r.has("zombies renew") {
		return driver.Claim{}, driver.ErrLost
	}
	if !r.has("Renew changes nothing") && (!r.has("renewed leases last") || ttl > time.Until(rec.claim.Expires)) {
		rec.claim.Expires = time.Now().Add(ttl)
	}
	if r.has("Renew makes another claim") {
		rec.claim.Token++
	}
	if !r.swap(c, rec) {
		return driver.Claim{}, driver.ErrLost
	}
	return rec.claim, nil
}

func (r *records) Complete(ctx context.Context, c driver.Claim, _ driver.Outcome) error {
	if err := r.check(ctx, c); err != nil {
		return err
	}
	if by, done := r.done(c); done && !r.has("two complete") {
		if r.has("completes once") || by.Token != c.Token || by.Owner != c.Owner {
			return driver.ErrLost
		}
		return nil
	}
	time.Sleep(100 * time.Microsecond) // others have looked, but have not written yet
	if rec, ok := r.mine(c); (!ok || rec.released) && !r.has("zombies complete") && !r.has("two complete") {
		return driver.ErrLost
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dones[r.id(c)] = record{claim: c}
	return nil
}

func (r *records) Release(ctx context.Context, c driver.Claim, said driver.Released) error {
	if err := r.check(ctx, c); err != nil {
		return err
	}
	rec, ok := r.mine(c)
	if _, done := r.done(c); done && !r.has("Release reopens") || !ok && !r.has("zombies release") {
		return driver.ErrLost
	}
	if rec.released && !r.has("the last mark counts") {
		if r.has("releases once") {
			return driver.ErrLost
		}
		return nil
	}
	paused := time.Now().Add(said.Pause)
	if r.has("a pause outlives the next holder") && rec.paused.After(paused) {
		paused = rec.paused
	}
	rec.released, rec.said, rec.paused = true, said, paused
	if !r.swap(c, rec) {
		return driver.ErrLost
	}
	if r.has("Release reopens") {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.dones, r.id(c))
	}
	return nil
}
