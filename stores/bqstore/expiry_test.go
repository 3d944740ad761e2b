package bqstore_test

import (
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	fake "example.com/eventdriver/internal/fake/bigquery"
)

// clientOf is BigQuery's client of a server of the test's own.
func clientOf(t *testing.T, server *fake.Server) *bigquery.Client {
	t.Helper()
	c, err := bigquery.NewClient(t.Context(), "project", option.WithEndpoint("http://"+server.Host()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func deleteRows(t *testing.T, server *fake.Server, table string) error {
	_, err := clientOf(t, server).Query("DELETE FROM `project.orders." + table + "` WHERE TRUE").Read(t.Context())
	return err
}

// TestTablesThatEndTooSoon: a table has an end of its own, or gets one from its dataset, before
// the rows that are written now may be forgotten.
func TestTablesThatEndTooSoon(t *testing.T) {
	day := 24 * time.Hour
	for _, c := range []struct {
		name              string
		ofDataset, before time.Duration // 0: no end
		refused           bool
	}{
		{"no end", 0, 0, false},
		{"a late end", 60 * day, 0, false},
		{"a late end of their own", 0, 60 * day, false},
		{"an early end of the dataset's tables", 7 * day, 0, true},
		{"an early end of their own", 0, 7 * day, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := fake.New(t)
			dataset := clientOf(t, server).Dataset("orders")
			if err := dataset.Create(t.Context(), &bigquery.DatasetMetadata{Location: "EU", DefaultTableExpiration: c.ofDataset}); err != nil {
				t.Fatal(err)
			}
			store := as(t, server, "account")
			err := store.EnsureTables(t.Context())
			if c.before > 0 { // somebody has made the tables
				for _, table := range []string{"events", "claims"} {
					meta, err := dataset.Table(table).Metadata(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if err := dataset.Table(table).Delete(t.Context()); err != nil {
						t.Fatal(err)
					}
					if err := dataset.Table(table).Create(t.Context(), &bigquery.TableMetadata{Schema: meta.Schema, ExpirationTime: time.Now().Add(c.before)}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err == nil {
				_, err = store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
			}
			if refused := err != nil && strings.Contains(err.Error(), "it expires at"); refused != c.refused || err != nil && !refused {
				t.Errorf("%v; refused for its end %v, want %v", err, refused, c.refused)
			}
			persisted := store.Persist(t.Context(), driver.Message{Key: "order-1", Source: "event1"})
			if (persisted != nil) != c.refused {
				t.Errorf("Persist: %v", persisted)
			}
		})
	}
}
