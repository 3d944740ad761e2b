//go:build !nobigquery

package eventdriver

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/bigquery"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/bqstore"
)

// onBigQuery is a configuration with BigQuery, in a project of its own: on the stand-in
// of internal/fake/bigquery, or in make prove on bigquery-emulator.
func onBigQuery(t *testing.T) Config {
	t.Helper()
	config, err := configFrom(map[string]string{"EVENT_STORE": "bigquery", "BIGQUERY_DATASET": "orders", "BIGQUERY_LOCATION": "EU",
		"GOOGLE_CLOUD_PROJECT": "p" + strings.ToLower(rand.Text())})
	if err != nil {
		t.Fatal(err)
	}
	store, err := bqstore.New(t.Context(), bqstore.Config(config.Project, config.Dataset).WithLocation("EU"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.EnsureTables(t.Context()); err != nil {
		t.Fatal(err)
	}
	return config
}

// TestBigQueryProcessesOnce joins under duplicates, with a handler that fails
// once, with both stores in BigQuery and with the claims in Cloud Storage.
func TestBigQueryProcessesOnce(t *testing.T) {
	for name, claims := range map[string]string{"both in BigQuery": StoreBigQuery, "claims in Cloud Storage": StoreGCS} {
		t.Run(name, func(t *testing.T) {
			gcs, config := onGCS(t), onBigQuery(t)
			config.ClaimStore, config.Bucket = claims, gcs.Bucket
			business := count()
			business.before = func(key string, try int) error {
				if key == "fails" && try == 1 {
					return errors.New("out of stock")
				}
				return nil
			}
			_, server := serve(t, config, business)
			for _, key := range []string{"works", "fails"} {
				for range 2 {
					var wait sync.WaitGroup
					for _, source := range []string{"event1", "event2", "event3"} {
						wait.Go(func() { deliver(t, server.URL, source, key, `{"n":9007199254740993}`) })
					}
					wait.Wait()
				}
			}
			business.once(t, "works", "fails")
			if status, answer := post(t, server.URL, "event2", "works", `1`); !taken(status) {
				t.Errorf("a late duplicate: %d %s", status, answer)
			}
			business.once(t, "works", "fails")
		})
	}
}

// TestSweepOnBigQuery ends joins with both stores in BigQuery, where completed keys are not seen, and with the claims
// in Cloud Storage.
func TestSweepOnBigQuery(t *testing.T) {
	t.Run("both in BigQuery", func(t *testing.T) { sweepTwice(t, onBigQuery(t), 3, 1) })
	t.Run("claims in Cloud Storage", func(t *testing.T) { sweepTwice(t, eventsInBigQuery(t, onGCS(t)), 4, 4) })
}

// eventsInBigQuery returns the configuration with the events in BigQuery, and the claims where they were.
func eventsInBigQuery(t *testing.T, c Config) Config {
	events := onBigQuery(t)
	c.EventStore, c.Project, c.Dataset, c.Location, c.Retention = StoreBigQuery, events.Project, events.Dataset, events.Location, events.Retention
	return c
}

// TestSweepsOfBigQueryCutOffAgainstLateEvents is [TestSweepsCutOffAgainstLateEvents] with the events in BigQuery.
func TestSweepsOfBigQueryCutOffAgainstLateEvents(t *testing.T) {
	tables, bucket := bigquery.New(t), gcs.New(t, "bucket")
	t.Setenv("BIGQUERY_EMULATOR_HOST", tables.Host())
	t.Setenv("STORAGE_EMULATOR_HOST", bucket.Host())
	config := DefaultConfig()
	config.ClaimStore, config.Bucket, config.Lease = StoreGCS, "bucket", shortestLease
	sweepAgainstLateEvents(t, overdue(eventsInBigQuery(t, config)), 60, func(chance func(int) int) {
		failInBucket(bucket, chance)
		tables.OnRequest(func(bigquery.Request) bigquery.Fault {
			switch chance(40) {
			case 0:
				return bigquery.Fault{Drop: true}
			case 1:
				return bigquery.Fault{Status: http.StatusForbidden, Reason: "accessDenied"}
			}
			return bigquery.Fault{}
		})
	}, func() {
		bucket.OnRequest(nil)
		tables.OnRequest(nil)
	})
}

// TestBigQuerysQueueIsNoFailure: the queue of statements for the table of claims is full, and one
// more is refused. The event is to be delivered again, and nobody is called.
func TestBigQuerysQueueIsNoFailure(t *testing.T) {
	stand := bigquery.New(t)
	t.Setenv("BIGQUERY_EMULATOR_HOST", stand.Host())
	config := onBigQuery(t)
	var log syncBuffer
	previous := slog.Default()
	slog.SetDefault(NewLogger(&log, slog.LevelInfo))
	t.Cleanup(func() { slog.SetDefault(previous) })
	business := count()
	_, server := serve(t, config, business)
	stand.LimitInserts(1, 0)
	hold, running := make(chan struct{}), make(chan struct{})
	stand.OnJob(func(j bigquery.Job) bigquery.Fate {
		if !strings.Contains(j.Statement, "INSERT") {
			return bigquery.Fate{}
		}
		close(running)
		return bigquery.Fate{Hold: hold}
	})
	other, err := bqstore.New(t.Context(), bqstore.Config(config.Project, config.Dataset).WithLocation("EU"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var wait sync.WaitGroup
	wait.Go(func() { _, _ = other.Acquire(t.Context(), driver.NewClaim("other"), time.Hour) })
	<-running
	for i, source := range []string{"event1", "event2", "event3"} {
		status, answer := post(t, server.URL, source, "order", `1`)
		if want := []int{202, 202, 503}[i]; status != want {
			t.Errorf("%s: %d %s, want %d", source, status, answer, want)
		}
	}
	close(hold)
	wait.Wait()
	stand.LimitInserts(0, 0)
	stand.OnJob(nil)
	if status, answer := post(t, server.URL, "event3", "order", `1`); !taken(status) {
		t.Errorf("delivered again: %d %s", status, answer)
	}
	business.once(t, "order")
	if text := log.String(); strings.Contains(text, `"ERROR"`) || !strings.Contains(text, "event held") {
		t.Errorf("the log has an error, or does not say that the event is held:\n%s", text)
	}
}

func TestBigQueryIsConfigured(t *testing.T) {
	config, err := configFrom(map[string]string{"EVENT_STORE": "bigquery", "CLAIM_STORE": "gcs", "GCS_BUCKET": "bucket",
		"GOOGLE_CLOUD_PROJECT": "other", "BIGQUERY_PROJECT": "project", "BIGQUERY_DATASET": "orders", "BIGQUERY_LOCATION": "EU"})
	read := []any{config.Project, config.Dataset, config.Location, config.storeTimeout()}
	if want := []any{"project", "orders", "EU", bigQueryTimeout}; err != nil || !slices.Equal(read, want) {
		t.Errorf("%+v, %v", config, err)
	}
	if c := DefaultConfig(); c.Retention != bqstore.DefaultRetention {
		t.Errorf("%v; want the store's own default", c.Retention)
	}
	_, err = configFrom(map[string]string{"EVENT_STORE": "redis"})
	if want := `EVENT_STORE must be memory, gcs or bigquery; it is "redis"`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v; want %s", err, want)
	}
	_, err = configFrom(map[string]string{"CLAIM_STORE": "bigquery", "BIGQUERY_LOCATION": "E U",
		"BIGQUERY_RETENTION": "2h", "LEASE": "3h"})
	for _, name := range []string{"BIGQUERY_PROJECT", "BIGQUERY_DATASET", "BIGQUERY_LOCATION",
		"no less than LEASE; it is \"2h\": LEASE is 3h"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
}

const bigQueryVariables = "EVENT_STORE=bigquery BIGQUERY_PROJECT=project BIGQUERY_DATASET=orders"

func init() {
	good = append(good, []goodVariables{
		{"BIGQUERY_PROJECT=project-1", func(c Config) any { return c.Project }, "project-1"},
		{"GOOGLE_CLOUD_PROJECT=project-2", func(c Config) any { return c.Project }, "project-2"},
		{"BIGQUERY_DATASET=orders", func(c Config) any { return c.Dataset }, "orders"},
		{"BIGQUERY_LOCATION=EU", func(c Config) any { return c.Location }, "EU"},
		{"BIGQUERY_RETENTION=48h", func(c Config) any { return c.Retention }, 48 * time.Hour},
		{bigQueryVariables, func(c Config) any { return c.ClaimStore }, "bigquery"},
		{bigQueryVariables + " GCS_BUCKET=bucket", func(c Config) any { return c.EventStore + " " + c.ClaimStore }, "bigquery gcs"},
		{bigQueryVariables + " GCS_BUCKET=bucket LEASE=2s", func(c Config) any { return c.Lease }, 2 * time.Second},
		{bigQueryVariables + " LEASE=75s", func(c Config) any { return c.Lease }, 75 * time.Second},
		{bigQueryVariables + " STORE_TIMEOUT=45s", func(c Config) any { return c.storeTimeout() }, 45 * time.Second},
		{bigQueryVariables + " GCS_BUCKET=bucket CLAIM_STORE=bigquery", func(c Config) any { return c.ClaimStore }, "bigquery"},
	}...)
	bad = append(bad, []badVariable{
		{"BIGQUERY_PROJECT", "a project", "the ID of a project", bigQueryVariables},
		{"BIGQUERY_DATASET", "my-orders", "the name of a dataset", bigQueryVariables},
		{"BIGQUERY_LOCATION", "E U", "as in EU", bigQueryVariables},
		{"LEASE", "1m14s", "CLAIM_STORE is bigquery, and needs 1m15s or more", bigQueryVariables},
		{"STORE_TIMEOUT", "44s", "a store is bigquery, and needs 45s or more", bigQueryVariables + " GCS_BUCKET=bucket"},
		{"BIGQUERY_RETENTION", "1m", "from 1h to 3600h", bigQueryVariables},
	}...)
}
