package drivertest_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"example.com/eventdriver/driver"
)

// flawless is the flaw of a store that has none.
const flawless = "none"

// claimFlaws are the flaws that records can have; exclusive is the harness's.
var claimFlaws = []struct {
	name      string
	exclusive bool
	breaks    []string
}{
	{"writes without comparing", false, []string{"Of any number of calls at once", "Of any number of takeovers at once"}},
	{"nothing is ever held", false, []string{"While another's lease", "Of any number of calls at once"}},
	{"hides its key", false, []string{"A claim says what it is", "Renew makes the lease end later"}},
	{"any lease length", false, []string{"The length of a lease"}},
	{"one lease for all keys", false, []string{"Keys do not disturb each other"}},
	{"token resets on release", false, []string{"A key that was released", "The token only grows"}},
	{"never says Takeover", false, []string{"A key whose lease ran out", "A takeover is given again", "A renewed lease runs out too"}},
	{"always says Takeover", false, []string{"A key that was released", "A claim says what it is"}},
	{"takeover keeps the token", false, []string{"A key whose lease ran out", "The token only grows"}},
	{"does not look at done again", true, []string{"A takeover and the old holder's Complete"}},
	{"zombies complete", false, []string{"A holder that was taken over", "Complete after Release", "A stranger"}},
	{"zombies renew", false, []string{"A holder that was taken over", "A stranger", "Renew after Release"}},
	{"zombies release", false, []string{"A holder that was taken over", "A stranger"}},
	{"forgets done after the lease", false, []string{"A completed key is done"}},
	{"completes once", false, []string{"Completing again"}},
	{"an expired claim is lost", false, []string{"A holder whose lease ran out can"}},
	{"Renew changes nothing", false, []string{"Renew makes the lease end later"}},
	{"renewed leases last", false, []string{"A renewed lease runs out"}},
	{"releases once", false, []string{"Releasing again"}},
	{"Release reopens", false, []string{"Release after Complete"}},
	{"ignores the owner", false, []string{"An owner that holds the key is given"}},
	{"a new claim for the owner", false, []string{"An owner that holds the key is given", "A takeover is given again"}},
	{"remembers old owners", false, []string{"An owner that gave the key up"}},
	{"compares Expires", false, []string{"A claim is its Key, Token and Owner"}},
	{"accepts an empty key", false, []string{"An empty key"}},
	{"ignores the context", false, []string{"A context that has ended"}},
}

// records is a claim store as over a network: a record for the claim, another
// for completion, each changed by compare-and-swap, with time for others to come
// between. It is right, but for its flaw.
type records struct {
	flaw string

	mu     sync.Mutex
	claims map[string]record
	dones  map[string]record
	owners map[string]driver.Claim // of all times; for one flaw
}

type record struct {
	claim    driver.Claim
	released bool
	version  int // 0: no record
}

func newRecords(flaw string) *records {
	return &records{flaw: flaw, claims: map[string]record{}, dones: map[string]record{}, owners: map[string]driver.Claim{}}
}

func (r *records) has(flaw string) bool { return r.flaw == flaw }

func (r *records) check(ctx context.Context, key string) error {
	if r.has("ignores the context") {
		ctx = context.WithoutCancel(ctx)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if key == "" && !r.has("accepts an empty key") {
		return driver.ErrNoKey
	}
	return nil
}

// name is the name of key's records.
func (r *records) name(key string) string {
	if r.has("one lease for all keys") {
		return "all"
	}
	return key
}

func (r *records) load(key string) record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.claims[r.name(key)]
}

// swap writes the claim's record, if nobody else has since it was loaded.
func (r *records) swap(key string, next record) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.claims[r.name(key)].version != next.version && !r.has("writes without comparing") {
		return false
	}
	next.version++
	r.claims[r.name(key)] = next
	r.owners[next.claim.Owner] = next.claim
	return true
}

func (r *records) done(key string) (driver.Claim, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.dones[r.name(key)]
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
	key, owner := c.Key, c.Owner
	if err := r.check(ctx, key); err != nil {
		return driver.Claim{}, err
	}
	if ttl <= 0 && !r.has("any lease length") {
		return driver.Claim{}, errors.New("not positive")
	}
	if old, known := r.ownedBefore(owner); known {
		return old, nil
	}
	for {
		if _, done := r.done(key); done {
			return driver.Claim{}, driver.ErrDone
		}
		old := r.load(key)
		if old.version > 0 && !old.released {
			if old.claim.Owner == owner && !r.has("ignores the owner") && !r.has("a new claim for the owner") {
				return old.claim, nil
			}
			anew := old.claim.Owner == owner && r.has("a new claim for the owner")
			if time.Now().Before(old.claim.Expires) && !anew && !r.has("nothing is ever held") {
				return driver.Claim{}, &driver.HeldError{Key: key, Token: old.claim.Token, Expires: old.claim.Expires}
			}
		}
		pause()
		next := r.successor(old, key, owner, ttl)
		if !r.swap(key, next) {
			continue
		}
		if _, done := r.done(key); done && !r.has("does not look at done again") {
			return driver.Claim{}, driver.ErrDone
		}
		return next.claim, nil
	}
}

// successor is the record that makes owner the holder after old.
func (r *records) successor(old record, key, owner string, ttl time.Duration) record {
	c := driver.Claim{
		Key:      key,
		Token:    old.claim.Token + 1,
		Owner:    owner,
		Expires:  time.Now().Add(ttl),
		Takeover: old.version > 0 && !old.released,
	}
	switch {
	case r.has("token resets on release") && old.released:
		c.Token = 1
	case r.has("takeover keeps the token") && c.Takeover:
		c.Token = old.claim.Token
	case r.has("never says Takeover"):
		c.Takeover = false
	case r.has("always says Takeover"):
		c.Takeover = true
	case r.has("a new claim for the owner") && old.claim.Owner == owner:
		c.Takeover = false
	case r.has("hides its key"):
		c.Key = ""
	}
	return record{claim: c, version: old.version}
}

// mine returns the record of c's key, and whether c's holder has it.
func (r *records) mine(c driver.Claim) (record, bool) {
	rec := r.load(c.Key)
	ok := rec.version > 0 && rec.claim.Token == c.Token && rec.claim.Owner == c.Owner
	if r.has("an expired claim is lost") && time.Now().After(rec.claim.Expires) ||
		r.has("compares Expires") && !c.Expires.Equal(rec.claim.Expires) {
		ok = false
	}
	return rec, ok
}

func (r *records) Renew(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	if err := r.check(ctx, c.Key); err != nil {
		return driver.Claim{}, err
	}
	rec, ok := r.mine(c)
	_, done := r.done(c.Key)
	if (!ok || rec.released || done) && !r.has("zombies renew") {
		return driver.Claim{}, driver.ErrLost
	}
	if !r.has("Renew changes nothing") && (!r.has("renewed leases last") || ttl > time.Until(rec.claim.Expires)) {
		rec.claim.Expires = time.Now().Add(ttl)
	}
	if !r.swap(c.Key, rec) {
		return driver.Claim{}, driver.ErrLost
	}
	return rec.claim, nil
}

func (r *records) Complete(ctx context.Context, c driver.Claim) error {
	if err := r.check(ctx, c.Key); err != nil {
		return err
	}
	if by, done := r.done(c.Key); done {
		if r.has("completes once") || by.Token != c.Token || by.Owner != c.Owner {
			return driver.ErrLost
		}
		return nil
	}
	time.Sleep(100 * time.Microsecond) // others have looked, but have not written yet
	if rec, ok := r.mine(c); (!ok || rec.released) && !r.has("zombies complete") {
		return driver.ErrLost
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dones[r.name(c.Key)] = record{claim: c}
	return nil
}

func (r *records) Release(ctx context.Context, c driver.Claim, _ driver.Mark) error {
	if err := r.check(ctx, c.Key); err != nil {
		return err
	}
	rec, ok := r.mine(c)
	if _, done := r.done(c.Key); done && !r.has("Release reopens") || !ok && !r.has("zombies release") {
		return driver.ErrLost
	}
	if rec.released {
		if r.has("releases once") {
			return driver.ErrLost
		}
		return nil
	}
	rec.released = true
	if !r.swap(c.Key, rec) {
		return driver.ErrLost
	}
	if r.has("Release reopens") {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.dones, r.name(c.Key))
	}
	return nil
}
