package gcsstore_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

// listAll returns the keys of all pages, and how often each was listed.
func listAll(t *testing.T, s *gcsstore.Store, q driver.KeyQuery) (map[string]driver.KeyState, map[string]int) {
	t.Helper()
	keys, times := make(map[string]driver.KeyState), make(map[string]int)
	for range 10_000 {
		page, err := s.ListKeys(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range page.Keys {
			keys[k.Key] = k
			times[k.Key]++
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return keys, times
		}
	}
	t.Fatal("the pages do not end")
	return nil, nil
}

// TestOldFormsAreDescribed: what earlier versions have stored is described with what is known
// of it.
func TestOldFormsAreDescribed(t *testing.T) {
	for file, objects := range forms(t) {
		t.Run(file, func(t *testing.T) {
			server := gcs.New(t, bucket)
			fill(t, bucketOf(t, server), objects)
			s := open(t, server)
			says := slices.ContainsFunc(objects, func(o object) bool { return o.Metadata["size"] != "" })
			waits, err := s.Inspect(t.Context(), waitsKey)
			if err != nil || len(waits.Problems) > 0 || !slices.Equal(waits.Sources(), []string{"event1", "event2"}) ||
				!slices.Equal(waits.DecidedOn("either"), []string{"event1"}) {
				t.Fatalf("%+v, %v", waits, err)
			}
			for _, e := range waits.Events {
				want := eventOf(waitsKey, e.Source)
				described := e.ID == want.ID && e.Size == int64(len(want.Content)) &&
					e.MediaType == want.MediaType && e.Time.Equal(want.Time)
				unknown := e.ID == "" && e.Size == -1 && e.MediaType == "" && e.Time.IsZero()
				if says && !described || !says && !unknown || e.Kept.IsZero() {
					t.Errorf("%+v", e)
				}
			}
			keys, _ := listAll(t, s, driver.KeyQuery{})
			want := []string{doneKey, heldKey, releasedKey, waitsKey}
			if slices.ContainsFunc(objects, func(o object) bool { return o.Metadata["sealed"] != "" }) {
				want = append(want, sealedKey)
			}
			if slices.ContainsFunc(objects, func(o object) bool { return o.Metadata["state"] == "reopened" }) {
				want = append(want, openKey)
			}
			if slices.ContainsFunc(objects, func(o object) bool { return o.Metadata["pause"] != "" }) {
				want = append(want, pausedKey)
			}
			if slices.ContainsFunc(objects, func(o object) bool { return o.Metadata["corrected"] != "" }) {
				want = append(want, correctedKey)
			}
			slices.Sort(want)
			if got := slices.Sorted(maps.Keys(keys)); !slices.Equal(got, want) {
				t.Errorf("listed %q, want %q", got, want)
			}
			held, released, done := keys[heldKey].Claim(""), keys[releasedKey].Claim(""), keys[doneKey].Claim("")
			if !held.Held || held.Owner != "old-revision" || released.Held || released.Mark != driver.MarkFailed ||
				done.Done == nil || done.Done.Outcome != driver.OutcomeProcessed || done.Done.Owner != "old-revision" {
				t.Errorf("held %+v, released %+v, done %+v", held, released, done)
			}
		})
	}
}

// TestProblemsHideNothing: what can't be described is said, and the rest is described.
func TestProblemsHideNothing(t *testing.T) {
	server := gcs.New(t, bucket)
	s := open(t, server)
	for _, source := range []string{"event1", "event2"} {
		if err := s.Persist(t.Context(), eventOf("order-1", source)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Persist(t.Context(), eventOf("order-2", "event1")); err != nil {
		t.Fatal(err)
	}
	b := bucketOf(t, server)
	folder := strings.TrimSuffix(find(t, server, "order-1/events/event1"), "events/event1")
	fill(t, b, []object{
		{Name: folder + "events/event2", Metadata: map[string]string{"size": "many"}},
		{Name: folder + "claim", Metadata: map[string]string{"form": "99"}},
		{Name: folder + "done", Metadata: map[string]string{"token": "x"}},
		{Name: folder + "scopes/=zz/claim", Metadata: map[string]string{"state": "held"}},
		{Name: folder + "events/=decided/a", Metadata: map[string]string{"sources": "x"}},
		{Name: folder + "other"},
		{Name: "3a/=zz/claim"},
	})
	k, err := s.Inspect(t.Context(), "order-1")
	if err != nil || len(k.Events) != 1 || k.Events[0].Source != "event1" || len(k.Problems) != 6 {
		t.Errorf("%+v, %v", k, err)
	}
	for i, name := range []string{"claim", "done", "events/=decided/a", "events/event2", "other", "scopes/=zz/claim"} {
		if i < len(k.Problems) && !strings.Contains(k.Problems[i], "/"+name+": ") {
			t.Errorf("problem %q, want one of %s", k.Problems[i], name)
		}
	}
	keys, _ := listAll(t, s, driver.KeyQuery{})
	if len(keys) != 3 || len(keys["order-1"].Problems) != 6 || len(keys["order-2"].Events) != 1 ||
		len(keys[""].Problems) != 1 {
		t.Errorf("listed %+v", keys)
	}
}

// TestListKeysAmongStrangers: a store without a folder lists past the folders of others, and
// past dead letters, whose names lie between those of its keys.
func TestListKeysAmongStrangers(t *testing.T) {
	server := gcs.New(t, bucket)
	s, other := open(t, server), open(t, server, gcsstore.Config(bucket).WithFolder("billing"))
	for i := range 40 {
		m := eventOf(fmt.Sprint("order-", i), "event1")
		if err := errors.Join(s.Persist(t.Context(), m), other.Persist(t.Context(), m),
			other.Persist(t.Context(), eventOf(fmt.Sprint("bill-", i), "event1")),
			s.AddDeadLetter(t.Context(), driver.DeadLetter{Key: fmt.Sprint("letter-", i)})); err != nil {
			t.Fatal(err)
		}
	}
	for _, limit := range []int{1, 10_000} {
		mine, times := listAll(t, s, driver.KeyQuery{Limit: limit})
		theirs, _ := listAll(t, other, driver.KeyQuery{Limit: limit})
		if len(mine) != 40 || len(theirs) != 80 || slices.Max(slices.Collect(maps.Values(times))) != 1 {
			t.Errorf("limit %d: %d and %d keys, %v", limit, len(mine), len(theirs), times)
		}
	}
}

// TestListKeysGoesOnAfterFailures: a page whose lists fail, in part, says where to go on, and
// then each key is listed once all the same.
func TestListKeysGoesOnAfterFailures(t *testing.T) {
	server := gcs.New(t, bucket)
	s := open(t, server)
	const keys = 1300 // so that there are several lists, at the same time in one page
	for i := range keys {
		server.Put(bucket, fmt.Sprintf("%02x/order-%d/events/event1", i%256, i), nil)
	}
	for _, every := range []int{2, 3} {
		server.Reset()
		server.OnRequest(func(r gcs.Request) gcs.Fault {
			if r.N%every == 1 {
				return gcs.Fault{Status: http.StatusForbidden}
			}
			return gcs.Fault{}
		})
		times, failures, partial := make(map[string]int), 0, 0
		for q := (driver.KeyQuery{}); ; {
			page, err := s.ListKeys(t.Context(), q)
			for _, k := range page.Keys {
				times[k.Key]++
			}
			if err != nil {
				failures++
				partial += page.Seen
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if len(times) != keys || slices.Max(slices.Collect(maps.Values(times))) != 1 || failures == 0 || partial == 0 {
			t.Errorf("one of %d lists fails: %d keys, %d failures with %d keys, %v",
				every, len(times), failures, partial, times)
		}
	}
}

// TestListKeysGoesOnAnywhere: who lists the first pages only, again and again, does not see the same ones.
func TestListKeysGoesOnAnywhere(t *testing.T) {
	server := gcs.New(t, bucket)
	s := open(t, server)
	for i := range 256 {
		server.Put(bucket, fmt.Sprintf("%02x/order-%d/events/event1", i, i), nil)
	}
	seen := make(map[string]bool)
	for range 20 {
		first, err := s.ListKeys(t.Context(), driver.KeyQuery{Limit: 1})
		second, errSecond := s.ListKeys(t.Context(), driver.KeyQuery{Limit: 1, Cursor: first.Next})
		if err := errors.Join(err, errSecond); err != nil || len(second.Keys) == 0 {
			t.Fatalf("%+v, %v", second, err)
		}
		seen[second.Keys[0].Key] = true
	}
	if len(seen) == 1 {
		t.Errorf("20 times the second page begins at %v", seen)
	}
	if _, times := listAll(t, s, driver.KeyQuery{Limit: 1}); len(times) != 256 || slices.Max(slices.Collect(maps.Values(times))) != 1 {
		t.Errorf("%d keys, %v", len(times), times)
	}
}

// TestLongScopeIsItsHash: claims in such a scope are told apart, and the query takes the scope.
func TestLongScopeIsItsHash(t *testing.T) {
	s := open(t, gcs.New(t, bucket))
	for _, scope := range []string{strings.Repeat("long", 100), strings.Repeat("long", 101)} {
		c, err := s.Acquire(t.Context(), driver.Claim{Key: scope[:300], Scope: scope, Owner: "owner"}, time.Minute)
		if err := errors.Join(err, s.Complete(t.Context(), c, driver.OutcomeProcessed)); err != nil {
			t.Fatal(err)
		}
	}
	k, err := s.Inspect(t.Context(), strings.Repeat("long", 75))
	if err != nil || len(k.Claims) != 2 || k.Claims[0].Scope == k.Claims[1].Scope || k.Claims[0].Done == nil {
		t.Errorf("%+v, %v", k, err)
	}
	if keys, _ := listAll(t, s, driver.KeyQuery{Open: true, Scope: strings.Repeat("long", 101)}); len(keys) > 0 {
		t.Errorf("%+v are not completed in that scope", keys)
	}
}

// TestKeyOfManyObjects: a key that has more objects than a list returns is listed whole.
func TestKeyOfManyObjects(t *testing.T) {
	server := gcs.New(t, bucket)
	s := open(t, server)
	for i := range 50 {
		if err := s.Persist(t.Context(), eventOf("order-1", fmt.Sprint("event", i))); err != nil {
			t.Fatal(err)
		}
	}
	keys, times := listAll(t, s, driver.KeyQuery{Limit: 1}) // of 16 objects a list
	if len(keys["order-1"].Events) != 50 || times["order-1"] != 1 {
		t.Errorf("%d events, listed %d times", len(keys["order-1"].Events), times["order-1"])
	}
}

// TestLetterAddedWhileItIsDeleted: nothing refers to a letter that is gone.
func TestLetterAddedWhileItIsDeleted(t *testing.T) {
	server := gcs.New(t, bucket)
	s, other := open(t, server), open(t, server)
	d := letter()
	d.Key = "order-1"
	if err := s.AddDeadLetter(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	ref, added := find(t, server, ".json"), false
	server.OnRequest(func(r gcs.Request) gcs.Fault {
		if r.Object == ref && r.Kind == gcs.Delete && !added {
			added = true
			if err := other.AddDeadLetter(t.Context(), d); err != nil {
				t.Error(err)
			}
		}
		return gcs.Fault{}
	})
	if err := s.DeleteLetter(t.Context(), ref); err != nil || !added {
		t.Fatalf("added %v, %v", added, err)
	}
	if names, err := server.Names(bucket); err != nil || len(names) > 0 {
		t.Errorf("left: %q, %v", names, err)
	}
}

// TestLetterIsFoundByItsKey: by the name that the store has for it; also where it was added
// again, or where what refers to it could not be written at first.
func TestLetterIsFoundByItsKey(t *testing.T) {
	server := gcs.New(t, bucket)
	s := open(t, server)
	d := letter()
	d.Key = "order-1"
	server.OnRequest(func(r gcs.Request) gcs.Fault {
		if strings.Contains(r.Object, "=keys") {
			return gcs.Fault{Status: http.StatusForbidden}
		}
		return gcs.Fault{}
	})
	if err := s.AddDeadLetter(t.Context(), d); err == nil {
		t.Error("a letter that can't be found by its key was added")
	}
	server.Reset()
	if err := errors.Join(s.AddDeadLetter(t.Context(), d), s.AddDeadLetter(t.Context(), d)); err != nil {
		t.Fatal(err)
	}
	k, err := s.Inspect(t.Context(), "order-1")
	if err != nil || len(k.Letters) != 1 || k.Letters[0].Ref != find(t, server, ".json") ||
		time.Since(k.Letters[0].Added) > time.Hour {
		t.Errorf("%+v, %v; want %s", k.Letters, err, find(t, server, ".json"))
	}
	if letters, err := s.DeadLetters(t.Context()); err != nil || len(letters) != 1 {
		t.Errorf("%d letters, %v", len(letters), err)
	}
}
