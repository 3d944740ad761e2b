package gcsstore_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

// race is a key with which several have to do at once, each at an instance of its own.
type race struct {
	server *gcs.Server
	stores map[string]*gcsstore.Store
	old    driver.Claim // it has completed the key
	next   driver.Claim // it holds the key since, if its Token is not 0
}

// newRace has the key completed, and if so wanted reopened and claimed again.
func newRace(t *testing.T, claimed bool) *race {
	t.Helper()
	r := &race{server: gcs.New(t, bucket), stores: make(map[string]*gcsstore.Store)}
	for _, who := range []string{"old", "next", "operator"} {
		r.stores[who] = open(t, r.server)
	}
	r.old = acquired(t, r.stores["old"]) // which remembers it, and completes it without a look
	if err := r.stores["operator"].Complete(t.Context(), r.old, driver.OutcomeOperator); err != nil {
		t.Fatal(err)
	}
	if claimed {
		r.next.Token = -1
		if err := errors.Join(r.do(t, "reopen"), r.do(t, "acquire")); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// do does what one of them does.
func (r *race) do(t *testing.T, what string) (err error) {
	switch what {
	case "reopen":
		return r.stores["operator"].Reopen(t.Context(), driver.Claim{Key: "order-1", Owner: "operator", Token: r.old.Token})
	case "complete late":
		return r.stores["old"].Complete(t.Context(), r.old, driver.OutcomeProcessed)
	case "acquire":
		c, err := r.stores["next"].Acquire(t.Context(), driver.Claim{Key: "order-1", Owner: "next"}, time.Hour)
		if err == nil {
			r.next = c
		}
		return err
	case "complete":
		return r.stores["next"].Complete(t.Context(), r.next, driver.OutcomeProcessed)
	}
	panic(what)
}

// within does outer, and inner just before its nth request is served. It says whether there is
// such a request.
func (r *race) within(t *testing.T, outer, inner string, n int) (errOuter, errInner error, reached bool) {
	var begun atomic.Bool
	var served atomic.Int64
	r.server.OnRequest(func(gcs.Request) gcs.Fault {
		if !begun.Load() && served.Add(1) == int64(n) && begun.CompareAndSwap(false, true) {
			errInner = r.do(t, inner)
		}
		return gcs.Fault{}
	})
	defer r.server.OnRequest(nil)
	errOuter = r.do(t, outer)
	return errOuter, errInner, begun.Load()
}

// interleaved calls check after each way in which inner may come between the requests of outer.
func interleaved(t *testing.T, claimed bool, actions []string, check func(t *testing.T, r *race, errs map[string]error)) {
	ways := 0
	for _, outer := range actions {
		for _, inner := range actions {
			for n := 1; outer != inner; n++ {
				r := newRace(t, claimed)
				errOuter, errInner, reached := r.within(t, outer, inner, n)
				if !reached {
					break
				}
				ways++
				t.Run(fmt.Sprintf("%s before request %d of %s", inner, n, outer), func(t *testing.T) {
					check(t, r, map[string]error{outer: errOuter, inner: errInner})
				})
			}
		}
	}
	t.Logf("%d ways", ways)
}

// TestReopenBetweenRequests: once a key is reopened, neither a late completion closes it, nor is its
// next holder told of a crash; and who claims it while it is being reopened has it, or is told that it is done.
func TestReopenBetweenRequests(t *testing.T) {
	interleaved(t, false, []string{"reopen", "complete late", "acquire"}, func(t *testing.T, r *race, errs map[string]error) {
		if err, did := errs["reopen"]; !did {
			if err := r.do(t, "reopen"); err != nil {
				t.Fatal(err)
			}
		} else if err != nil {
			t.Fatalf("Reopen: %v", err)
		}
		if err := errs["complete late"]; err != nil && !errors.Is(err, driver.ErrLost) {
			t.Errorf("the late completion: %v", err)
		}
		if err := errs["acquire"]; err != nil && !errors.Is(err, driver.ErrDone) {
			t.Errorf("Acquire: %v", err)
		}
		if r.next.Token == 0 {
			if err := r.do(t, "acquire"); err != nil {
				t.Fatalf("Acquire of the open key: %v", err)
			}
		}
		if c := r.next; c.Token <= r.old.Token || c.Takeover || c.Mark != driver.MarkNone {
			t.Errorf("the next claim is %+v", c)
		}
		if err := r.do(t, "complete late"); !errors.Is(err, driver.ErrLost) {
			t.Errorf("a completion that is later still: %v", err)
		}
		if err := r.do(t, "complete"); err != nil {
			t.Errorf("Complete by the next holder: %v", err)
		}
	})
}

// TestCompleteBetweenRequests: the next holder completes the key, whoever reopens it again, or completes
// it late, meanwhile.
func TestCompleteBetweenRequests(t *testing.T) {
	interleaved(t, true, []string{"reopen", "complete late", "complete"}, func(t *testing.T, r *race, errs map[string]error) {
		if err := errs["reopen"]; err != nil && !errors.Is(err, driver.ErrLost) {
			t.Errorf("Reopen: %v", err)
		}
		if err, did := errs["complete late"]; did && !errors.Is(err, driver.ErrLost) {
			t.Errorf("the late completion: %v", err)
		}
		if err := errs["complete"]; err != nil {
			t.Errorf("Complete: %v", err)
		}
		if err := r.do(t, "complete"); err != nil {
			t.Errorf("Complete again: %v", err)
		}
		if _, err := r.stores["old"].Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour); !errors.Is(err, driver.ErrDone) {
			t.Errorf("Acquire of the completed key: %v", err)
		}
	})
}

// TestReopenWhereNothingElseIsLeft: the claim was deleted, or is that of a caller who vanished after it had
// claimed the key, and before it saw the completion. Neither makes a takeover of the next claim.
func TestReopenWhereNothingElseIsLeft(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, r *race){
		"no claim": func(t *testing.T, r *race) { remove(t, r.server, "claim") },
		"an orphan": func(t *testing.T, r *race) {
			remove(t, r.server, "done")
			r.stores["old"] = open(t, r.server)
			if err := r.stores["operator"].Release(t.Context(), r.old, driver.Released{}); err != nil {
				t.Fatal(err)
			}
			orphan, err := r.stores["operator"].Acquire(t.Context(), driver.Claim{Key: "order-1", Owner: "orphan"}, 1)
			if err != nil || orphan.Token <= r.old.Token {
				t.Fatalf("%+v, %v", orphan, err)
			}
			done := map[string]string{"state": "done", "token": fmt.Sprint(r.old.Token), "owner": "me", "form": "1"}
			name := find(t, r.server, "/claim")
			fill(t, bucketOf(t, r.server), []object{{Name: name[:len(name)-len("claim")] + "done", Metadata: done}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRace(t, false)
			prepare(t, r)
			if err := errors.Join(r.do(t, "reopen"), r.do(t, "acquire")); err != nil {
				t.Fatal(err)
			}
			if c := r.next; c.Token <= r.old.Token || c.Takeover || c.Mark != driver.MarkNone {
				t.Errorf("the next claim is %+v, after %+v", c, r.old)
			}
		})
	}
}

// TestReopenedKeyWithoutAClaim: a bucket deletes the claim of a key before its completion, if that was
// reopened later. Nobody holds the key.
func TestReopenedKeyWithoutAClaim(t *testing.T) {
	r := newRace(t, false)
	if err := r.do(t, "reopen"); err != nil {
		t.Fatal(err)
	}
	remove(t, r.server, "claim")
	k, err := r.stores["operator"].Inspect(t.Context(), "order-1")
	if err != nil || len(k.Claims) != 1 {
		t.Fatalf("%+v, %v", k, err)
	}
	if c := k.Claims[0]; c.Held || c.Done != nil || c.Mark != driver.MarkNone || c.Token != r.old.Token || c.Changed.IsZero() {
		t.Errorf("%+v", c)
	}
}
