package gcsstore_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

// remove deletes the objects of a kind, as a lifecycle rule does.
func remove(t *testing.T, server *gcs.Server, kind string) {
	t.Helper()
	names, err := server.Names(bucket)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "/"+kind) {
			if err := server.Delete(bucket, name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func completed(t *testing.T, s *gcsstore.Store) driver.Claim {
	t.Helper()
	c := acquired(t, s)
	if err := s.Complete(t.Context(), c, driver.OutcomeProcessed); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestDoneAlone deletes the claim of a completed key, and looks at what others leave
// behind who ask for it. In the key's next life, when the completion is deleted too,
// nothing is held, nobody has crashed, and the token is greater.
func TestDoneAlone(t *testing.T) {
	looks := func(r gcs.Request) bool { return r.Kind == gcs.Stat && strings.HasSuffix(r.Object, "/done") }
	for name, test := range map[string]struct {
		fault func(gcs.Request) gcs.Fault
		fails bool
	}{
		"no fault": {func(gcs.Request) gcs.Fault { return gcs.Fault{} }, false},
		"the answer to the claim is lost": {once(func(r gcs.Request) bool { return writes("/claim", r) },
			gcs.Fault{Drop: true}), false},
		"the look at the completion is forbidden": {once(looks, gcs.Fault{Status: http.StatusForbidden}), true},
		"the look at the completion never succeeds": {func(r gcs.Request) gcs.Fault {
			if looks(r) {
				return gcs.Fault{Status: http.StatusServiceUnavailable}
			}
			return gcs.Fault{}
		}, true},
		"the tidying is refused once": {second(func(r gcs.Request) bool { return writes("/claim", r) },
			gcs.Fault{Status: http.StatusServiceUnavailable}), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := gcs.New(t, bucket)
			brief := 300 * time.Millisecond
			store := open(t, server, gcsstore.Config(bucket).WithTimeout(gcsstore.Timeout{Default: &brief}))
			old := completed(t, store)
			remove(t, server, "claim")

			server.OnRequest(test.fault)
			_, err := store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
			if errors.Is(err, driver.ErrDone) == test.fails || err == nil {
				t.Errorf("the claim is deleted, the completion is there: %v", err)
			}
			server.OnRequest(nil)
			if !test.fails {
				if _, err := store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour); !errors.Is(err, driver.ErrDone) {
					t.Errorf("asked again: %v", err)
				}
			}
			remove(t, server, "done")
			next, err := store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
			if err != nil || next.Takeover || next.Token <= old.Token || next.Mark != driver.MarkNone {
				t.Errorf("in its next life the key is claimed as %+v, %v; want no takeover, and a token above %d", next, err, old.Token)
			}
		})
	}
}

// once has a fault happen to the first request that is meant.
func once(meant func(gcs.Request) bool, fault gcs.Fault) func(gcs.Request) gcs.Fault {
	return nth(1, meant, fault)
}

func second(meant func(gcs.Request) bool, fault gcs.Fault) func(gcs.Request) gcs.Fault {
	return nth(2, meant, fault)
}

func nth(n int32, meant func(gcs.Request) bool, fault gcs.Fault) func(gcs.Request) gcs.Fault {
	var count atomic.Int32
	return func(r gcs.Request) gcs.Fault {
		if meant(r) && count.Add(1) == n {
			return fault
		}
		return gcs.Fault{}
	}
}

// TestAllIsDeleted: the tokens of a key do not begin anew in its next life, or whoever
// refuses small ones would refuse all of it.
func TestAllIsDeleted(t *testing.T) {
	server := gcs.New(t, bucket)
	inBubble(t, server, func(t *testing.T, open func(time.Duration) *gcsstore.Store) {
		store := open(0)
		old := completed(t, store)
		remove(t, server, "claim")
		remove(t, server, "done")
		time.Sleep(time.Hour)
		if next := acquired(t, store); next.Token <= old.Token || next.Takeover {
			t.Errorf("after token %d: %+v", old.Token, next)
		}
	})
}

// TestTokenBesideCompletion deletes the claim of a key whose token is ahead of the clock.
// Who then asks for the key begins with a smaller one, and must not leave that behind for
// the key's next life.
func TestTokenBesideCompletion(t *testing.T) {
	server := gcs.New(t, bucket)
	inBubble(t, server, func(t *testing.T, open func(time.Duration) *gcsstore.Store) {
		store := open(0)
		for range 5 { // the clock stands still
			if err := store.Release(t.Context(), acquired(t, store), driver.Released{}); err != nil {
				t.Fatal(err)
			}
		}
		old := completed(t, store)
		remove(t, server, "claim")
		if _, err := store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour); !errors.Is(err, driver.ErrDone) {
			t.Errorf("the claim is deleted, the completion is there: %v", err)
		}
		remove(t, server, "done")
		if next := acquired(t, store); next.Token <= old.Token || next.Takeover {
			t.Errorf("after token %d: %+v", old.Token, next)
		}
	})
}

// TestCompletionOutlivesTakeover has the key completed just before it is taken over by
// somebody with a fast clock, who had not seen that when looking first. The claim that
// the taker leaves behind is not one of a holder who crashed.
func TestCompletionOutlivesTakeover(t *testing.T) {
	server := gcs.New(t, bucket)
	inBubble(t, server, func(t *testing.T, open func(time.Duration) *gcsstore.Store) {
		old, taker := open(0), open(2*time.Hour)
		claim := acquired(t, old)
		fault := second(func(r gcs.Request) bool { return writes("/claim", r) }, gcs.Fault{Delay: 1})
		server.OnRequest(func(r gcs.Request) gcs.Fault {
			f := fault(r)
			if f.Delay > 0 { // the takeover itself
				if err := old.Complete(t.Context(), claim, driver.OutcomeProcessed); err != nil {
					t.Error(err)
				}
			}
			return f
		})
		if c, err := taker.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour); !errors.Is(err, driver.ErrDone) {
			t.Errorf("a completed key was claimed: %+v, %v", c, err)
		}
		server.OnRequest(nil)
		remove(t, server, "done")
		next, err := taker.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
		if err != nil || next.Takeover || next.Token <= claim.Token {
			t.Errorf("in its next life the key is claimed as %+v, %v", next, err)
		}
	})
}

// TestOrphanOfAnotherIsTidied: an instance has claimed a completed key, and crashed before it had found
// the completion. Whoever asks next, after its lease, leaves no claim that looks like that of a holder.
func TestOrphanOfAnotherIsTidied(t *testing.T) {
	server := gcs.New(t, bucket)
	inBubble(t, server, func(t *testing.T, open func(time.Duration) *gcsstore.Store) {
		store := open(0)
		completed(t, store)
		remove(t, server, "claim")
		server.OnRequest(func(r gcs.Request) gcs.Fault { // it never hears of the completion
			return gcs.Fault{Missing: r.Kind == gcs.Stat && strings.HasSuffix(r.Object, "/done")}
		})
		orphan, err := open(0).Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		server.OnRequest(nil)
		time.Sleep(2 * time.Hour)
		if _, err := store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour); !errors.Is(err, driver.ErrDone) {
			t.Errorf("the key is completed: %v", err)
		}
		remove(t, server, "done")
		if next := acquired(t, store); next.Takeover || next.Token <= orphan.Token {
			t.Errorf("after %+v, in its next life the key is claimed as %+v", orphan, next)
		}
	})
}
