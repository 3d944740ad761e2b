package gcsstore_test

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

var correction = driver.Correction{By: "ann", Time: time.Unix(1, 0), Why: "it was wrong"}

// fullKey leaves a completed key of which something of each kind is kept.
func fullKey(t *testing.T, s *gcsstore.Store) driver.Claim {
	t.Helper()
	stored(t, s)
	ctx := t.Context()
	_, errSeal := s.Seal(ctx, "order-1", "event3")
	_, errDecide := s.Decide(ctx, "order-1", "join", []string{"event1", "event2"})
	scoped, errScoped := s.Acquire(ctx, driver.Claim{Scope: "a", Key: "order-1", Owner: "me"}, time.Hour)
	if err := errors.Join(errSeal, errDecide, errScoped, s.Complete(ctx, scoped, driver.OutcomeProcessed),
		s.Persist(ctx, driver.Message{Key: "order-1", Source: "event2"}), s.AddDeadLetter(ctx, oneLetter),
		s.Correct(ctx, driver.Message{Key: "order-1", Source: "event1", Content: []byte("right")}, correction)); err != nil {
		t.Fatal(err)
	}
	return completed(t, s)
}

// dies runs an operation whose nth request fails and all after it, as when its process dies. It says
// whether there was such a request.
func dies(server *gcs.Server, n int, run func() error) bool {
	server.Reset()
	server.OnRequest(func(r gcs.Request) gcs.Fault {
		if r.N >= n {
			return gcs.Fault{Status: http.StatusForbidden}
		}
		return gcs.Fault{}
	})
	defer server.OnRequest(nil)
	return run() != nil
}

// objectsOf returns how the names of all objects end.
func objectsOf(t *testing.T, server *gcs.Server) []string {
	t.Helper()
	names, err := server.Names(bucket)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func has(names []string, part string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, part) })
}

// TestPurgeDiesHalfWay: wherever it dies, no event is left without the decision that names it, no claim
// without the completion, and no letter that its key does not find. The next purge deletes the rest.
func TestPurgeDiesHalfWay(t *testing.T) {
	steps := map[string]func(t *testing.T, s *gcsstore.Store) func() error{
		"events": func(t *testing.T, s *gcsstore.Store) func() error {
			return func() error { return s.PurgeEvents(t.Context(), "order-1") }
		},
		"claims": func(t *testing.T, s *gcsstore.Store) func() error {
			return func() error { return s.PurgeClaims(t.Context(), "order-1") }
		},
	}
	for name, step := range steps {
		for n, died := 0, true; died; n++ {
			server := gcs.New(t, bucket)
			s := open(t, server)
			fullKey(t, s)
			died = dies(server, n, step(t, s))
			left := objectsOf(t, server)
			event := has(left, "/events/event1") || has(left, "/events/event2") || has(left, "/events/event3")
			switch {
			case event && !has(left, "/=decided/"):
				t.Errorf("%s, request %d: the decision went before an event: %q", name, n, left)
			case has(left, "scopes/a/claim") && !has(left, "scopes/a/done"), has(left, "order-1/claim") && !has(left, "order-1/done"):
				t.Errorf("%s, request %d: a completion went before its claim: %q", name, n, left)
			case has(left, ".json") && !has(left, "/=keys/"):
				t.Errorf("%s, request %d: a letter is left that its key does not find: %q", name, n, left)
			}
			if err := errors.Join(s.PurgeEvents(t.Context(), "order-1"), s.PurgeClaims(t.Context(), "order-1")); err != nil {
				t.Fatal(err)
			}
			if left := objectsOf(t, server); len(left) > 0 {
				t.Errorf("%s, request %d: the next purge leaves %q", name, n, left)
			}
		}
	}
}

// TestCorrectDiesHalfWay: wherever it dies, the event is the old one or the new one. If it is the new
// one, the old one is kept, and else the history is empty.
func TestCorrectDiesHalfWay(t *testing.T) {
	seen := make(map[string]bool)
	for n, died := 0, true; died; n++ {
		server := gcs.New(t, bucket)
		s := open(t, server)
		stored(t, s)
		right := driver.Message{Key: "order-1", Source: "event1", Content: []byte("right")}
		died = dies(server, n, func() error { return s.Correct(t.Context(), right, correction) })
		kept, err := s.LookUp(t.Context(), "order-1", "event1")
		k, errInspect := s.Inspect(t.Context(), "order-1")
		if err := errors.Join(err, errInspect); err != nil || len(k.Events) != 1 || len(k.Problems) > 0 {
			t.Fatalf("request %d: %v, %+v", n, err, k)
		}
		history := k.Events[0].Corrections
		seen[string(kept.Content)] = true
		if corrected := string(kept.Content) == "right"; corrected != (len(history) == 1) || corrected == died {
			t.Errorf("request %d: %q is kept, and the history is %v", n, kept.Content, history)
		}
		if err := s.Correct(t.Context(), right, correction); err != nil {
			t.Errorf("again: %v", err)
		}
		if k, err = s.Inspect(t.Context(), "order-1"); err != nil || len(k.Events[0].Corrections) != 1 {
			t.Errorf("again: %+v, %v", k, err)
		}
	}
	if len(seen) != 2 {
		t.Errorf("only %v was seen", seen)
	}
}

// TestPurgeSparesTheNextLife: a purge that has listed an event does not delete what is kept in its place
// since another has deleted it.
func TestPurgeSparesTheNextLife(t *testing.T) {
	server := gcs.New(t, bucket)
	s, other := open(t, server), open(t, server)
	stored(t, s)
	again := false
	server.OnRequest(func(r gcs.Request) gcs.Fault {
		if !again && r.Kind == gcs.Delete {
			again = true
			if err := other.PurgeEvents(t.Context(), "order-1"); err != nil {
				t.Error(err)
			}
			stored(t, other)
		}
		return gcs.Fault{}
	})
	if err := s.PurgeEvents(t.Context(), "order-1"); err != nil || !again {
		t.Fatalf("%v, %v", err, again)
	}
	if _, err := s.LookUp(t.Context(), "order-1", "event1"); err != nil {
		t.Errorf("the event of the next life: %v", err)
	}
}

// TestPurgeWaitsForTheClock: a claim of an instance whose clock is ahead has a token that the clock here
// has not reached.
func TestPurgeWaitsForTheClock(t *testing.T) {
	server := gcs.New(t, bucket)
	s := open(t, server)
	completed(t, s)
	ahead := time.Now().Add(300 * time.Millisecond).UnixMilli()
	name := find(t, server, "/claim")
	attrs, err := server.Attrs(bucket, name)
	if err != nil {
		t.Fatal(err)
	}
	attrs.Metadata["token"] = strconv.FormatInt(ahead, 10)
	fill(t, bucketOf(t, server), []object{{Name: name, Content: "order-1", Metadata: attrs.Metadata}})
	if err := s.PurgeClaims(t.Context(), "order-1"); err != nil {
		t.Fatal(err)
	}
	if c := acquired(t, s); c.Token <= ahead {
		t.Errorf("the next token is %d, after %d", c.Token, ahead)
	}
}

// TestWhatIsLeftOfAHistoryIsNoKey: a bucket deletes what was corrected after the key.
func TestWhatIsLeftOfAHistoryIsNoKey(t *testing.T) {
	server := gcs.New(t, bucket)
	s := open(t, server)
	stored(t, s)
	if err := s.Correct(t.Context(), driver.Message{Key: "order-1", Source: "event1", Content: []byte("right")}, correction); err != nil {
		t.Fatal(err)
	}
	if err := server.Delete(bucket, find(t, server, "/events/event1")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Inspect(t.Context(), "order-1"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("Inspect: %v", err)
	}
	if page, err := s.ListKeys(t.Context(), driver.KeyQuery{}); err != nil || len(page.Keys) > 0 {
		t.Errorf("ListKeys: %+v, %v", page, err)
	}
}
