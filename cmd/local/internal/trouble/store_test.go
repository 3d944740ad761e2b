package trouble_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"example.com/eventdriver/cmd/local/internal/records"
	"example.com/eventdriver/cmd/local/internal/trouble"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

// behindProxy returns a store whose requests go through a proxy.
func behindProxy(t *testing.T) (*gcsstore.Store, *gcs.Server, *trouble.Troubles, *records.Journal) {
	t.Helper()
	server := gcs.New(t, "bucket")
	journal := records.New(1000, nil)
	troubles := trouble.New(journal)
	proxy, err := troubles.StartProxy("2", server.Host())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("STORAGE_EMULATOR_HOST", proxy.Host())
	store, err := gcsstore.New(t.Context(), gcsstore.Config("bucket").WithFolder("f"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(store.Close(), proxy.Close()); err != nil {
			t.Error(err)
		}
	})
	return store, server, troubles, journal
}

// The requests that are recorded say which key and source they are about.
func TestRequestsAreRecorded(t *testing.T) {
	store, _, _, journal := behindProxy(t)
	m := driver.Message{Key: "a/ü", Source: "event1", ID: "1", Content: []byte(`{}`)}
	claim, err := store.Acquire(t.Context(), driver.NewClaim(m.Key), time.Minute)
	if err := errors.Join(err, store.Persist(t.Context(), m), store.Complete(t.Context(), claim, driver.OutcomeProcessed)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.LookUp(t.Context(), m.Key, "event2"); !errors.Is(err, driver.ErrNotFound) {
		t.Fatal(err)
	}
	seen := make(map[trouble.Operation]records.Record)
	for _, r := range journal.OfKey(m.Key) {
		seen[trouble.Operation(r.Message)] = r
	}
	for op, source := range map[trouble.Operation]string{trouble.KeepEvent: "event1", trouble.LookUp: "event2", trouble.Claim: "", trouble.Complete: ""} {
		if r, ok := seen[op]; !ok || r.Source != source || r.Instance != "2" || r.Kind != records.Store || r.Attributes["status"] == 0 {
			t.Errorf("%s: %+v", op, r)
		}
	}
}

// The store does what it was asked to, and the answer is lost, as often as was asked for.
func TestAnswersAreLost(t *testing.T) {
	store, server, troubles, journal := behindProxy(t)
	troubles.LoseStoreAnswers(trouble.KeepEvent, 1)
	if _, err := store.LookUp(t.Context(), "k", "event1"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("%v: the answer to a look was lost", err)
	}
	before := len(troubles.List())
	m := driver.Message{Key: "k", Source: "event1", ID: "1", Content: []byte(`{}`)}
	if err := store.Persist(t.Context(), m); err != nil { // the store sends it again, and finds its own
		t.Error(err)
	}
	lost := 0
	for _, r := range journal.OfKey("k") {
		if r.Severity == "WARNING" {
			lost++
		}
	}
	names, err := server.Names("bucket")
	if before != 1 || len(troubles.List()) != 0 || lost != 1 || err != nil || len(names) != 1 {
		t.Errorf("%d answers lost, %d objects, %v; left %v", lost, len(names), err, troubles.List())
	}
}

// A slow store keeps its clients waiting, until it is fast again.
func TestStoreIsSlow(t *testing.T) {
	store, server, troubles, _ := behindProxy(t)
	troubles.SlowStore(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := store.LookUp(ctx, "k", "event1"); !errors.Is(err, context.DeadlineExceeded) || len(server.Requests()) != 0 {
		t.Errorf("%v after %d requests, want the context's end before the first", err, len(server.Requests()))
	}
	troubles.SlowStore(0)
	if _, err := store.LookUp(t.Context(), "k", "event1"); !errors.Is(err, driver.ErrNotFound) {
		t.Error(err)
	}
}
