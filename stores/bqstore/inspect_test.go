package bqstore_test

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	fake "example.com/eventdriver/internal/fake/bigquery"
	"example.com/eventdriver/stores/bqstore"
)

// again returns another handle on the store of on, as another process would open it.
func again(t *testing.T, server *fake.Server) *bqstore.Store {
	t.Helper()
	store, err := bqstore.New(t.Context(), bqstore.Config("project", "orders").WithLocation("EU"),
		option.WithEndpoint("http://"+server.Host()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

var contents = regexp.MustCompile(`\b(content|body|header)\b`)

// TestWhatLookingCosts counts the requests of a process that looks at keys and letters, and has done
// nothing before. None reads what events and letters have.
func TestWhatLookingCosts(t *testing.T) {
	server, store := on(t)
	for i := range 30 {
		key := fmt.Sprint("order-", i)
		if err := errors.Join(store.Persist(t.Context(), driver.Message{Key: key, Source: "event1"}),
			store.AddDeadLetter(t.Context(), driver.DeadLetter{Key: key})); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	counts := make(map[string]int)
	server.OnRequest(func(r fake.Request) fake.Fault {
		mu.Lock()
		defer mu.Unlock()
		counts[r.Method]++
		return fake.Fault{}
	})
	server.OnJob(func(j fake.Job) fake.Fate {
		if word := contents.FindString(j.Statement); word != "" {
			t.Errorf("%s is read: %s", word, j.Statement)
		}
		return fake.Fate{}
	})
	page := func(s *bqstore.Store, cursor string) (string, error) {
		page, err := s.ListKeys(t.Context(), driver.KeyQuery{Cursor: cursor, Limit: 10, Open: true})
		if len(page.Keys) != 10 {
			err = fmt.Errorf("%d keys: %w", len(page.Keys), err)
		}
		return page.Next, err
	}
	var next string
	for _, look := range []struct {
		what    string
		queries int
		at      func(*bqstore.Store) error
	}{
		{"a key", 3, func(s *bqstore.Store) error { _, err := s.Inspect(t.Context(), "order-1"); return err }},
		{"a page of keys", 3, func(s *bqstore.Store) (err error) { next, err = page(s, ""); return err }},
		{"the next page in another process", 3, func(s *bqstore.Store) error { _, err := page(s, next); return err }},
		{"three pages in one process", 1 + 3*2, func(s *bqstore.Store) (err error) {
			for next = ""; err == nil; {
				if next, err = page(s, next); next == "" {
					return err
				}
			}
			return err
		}},
	} {
		clear(counts)
		if err := look.at(again(t, server)); err != nil || !maps.Equal(counts, map[string]int{"jobs.query": look.queries}) {
			t.Errorf("%s: %v, %v; want %d queries", look.what, counts, err, look.queries)
		}
	}
	clear(counts)
	if page, err := again(t, server).ListLetters(t.Context(), driver.LetterQuery{}); err != nil || len(page.Letters) != 30 || counts["jobs.query"] != 1 {
		t.Errorf("%d letters by %v, %v; want 30 by a query", len(page.Letters), counts, err)
	}
}

// TestOpenKeysAreListedAlone: keys that are completed take no room in pages of open ones.
func TestOpenKeysAreListedAlone(t *testing.T) {
	_, store := on(t)
	for i := range 20 {
		key := fmt.Sprintf("order-%02d", i)
		c, err := store.Acquire(t.Context(), driver.NewClaim(key), time.Hour)
		if err == nil && i%10 != 0 {
			err = store.Complete(t.Context(), c, driver.OutcomeProcessed)
		}
		if err := errors.Join(err, store.Persist(t.Context(), driver.Message{Key: key, Source: "event1"})); err != nil {
			t.Fatal(err)
		}
	}
	page, err := store.ListKeys(t.Context(), driver.KeyQuery{Limit: 5, Open: true})
	if err != nil || len(page.Keys) != 2 || page.Seen != 2 || page.Next != "" || page.Share != 1 {
		t.Errorf("%+v, %v; want 2 keys in one page", page, err)
	}
}

// TestCursorsAreWords: a cursor that is pasted into a command is no more than that, whatever keys there are.
func TestCursorsAreWords(t *testing.T) {
	_, store := on(t)
	for _, key := range []string{"it's", "a; b", "$(reboot)", "\x1b[2J"} {
		if err := store.Persist(t.Context(), driver.Message{Key: key, Source: "event1"}); err != nil {
			t.Fatal(err)
		}
	}
	words, keys := regexp.MustCompile(`^[\w:-]*$`), 0
	for q := (driver.KeyQuery{Limit: 1}); ; {
		page, err := store.ListKeys(t.Context(), q)
		if err != nil || !words.MatchString(page.Next) {
			t.Fatalf("the cursor %q, %v", page.Next, err)
		}
		if keys, q.Cursor = keys+len(page.Keys), page.Next; q.Cursor == "" {
			break
		}
	}
	if keys != 4 {
		t.Errorf("%d keys were listed, want 4", keys)
	}
}

// TestRowsThatCannotBeDescribed: a row of a newer revision hides nothing but itself, and of
// an older one what it does not say is unknown.
func TestRowsThatCannotBeDescribed(t *testing.T) {
	s := settings(t)
	store := ready(t, s)
	write(t, s, store, "older", nil)
	write(t, s, store, "newer", 99)
	for _, key := range []string{"older", "newer"} {
		if err := store.Persist(t.Context(), driver.Message{Key: key, Source: "event2", Content: []byte("two")}); err != nil {
			t.Fatal(err)
		}
	}
	listed, err := store.ListKeys(t.Context(), driver.KeyQuery{})
	if err != nil || len(listed.Keys) != 2 {
		t.Fatalf("%+v, %v", listed, err)
	}
	for key, want := range map[string]struct {
		sources         []string
		problems, claim int
	}{"older": {[]string{"event1", "event2"}, 0, 1}, "newer": {[]string{"event2"}, 2, 0}} {
		k, err := store.Inspect(t.Context(), key)
		i := slices.IndexFunc(listed.Keys, func(k driver.KeyState) bool { return k.Key == key })
		for _, k := range []driver.KeyState{k, listed.Keys[i]} {
			if err != nil || !slices.Equal(k.Sources(), want.sources) || len(k.Problems) != want.problems || len(k.Claims) != want.claim {
				t.Errorf("%s: %+v, %v; want %+v", key, k, err, want)
			}
		}
		for _, e := range k.Events {
			if size := map[string]int64{"event1": -1, "event2": 3}[e.Source]; e.Size != size || e.Kept.IsZero() {
				t.Errorf("%s: %+v; want a size of %d", key, e, size)
			}
		}
	}
}

// TestStepsAreNoKeys: an event that was proposed, and never kept, makes no key.
func TestStepsAreNoKeys(t *testing.T) {
	s := settings(t)
	store := ready(t, s)
	row := rowOfForm{"key": "order-1", "source": "event1", "kind": "proposed", "seq": 0, "writer": "w", "digest": "d", "event_id": "1",
		"content": []byte{}, "attributes": "{}", "created_at": time.Now().UTC().Truncate(time.Microsecond)}
	if err := client(t, s).Dataset("orders").Table("events").Inserter().Put(t.Context(), bigquery.ValueSaver(row)); err != nil {
		t.Fatal(err)
	}
	if k, err := store.Inspect(t.Context(), "order-1"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("%+v, %v; want ErrNotFound", k, err)
	}
	if page, err := store.ListKeys(t.Context(), driver.KeyQuery{}); err != nil || len(page.Keys) != 0 || page.Next != "" {
		t.Errorf("%+v, %v; want no key", page, err)
	}
}

// TestLetterThatIsSentTwice: a letter whose row is there twice, and that was added twice, is listed once, and
// deleted as a whole. Added once more, it is a letter again.
func TestLetterThatIsSentTwice(t *testing.T) {
	server, store := on(t)
	dropped := false
	server.OnRequest(func(r fake.Request) fake.Fault {
		if r.Method == "tabledata.insertAll" && !dropped {
			dropped = true
			return fake.Fault{Served: true, Status: 503, Reason: "backendError"}
		}
		return fake.Fault{}
	})
	letter := driver.DeadLetter{Key: "order-1", Reason: driver.ReasonConflict}
	for range 2 {
		if err := store.AddDeadLetter(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := store.DeadLetters(t.Context())
	page, errList := store.ListLetters(t.Context(), driver.LetterQuery{})
	k, errInspect := store.Inspect(t.Context(), "order-1")
	if err := errors.Join(err, errList, errInspect); err != nil || len(rows) != 1 || len(page.Letters) != 1 || len(k.Letters) != 1 {
		t.Fatalf("%d rows, %d letters, %d of the key, %v; want 1 each", len(rows), len(page.Letters), len(k.Letters), err)
	}
	if err := store.DeleteLetter(t.Context(), page.Letters[0].Ref); err != nil {
		t.Fatal(err)
	}
	if page, err := store.ListLetters(t.Context(), driver.LetterQuery{}); err != nil || len(page.Letters) != 0 {
		t.Errorf("%+v, %v; want no letter", page, err)
	}
	errAdd := store.AddDeadLetter(t.Context(), letter)
	again, errAgain := store.ListLetters(t.Context(), driver.LetterQuery{})
	if err := errors.Join(errAdd, errAgain); err != nil || !slices.EqualFunc(again.Letters, page.Letters,
		func(a, b driver.LetterRef) bool { return a.Ref == b.Ref }) {
		t.Errorf("%+v, %v; want the letter again", again, err)
	}
}
