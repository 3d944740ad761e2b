package bqstore_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"

	"example.com/eventdriver/driver"
	fake "example.com/eventdriver/internal/fake/bigquery"
	"example.com/eventdriver/stores/bqstore"
)

// TestRowsThatAreSentTwice: each answer to an insertAll is lost in one of two ways, so that
// the client or the caller sends the row again. One event is kept, and no conflict is seen.
func TestRowsThatAreSentTwice(t *testing.T) {
	for name, fault := range map[string]fake.Fault{
		"the connection ends":    {Drop: true},
		"the answer is an error": {Served: true, Status: 503, Reason: "backendError"},
	} {
		t.Run(name, func(t *testing.T) {
			server, store := on(t)
			var appends atomic.Int64
			server.OnRequest(func(r fake.Request) fake.Fault {
				if r.Method == "tabledata.insertAll" && appends.Add(1)%2 == 1 {
					return fault
				}
				return fake.Fault{}
			})
			m := driver.Message{Key: "order-1", Source: "event1", Content: []byte("1")}
			err := store.Persist(t.Context(), m)
			for range 5 { // as redelivery does
				if err != nil {
					err = store.Persist(t.Context(), m)
				}
			}
			if err != nil || appends.Load() < 3 {
				t.Errorf("%v after %d appends; want the event to be kept, after some that were lost", err, appends.Load())
			}
			if messages, err := store.LookUpByKey(t.Context(), m.Key); err != nil || len(messages) != 1 {
				t.Errorf("%v, %v; want one event", messages, err)
			}
		})
	}
}

// TestTableThatGotAColumn: somebody adds a column to the table while the store is
// at work.
func TestTableThatGotAColumn(t *testing.T) {
	s := settings(t)
	store := ready(t, s)
	if err := store.Persist(t.Context(), driver.Message{Key: "order-1", Source: "event1", Content: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	table := client(t, s).Dataset("orders").Table("events")
	meta, err := table.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wider := append(meta.Schema, &bigquery.FieldSchema{Name: "remark", Type: bigquery.StringFieldType})
	if _, err := table.Update(t.Context(), bigquery.TableMetadataToUpdate{Schema: wider}, ""); err != nil {
		t.Fatal(err)
	}
	for _, store := range []*bqstore.Store{store, open(t, s)} {
		if err := store.Persist(t.Context(), driver.Message{Key: "order-1", Source: "event2", Content: []byte("2")}); err != nil {
			t.Error(err)
		}
	}
	if messages, err := store.LookUpByKey(t.Context(), "order-1"); err != nil || len(messages) != 2 {
		t.Errorf("%d messages, %v; want two", len(messages), err)
	}
}

// nowhere has stores go to an address at which nothing listens.
func nowhere(t *testing.T) {
	t.Setenv("BIGQUERY_EMULATOR_HOST", "127.0.0.1:1")
}

// TestUnfitEvents: what BigQuery can't take can never succeed, so it is not even sent.
func TestUnfitEvents(t *testing.T) {
	nowhere(t)
	store := open(t, bqstore.Config("project", "dataset"))
	for name, m := range map[string]driver.Message{
		"too large":      {Content: make([]byte, 7_000_001)},
		"with its type":  {Content: make([]byte, 6_000_000), MediaType: strings.Repeat("x", 1_000_001)},
		"the year 10000": {Time: time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600))},
		"the year 0":     {Time: time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600))},
	} {
		m.Key, m.Source = "order-1", "event1"
		if err := store.Persist(t.Context(), m); !driver.IsPermanent(err) {
			t.Errorf("%s: %v; want a permanent error", name, err)
		}
		if _, err := store.Replace(t.Context(), m); !driver.IsPermanent(err) {
			t.Errorf("%s, replaced: %v; want a permanent error", name, err)
		}
	}
}
