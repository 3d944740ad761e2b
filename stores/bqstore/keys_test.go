package bqstore_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"

	"example.com/eventdriver/driver"
	fake "example.com/eventdriver/internal/fake/bigquery"
	"example.com/eventdriver/internal/repo/prove"
)

// TestKeysViewSaysOnlyWhatIsInBigQuery: a key whose claim is kept elsewhere has no claim in
// this dataset, and its state is NULL, completed or not.
func TestKeysViewSaysOnlyWhatIsInBigQuery(t *testing.T) {
	if !fake.OnEmulator() {
		t.Skip(prove.Left + "the view needs the SQL of BigQuery's emulator")
	}
	s := settings(t)
	store := ready(t, s)
	for _, key := range []string{"held", "done", "elsewhere"} {
		if err := store.Persist(t.Context(), driver.Message{Key: key, Source: "event1"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"held", "done"} {
		claim, err := store.Acquire(t.Context(), driver.NewClaim(key), time.Hour)
		if err == nil && key == "done" {
			err = store.Complete(t.Context(), claim, driver.OutcomeProcessed)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	rows, err := client(t, s).Query("SELECT key, claim_state FROM `" + s.Project() + ".orders.keys`").Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	states := make(map[string]string)
	for {
		var row struct {
			Key   string
			State bigquery.NullString `bigquery:"claim_state"`
		}
		if err := rows.Next(&row); errors.Is(err, iterator.Done) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		states[row.Key] = "NULL"
		if row.State.Valid {
			states[row.Key] = row.State.StringVal
		}
	}
	if want := map[string]string{"held": "acquired", "done": "completed", "elsewhere": "NULL"}; !maps.Equal(states, want) {
		t.Errorf("the view says %v, want %v", states, want)
	}
}
