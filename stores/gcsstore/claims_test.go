package gcsstore_test

import (
	"errors"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/gcsfake"
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
		server := gcsfake.New(t, bucket)
		old, ctx := open(t, server), t.Context()
		zombie, err := old.Acquire(ctx, driver.NewClaim("order-1"), 1)
		if err != nil {
			t.Fatal(err)
		}
		taker := open(t, server)
		claim, err := taker.Acquire(ctx, driver.NewClaim("order-1"), time.Hour)
		if err != nil || !claim.Takeover || claim.Token != 2 {
			t.Fatalf("takeover: %+v, %v", claim, err)
		}
		if elsewhere {
			old = open(t, server)
		}
		lost(t, "Complete", old.Complete(ctx, zombie))
		_, err = old.Renew(ctx, zombie, time.Hour)
		lost(t, "Renew", err)
		lost(t, "Release", old.Release(ctx, zombie, driver.MarkNone))
		if err := taker.Complete(ctx, claim); err != nil {
			t.Errorf("the taker completes: %v", err)
		}
		lost(t, "Complete after the taker", old.Complete(ctx, zombie))
	}
}

// TestZombieWithinComplete has another try to take over between the requests of
// a Complete that comes after the lease ran out. Whichever request is held back
// meanwhile, exactly one of the two has the key in the end.
func TestZombieWithinComplete(t *testing.T) {
	for n := range 4 {
		server := gcsfake.New(t, bucket)
		old, taker, ctx := open(t, server), open(t, server), t.Context()
		zombie, err := old.Acquire(ctx, driver.NewClaim("order-1"), 1)
		if err != nil {
			t.Fatal(err)
		}
		server.Reset()
		var claim driver.Claim
		var taken error
		server.OnRequest(func(r gcsfake.Request) gcsfake.Fault {
			if r.N == n {
				claim, taken = taker.Acquire(ctx, driver.NewClaim("order-1"), time.Hour)
			}
			return gcsfake.Fault{}
		})
		completed := old.Complete(ctx, zombie)
		requests := server.Requests()
		server.Reset()
		switch {
		case completed == nil && (errors.Is(taken, driver.ErrHeld) || errors.Is(taken, driver.ErrDone)):
		case errors.Is(completed, driver.ErrLost) && taken == nil && claim.Takeover:
			if err := taker.Complete(ctx, claim); err != nil {
				t.Errorf("takeover at request %d: the taker completes: %v", n, err)
			}
		default:
			t.Errorf("takeover at request %d: %v, and the old holder's Complete: %v; %v", n, taken, completed, requests)
		}
	}
}

// TestCompletionOutlivesTakeover has the key completed just before it is taken
// over by somebody who had not seen that when looking first.
func TestCompletionOutlivesTakeover(t *testing.T) {
	server := gcsfake.New(t, bucket)
	old, taker, ctx := open(t, server), open(t, server), t.Context()
	if _, err := old.Acquire(ctx, driver.NewClaim("order-1"), 1); err != nil {
		t.Fatal(err)
	}
	server.Reset()
	inserts := 0
	server.OnRequest(func(r gcsfake.Request) gcsfake.Fault {
		if r.Kind == gcsfake.Insert {
			inserts++
		}
		if r.Kind == gcsfake.Insert && inserts == 2 { // the takeover itself
			names, _ := server.Names(bucket)
			server.Put(bucket, names[0][:len(names[0])-len("claim")]+"done", nil)
		}
		return gcsfake.Fault{}
	})
	if c, err := taker.Acquire(ctx, driver.NewClaim("order-1"), time.Hour); err == nil {
		t.Errorf("a completed key was claimed: %+v", c)
	}
}

// TestSameClaimTwice has a claim renewed through two stores in turn: each finds
// that the generation it knows is gone and that the claim is still its own.
func TestSameClaimTwice(t *testing.T) {
	server := gcsfake.New(t, bucket)
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
	if err := stores[0].Complete(ctx, claim); err != nil {
		t.Error(err)
	}
	lost(t, "Release of a completed key", stores[1].Release(ctx, claim, driver.MarkNone))
	_, err := stores[1].Renew(ctx, claim, time.Hour)
	lost(t, "Renew of a completed key", err)
}

// TestOwners has owners that metadata can't hold as they are.
func TestOwners(t *testing.T) {
	owners := []string{"\xff", "\xfe", "é", "a b", "a=20b", "\x00", string(make([]byte, 10000)), string(make([]byte, 10001))}
	store := open(t, gcsfake.New(t, bucket))
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
	store := open(t, gcsfake.New(t, bucket))
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
