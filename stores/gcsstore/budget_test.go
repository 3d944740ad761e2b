package gcsstore_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

var sources = []string{"event1", "event2", "event3"}

// join does by hand what a join of MatchAll(sources...) and a cache do with one
// event, and says whether it completed the key.
func join(t *testing.T, store *gcsstore.Store, key, source string) bool {
	t.Helper()
	ctx := t.Context()
	missing := make([]bool, len(sources))
	var wait sync.WaitGroup
	for i, other := range sources {
		wait.Go(func() {
			if other == source {
				m := driver.Message{ID: source, Key: key, Source: source, Content: []byte(`{"of":"` + source + `"}`)}
				if err := store.Persist(ctx, m); err != nil {
					t.Error(err)
				}
				return
			}
			_, err := store.LookUp(ctx, key, other)
			if missing[i] = errors.Is(err, driver.ErrNotFound); err != nil && !missing[i] {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if i := slices.Index(missing, true); i >= 0 { // the second look stops at the first that is missing
		if _, err := store.LookUp(ctx, key, sources[i]); !errors.Is(err, driver.ErrNotFound) {
			t.Errorf("second look: %v", err)
		}
		return false
	}
	claim, err := store.Acquire(ctx, driver.NewClaim(key), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Complete(ctx, claim, driver.OutcomeProcessed); err != nil {
		t.Fatal(err)
	}
	return true
}

// TestBudget counts what a join of three events costs that arrive one after
// another, at one warm instance, and each at a new one.
func TestBudget(t *testing.T) {
	for name, test := range map[string]struct {
		instances int
		want      gcs.Counts
	}{
		"one instance":    {1, gcs.Counts{A: 5, B: 9}},
		"three instances": {3, gcs.Counts{A: 5, B: 9}},
	} {
		t.Run(name, func(t *testing.T) {
			server := gcs.New(t, bucket)
			stores := make([]*gcsstore.Store, len(sources))
			for i := range stores {
				if stores[i] = stores[0]; i < test.instances {
					stores[i] = open(t, server)
					if err := stores[i].Persist(t.Context(), driver.Message{Key: "warm", Source: "up"}); err != nil {
						t.Fatal(err)
					}
				}
			}
			server.Reset()
			for i, source := range sources {
				before := len(server.Requests())
				if done := join(t, stores[i], "order-1", source); done != (i == 2) {
					t.Errorf("%s completed the join: %v", source, done)
				}
				if i == 2 {
					expectRoundTrips(t, server.Requests()[before:])
				}
			}
			if got := server.Counts(); got != test.want {
				t.Errorf("a join costs %+v, want %+v: %v", got, test.want, server.Requests())
			}
		})
	}
}

// expectRoundTrips checks that the completing event waits for three round trips:
// for Persist and two LookUps at once, with one request each; for Acquire, which
// creates the claim and looks for the completion at once; and for Complete.
func expectRoundTrips(t *testing.T, got []gcs.Request) {
	t.Helper()
	kinds := make([]gcs.Kind, len(got))
	for i, r := range got {
		kinds[i] = r.Kind
	}
	slices.Sort(kinds[:min(3, len(kinds))])
	slices.Sort(kinds[min(3, len(kinds)):min(5, len(kinds))])
	if want := []gcs.Kind{"insert", "read", "read", "insert", "stat", "insert"}; !slices.Equal(kinds, want) {
		t.Errorf("the completing event sends %v, want %v", kinds, want)
	}
}

// TestCosts counts the requests of each operation as its comment states them.
func TestCosts(t *testing.T) {
	server := gcs.New(t, bucket)
	store, other := open(t, server), open(t, server)
	if _, err := other.LookUp(t.Context(), "key", "source"); !errors.Is(err, driver.ErrNotFound) { // it knows the bucket
		t.Fatal(err)
	}
	ctx, first := t.Context(), driver.Message{Key: "order-1", Source: "event1", Content: make([]byte, 3<<20)}
	var claim driver.Claim
	var page driver.LetterPage
	var err error
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	for _, step := range []struct {
		name string
		do   func()
		want gcs.Counts
	}{
		{"Persist of 3 MiB", func() { must(store.Persist(ctx, first)) }, gcs.Counts{A: 1}},
		{"Persist again", func() { must(store.Persist(ctx, first)) }, gcs.Counts{A: 1, B: 1}},
		{"LookUp", func() { _, err := store.LookUp(ctx, "order-1", "event1"); must(err) }, gcs.Counts{B: 1}},
		{"LookUpByKey", func() { _, err := store.LookUpByKey(ctx, "order-1"); must(err) }, gcs.Counts{A: 1, B: 1}},
		{"ListSourcesByKey", func() { _, err := store.ListSourcesByKey(ctx, "order-1"); must(err) }, gcs.Counts{A: 1}},
		{"Replace", func() { _, err := store.Replace(ctx, driver.Message{Key: "order-1", Source: "event1"}); must(err) }, gcs.Counts{A: 2, B: 2}},
		{"Replace again", func() { _, err := store.Replace(ctx, driver.Message{Key: "order-1", Source: "event1"}); must(err) }, gcs.Counts{A: 1, B: 1}},
		{"Replace of nothing", func() { _, err := store.Replace(ctx, driver.Message{Key: "order-2", Source: "event1"}); must(err) }, gcs.Counts{A: 1}},
		{"Decide", func() { _, err := store.Decide(ctx, "order-1", "join", sources); must(err) }, gcs.Counts{A: 1}},
		{"Decide again", func() { _, err := other.Decide(ctx, "order-1", "join", sources[:1]); must(err) }, gcs.Counts{A: 1, B: 1}},
		{"ListDecided", func() { _, _, err := store.ListDecided(ctx, "order-1", "join"); must(err) }, gcs.Counts{A: 1}},
		{"Seal", func() { _, err := store.Seal(ctx, "order-1", "event2"); must(err) }, gcs.Counts{A: 1}},
		{"Seal again", func() { _, err := other.Seal(ctx, "order-1", "event2"); must(err) }, gcs.Counts{A: 1, B: 1}},
		{"Seal of an event", func() { _, err := other.Seal(ctx, "order-1", "event1"); must(err) }, gcs.Counts{A: 1, B: 1}},
		{"Persist in a sealed place", func() { sealed(t, other.Persist(ctx, driver.Message{Key: "order-1", Source: "event2"})) }, gcs.Counts{A: 1, B: 1}},
		{"LookUp of a sealed place", func() { _, err := other.LookUp(ctx, "order-1", "event2"); sealed(t, err) }, gcs.Counts{B: 1}},
		{"ListSourcesByKey beside a seal", func() { _, err := store.ListSourcesByKey(ctx, "order-1"); must(err) }, gcs.Counts{A: 1}},
		{"Acquire", func() {
			var err error
			claim, err = store.Acquire(ctx, driver.NewClaim("order-1"), time.Hour)
			must(err)
		}, gcs.Counts{A: 1, B: 1}},
		{"Acquire, held", func() { _, err := other.Acquire(ctx, driver.NewClaim("order-1"), time.Hour); held(t, err) }, gcs.Counts{A: 1, B: 2}},
		{"Acquire, known to be held", func() {
			want := driver.NewClaim("order-1")
			want.Token = claim.Token
			_, err := other.Acquire(ctx, want, time.Hour)
			held(t, err)
		}, gcs.Counts{B: 2}},
		{"Renew", func() { _, err := store.Renew(ctx, claim, time.Hour); must(err) }, gcs.Counts{A: 1, B: 1}},
		{"Renew elsewhere", func() { _, err := other.Renew(ctx, claim, time.Hour); must(err) }, gcs.Counts{A: 1, B: 2}},
		{"Release after that", func() { must(store.Release(ctx, claim, driver.Released{})) }, gcs.Counts{A: 2, B: 2}},
		{"Acquire, released", func() {
			var err error
			claim, err = store.Acquire(ctx, driver.NewClaim("order-1"), time.Hour)
			must(err)
		}, gcs.Counts{A: 2, B: 3}},
		{"Renew for a short time", func() { var err error; claim, err = store.Renew(ctx, claim, 10*time.Second); must(err) }, gcs.Counts{A: 1, B: 1}},
		{"Complete of a lease that ends soon", func() { must(store.Complete(ctx, claim, driver.OutcomeProcessed)) }, gcs.Counts{A: 2}},
		{"Acquire, completed", func() {
			if _, err := other.Acquire(ctx, driver.NewClaim("order-1"), time.Hour); !errors.Is(err, driver.ErrDone) {
				t.Error(err)
			}
		}, gcs.Counts{A: 1, B: 2}},
		{"Acquire of another", func() {
			var err error
			claim, err = store.Acquire(ctx, driver.NewClaim("order-2"), time.Hour)
			must(err)
		}, gcs.Counts{A: 1, B: 1}},
		{"Complete", func() { must(store.Complete(ctx, claim, driver.OutcomeProcessed)) }, gcs.Counts{A: 1}},
		{"Acquire of a third", func() {
			var err error
			claim, err = store.Acquire(ctx, driver.NewClaim("order-3"), time.Hour)
			must(err)
		}, gcs.Counts{A: 1, B: 1}},
		{"Complete elsewhere", func() { must(other.Complete(ctx, claim, driver.OutcomeProcessed)) }, gcs.Counts{A: 2, B: 2}},
		{"Reopen", func() { must(other.Reopen(ctx, claim)) }, gcs.Counts{A: 2, B: 2}},
		{"Reopen again", func() { must(other.Reopen(ctx, claim)) }, gcs.Counts{B: 2}},
		{"Acquire, reopened", func() {
			var err error
			claim, err = store.Acquire(ctx, driver.NewClaim("order-3"), time.Hour)
			must(err)
		}, gcs.Counts{A: 2, B: 3}},
		{"Complete, reopened", func() { must(store.Complete(ctx, claim, driver.OutcomeProcessed)) }, gcs.Counts{A: 2, B: 1}},
		{"AddDeadLetter", func() { must(store.AddDeadLetter(ctx, driver.DeadLetter{ID: "1"})) }, gcs.Counts{A: 1}},
		{"AddDeadLetter with a key", func() { must(store.AddDeadLetter(ctx, driver.DeadLetter{Key: "order-1"})) }, gcs.Counts{A: 2}},
		{"Inspect", func() { _, err := store.Inspect(ctx, "order-1"); must(err) }, gcs.Counts{A: 2}},
		{"ListKeys", func() { _, err := store.ListKeys(ctx, driver.KeyQuery{}); must(err) }, gcs.Counts{A: 1}},
		{"DeadLetters", func() { _, err := store.DeadLetters(ctx); must(err) }, gcs.Counts{A: 1, B: 2}},
		{"ListLetters", func() { page, err = store.ListLetters(ctx, driver.LetterQuery{}); must(err) }, gcs.Counts{A: 1}},
		{"ReadLetter", func() { _, err := store.ReadLetter(ctx, page.Letters[0].Ref); must(err) }, gcs.Counts{B: 1}},
		{"DeleteLetter with a key", func() { must(store.DeleteLetter(ctx, lettered(t, page.Letters, true))) }, gcs.Counts{B: 1, Free: 3}},
		{"DeleteLetter without a key", func() { must(store.DeleteLetter(ctx, lettered(t, page.Letters, false))) }, gcs.Counts{B: 2, Free: 1}},
	} {
		server.Reset()
		step.do()
		if got := server.Counts(); got != step.want {
			t.Errorf("%s costs %+v, want %+v: %v", step.name, got, step.want, server.Requests())
		}
	}
}

// lettered returns the name of a letter that has a key, or has none.
func lettered(t *testing.T, letters []driver.LetterRef, key bool) string {
	t.Helper()
	for _, l := range letters {
		if (l.Key != "") == key {
			return l.Ref
		}
	}
	t.Fatalf("no such letter in %+v", letters)
	return ""
}

func held(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, driver.ErrHeld) {
		t.Errorf("got %v, want ErrHeld", err)
	}
}

func sealed(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, driver.ErrSealed) {
		t.Errorf("got %v, want ErrSealed", err)
	}
}

// TestWritesOfOneObjectAreFarApart has an object that can't be created, and is not there:
// as if it were deleted again and again. Cloud Storage takes a write a second.
func TestWritesOfOneObjectAreFarApart(t *testing.T) {
	server := gcs.New(t, bucket)
	store := open(t, server)
	first := driver.Message{Key: "order-1", Source: "event1", Content: []byte("1")}
	if err := store.Persist(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Decide(t.Context(), "order-1", "join", sources); err != nil {
		t.Fatal(err)
	}
	for name, operation := range map[string]func(context.Context) error{
		"Persist": func(ctx context.Context) error { return store.Persist(ctx, first) },
		"Replace": func(ctx context.Context) error { _, err := store.Replace(ctx, first); return err },
		"Seal":    func(ctx context.Context) error { _, err := store.Seal(ctx, "order-1", "event1"); return err },
		"Decide": func(ctx context.Context) error {
			_, err := store.Decide(ctx, "order-1", "join", sources)
			return err
		},
	} {
		server.Reset()
		server.OnRequest(func(r gcs.Request) gcs.Fault {
			if r.Kind == gcs.Read {
				return gcs.Fault{Missing: true}
			}
			return gcs.Fault{}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 800*time.Millisecond)
		err := operation(ctx)
		cancel()
		if n := server.Counts().A; n != 1 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %d writes within a second, %v", name, n, err)
		}
	}
}
