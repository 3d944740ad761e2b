package gcsstore_test

import (
	"errors"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

func lost(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, driver.ErrLost) {
		t.Errorf("%s: got %v, want ErrLost", what, err)
	}
}

// TestZombie has a holder come back after its lease ran out and another took
// over: at the store that knows its claim, and at one that does not.
func TestZombie(t *testing.T) {
	for _, elsewhere := range []bool{false, true} {
		server := gcs.New(t, bucket)
		old, ctx := open(t, server), t.Context()
		zombie, err := old.Acquire(ctx, driver.NewClaim("order-1"), 1)
		if err != nil {
			t.Fatal(err)
		}
		taker := open(t, server)
		claim, err := taker.Acquire(ctx, driver.NewClaim("order-1"), time.Hour)
		if err != nil || !claim.Takeover || claim.Token != zombie.Token+1 {
			t.Fatalf("takeover: %+v, %v", claim, err)
		}
		if elsewhere {
			old = open(t, server)
		}
		lost(t, "Complete", old.Complete(ctx, zombie, driver.OutcomeProcessed))
		_, err = old.Renew(ctx, zombie, time.Hour)
		lost(t, "Renew", err)
		lost(t, "Release", old.Release(ctx, zombie, driver.Released{}))
		if err := taker.Complete(ctx, claim, driver.OutcomeProcessed); err != nil {
			t.Errorf("the taker completes: %v", err)
		}
		lost(t, "Complete after the taker", old.Complete(ctx, zombie, driver.OutcomeProcessed))
	}
}

// TestZombieWithinComplete has another try to take over between the requests of
// a Complete that comes after the lease ran out, at the store that knows the claim and
// at one that does not. Whichever request is held back meanwhile, exactly one of the
// two has the key in the end.
func TestZombieWithinComplete(t *testing.T) {
	for n := range 6 {
		server := gcs.New(t, bucket)
		old, taker, ctx := open(t, server), open(t, server), t.Context()
		zombie, err := old.Acquire(ctx, driver.NewClaim("order-1"), 1)
		if err != nil {
			t.Fatal(err)
		}
		n := n
		if n >= 2 { // beyond the two requests of the store that knows it
			n -= 2
			old = open(t, server)
			if _, err := old.LookUp(ctx, "key", "source"); !errors.Is(err, driver.ErrNotFound) { // it knows the bucket
				t.Fatal(err)
			}
		}
		server.Reset()
		var claim driver.Claim
		var taken error
		server.OnRequest(func(r gcs.Request) gcs.Fault {
			if r.N == n {
				claim, taken = taker.Acquire(ctx, driver.NewClaim("order-1"), time.Hour)
			}
			return gcs.Fault{}
		})
		completed := old.Complete(ctx, zombie, driver.OutcomeProcessed)
		requests := server.Requests()
		server.Reset()
		switch {
		case completed == nil && (errors.Is(taken, driver.ErrHeld) || errors.Is(taken, driver.ErrDone)):
		case errors.Is(completed, driver.ErrLost) && taken == nil && claim.Takeover:
			if err := taker.Complete(ctx, claim, driver.OutcomeProcessed); err != nil {
				t.Errorf("takeover at request %d: the taker completes: %v", n, err)
			}
		default:
			t.Errorf("takeover at request %d: %v, and the old holder's Complete: %v; %v", n, taken, completed, requests)
		}
	}
}

// TestSameClaimTwice has a claim renewed through two stores in turn: each finds
// that the generation it knows is gone and that the claim is still its own.
func TestSameClaimTwice(t *testing.T) {
	server := gcs.New(t, bucket)
	stores, ctx := []*gcsstore.Store{open(t, server), open(t, server)}, t.Context()
	claim := acquired(t, stores[0])
	for i := range 4 {
		renewed, err := stores[i%2].Renew(ctx, claim, time.Hour)
		if err != nil || renewed.Token != claim.Token || renewed.Owner != claim.Owner {
			t.Fatalf("round %d: %+v, %v", i, renewed, err)
		}
		if left := time.Until(renewed.Expires); left <= 59*time.Minute || left > time.Hour {
			t.Errorf("round %d: the lease ends in %v", i, left)
		}
	}
	if err := stores[0].Complete(ctx, claim, driver.OutcomeProcessed); err != nil {
		t.Error(err)
	}
	lost(t, "Release of a completed key", stores[1].Release(ctx, claim, driver.Released{}))
	_, err := stores[1].Renew(ctx, claim, time.Hour)
	lost(t, "Renew of a completed key", err)
}

// TestOwners has owners that metadata can't hold as they are.
func TestOwners(t *testing.T) {
	owners := []string{"\xff", "\xfe", "é", "a b", "a=20b", "\x00", string(make([]byte, 10000)), string(make([]byte, 10001))}
	store := open(t, gcs.New(t, bucket))
	for _, owner := range owners {
		claim, err := store.Acquire(t.Context(), driver.Claim{Key: owner, Owner: owner}, time.Hour)
		if err != nil || claim.Owner != owner {
			t.Fatalf("owner %.20q: %+v, %v", owner, claim, err)
		}
		for _, other := range owners {
			_, err := store.Acquire(t.Context(), driver.Claim{Key: owner, Owner: other}, time.Hour)
			if (err == nil) != (other == owner) {
				t.Errorf("held by %.20q, asked for by %.20q: %v", owner, other, err)
			}
		}
	}
}

func TestAcquireRefusesLeases(t *testing.T) {
	store := open(t, gcs.New(t, bucket))
	claim := acquired(t, store)
	for _, ttl := range []time.Duration{0, -time.Second} {
		if _, err := store.Acquire(t.Context(), driver.NewClaim("order-2"), ttl); err == nil {
			t.Errorf("Acquire for %v succeeded", ttl)
		}
		if _, err := store.Renew(t.Context(), claim, ttl); err == nil {
			t.Errorf("Renew for %v succeeded", ttl)
		}
	}
}

// TestKnownToBeHeld asks for a key that is known to be held, while its holder fails and
// gives it back: nothing is written while it is held, and then not before a second has
// passed since the last write.
func TestKnownToBeHeld(t *testing.T) {
	server := gcs.New(t, bucket)
	inBubble(t, server, func(t *testing.T, open func(time.Duration) *gcsstore.Store) {
		holder, waiter := open(0), open(0)
		claim := acquired(t, holder)
		want := driver.NewClaim("order-1")
		want.Token = claim.Token
		server.Reset()
		for range 5 {
			_, err := waiter.Acquire(t.Context(), want, time.Hour)
			held(t, err)
		}
		for _, r := range server.Requests() {
			if r.Kind == gcs.Insert {
				t.Errorf("%v is written while the key is held", r)
			}
		}
		time.Sleep(time.Minute)
		if err := holder.Release(t.Context(), claim, driver.Released{Mark: driver.MarkFailed}); err != nil {
			t.Fatal(err)
		}
		released := time.Now()
		next, err := waiter.Acquire(t.Context(), want, time.Hour)
		if err != nil || next.Token != claim.Token+1 || next.Mark != driver.MarkFailed || time.Since(released) != time.Second {
			t.Errorf("%+v, %v, %v after it was released", next, err, time.Since(released))
		}
	})
}
