package bqstore_test

import (
	"errors"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore"
)

// TestPurgeOfWhatWasAppendedLately: BigQuery refuses that. Nothing is deleted, and the next call may.
func TestPurgeOfWhatWasAppendedLately(t *testing.T) {
	server, store := on(t)
	if err := store.Persist(t.Context(), driver.Message{Key: "order-1", Source: "event1"}); err != nil {
		t.Fatal(err)
	}
	server.BufferRows(true)
	if err := store.PurgeEvents(t.Context(), "order-1"); !errors.Is(err, bqstore.ErrAppended) || driver.IsPermanent(err) {
		t.Errorf("%v; want ErrAppended", err)
	}
	if err := store.PurgeEvents(t.Context(), "order-2"); err != nil {
		t.Errorf("a key without rows: %v", err)
	}
	if _, err := store.LookUp(t.Context(), "order-1", "event1"); err != nil {
		t.Errorf("%v; want the event", err)
	}
	server.BufferRows(false)
	errPurge := store.PurgeEvents(t.Context(), "order-1")
	if _, err := store.LookUp(t.Context(), "order-1", "event1"); errPurge != nil || !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("%v, %v; want ErrNotFound", errPurge, err)
	}
}
