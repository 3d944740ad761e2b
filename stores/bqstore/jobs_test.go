package bqstore_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore"
)

// TestJobThatFailsForAWhile: an insert whose job fails for want of a quota, or by an
// internal error, fails then, and not when its time is up: its results come as an
// error after which BigQuery's client asks for them again, without an end.
func TestJobThatFailsForAWhile(t *testing.T) {
	t.Parallel() // it waits for resultsWithin
	const failed = `{"errorResult":{"reason":"jobRateLimitExceeded","message":"too many jobs"},"state":"DONE"}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		job := func(status string) string {
			return `{"jobReference":{"projectId":"project","jobId":"j","location":"EU"},"configuration":{"query":{"query":"x"}},"status":` + status + `}`
		}
		switch {
		case strings.Contains(r.URL.Path, "/tables/"):
			_, _ = w.Write([]byte(`{"creationTime":"1","location":"EU","type":"TABLE"}`))
		case r.Method == http.MethodPost:
			_, _ = w.Write([]byte(job(`{"state":"RUNNING"}`)))
		case strings.Contains(r.URL.Path, "/queries/"):
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error":{"code":400,"message":"too many jobs","errors":[{"reason":"jobRateLimitExceeded"}]}}`))
		default:
			_, _ = w.Write([]byte(job(failed)))
		}
	}))
	defer server.Close()
	store, err := bqstore.New(t.Context(), bqstore.Config("project", "dataset").WithLocation("EU"),
		option.WithEndpoint(server.URL), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	start := time.Now()
	_, err = store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
	if err == nil || !strings.Contains(err.Error(), "too many jobs") || time.Since(start) > bqstore.DefaultTimeout/2 {
		t.Errorf("after %v: %v; want the job's failure, long before the time is up", time.Since(start), err)
	}
}
