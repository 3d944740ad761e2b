package bqstore_test

import (
	"errors"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore"
)

// rowOfForm is a row of another revision, as that one appends it.
type rowOfForm map[string]bigquery.Value

func (r rowOfForm) Save() (map[string]bigquery.Value, string, error) { return r, "", nil }

// write has another revision write a row of each kind for a key. form is nil for the revision
// before rows had a number.
func write(t *testing.T, s bqstore.Settings, store *bqstore.Store, key string, form any) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	for table, row := range map[string]rowOfForm{
		"events": {"key": key, "source": "event1", "kind": "kept", "seq": 1, "writer": "w", "digest": "d", "event_id": "1",
			"content": []byte("1"), "attributes": "{}"},
		"claims": {"key": key, "seq": 1, "kind": "acquired", "token": 1, "owner": "another", "takeover": false, "lease_ms": 3_600_000},
		"dead_letters": {"key": key, "source": "event1", "reason": "no-key", "error": "e", "handler": "", "event_id": "1", "attempt": 1,
			"header": "{}", "body": []byte("1")},
	} {
		row["created_at"] = now
		if form != nil {
			row["form"] = form
		}
		if err := client(t, s).Dataset("orders").Table(table).Inserter().Put(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	q := client(t, s).Query("SELECT 1")
	q.JobID, q.Location = store.JobID("claims", 1, key), "EU"
	if _, err := q.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestRowsOfOldRevisions: a row without a number of its form is read as the first form.
func TestRowsOfOldRevisions(t *testing.T) {
	s := settings(t)
	store := ready(t, s)
	write(t, s, store, "order-1", nil)
	if m, err := store.LookUp(t.Context(), "order-1", "event1"); err != nil || string(m.Content) != "1" || m.ID != "1" {
		t.Errorf("LookUp: %+v, %v", m, err)
	}
	held, ok := errors.AsType[*driver.HeldError](errorOf(store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)))
	if !ok || held.Token != 1 {
		t.Errorf("Acquire: %v; want the claim of token 1 to hold the key", held)
	}
	if letters, err := store.DeadLetters(t.Context()); err != nil || len(letters) != 1 || letters[0].Reason != driver.ReasonNoKey {
		t.Errorf("DeadLetters: %+v, %v", letters, err)
	}
}

func errorOf(_ driver.Claim, err error) error { return err }

// TestRowsOfNewerRevisions: a row that this program does not know is never passed over. What
// needs it fails, and the event is delivered again, to the newer revision.
func TestRowsOfNewerRevisions(t *testing.T) {
	s := settings(t)
	store := ready(t, s)
	write(t, s, store, "order-1", 3)
	ctx := t.Context()
	m := driver.Message{Key: "order-1", Source: "event1", Content: []byte("1")}
	other := driver.Message{Key: "order-1", Source: "event2"}
	claim := driver.Claim{Key: "order-1", Token: 1, Owner: "another"}
	for name, run := range map[string]func() error{
		"Persist":     func() error { return store.Persist(ctx, m) },
		"KeepAndLook": func() error { _, _, err := store.KeepAndLook(ctx, other, []string{"event1", "event2"}); return err },
		"Replace":     func() error { _, err := store.Replace(ctx, m); return err },
		"LookUp":      func() error { _, err := store.LookUp(ctx, "order-1", "event1"); return err },
		"LookUpByKey": func() error { _, err := store.LookUpByKey(ctx, "order-1"); return err },
		"ListSources": func() error { _, err := store.ListSourcesByKey(ctx, "order-1"); return err },
		"ListDecided": func() error { _, _, err := store.ListDecided(ctx, "order-1", "join"); return err },
		"Acquire":     func() error { return errorOf(store.Acquire(ctx, driver.NewClaim("order-1"), time.Hour)) },
		"Renew":       func() error { return errorOf(store.Renew(ctx, claim, time.Hour)) },
		"Complete":    func() error { return store.Complete(ctx, claim, driver.OutcomeProcessed) },
		"Release":     func() error { return store.Release(ctx, claim, driver.Released{}) },
		"DeadLetters": func() error { _, err := store.DeadLetters(ctx); return err },
	} {
		if err := run(); !errors.Is(err, bqstore.ErrNewer) || driver.IsPermanent(err) {
			t.Errorf("%s: %v; want an ErrNewer that has the event delivered again", name, err)
		}
	}
}
