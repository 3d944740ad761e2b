package telemetry_test

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"example.com/eventdriver/telemetry"
)

// TestRequestsHaveTheirBillingClass, as Google's price lists name it.
func TestRequestsHaveTheirBillingClass(t *testing.T) {
	observed, _, reader := open(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodDelete:
			http.NotFound(w, r)
		case strings.HasSuffix(r.URL.Path, "/again"): // and is sent again
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Query().Has("ifGenerationMatch"):
			w.WriteHeader(http.StatusPreconditionFailed)
		case strings.HasSuffix(r.URL.Path, "/moved"):
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	}))
	defer server.Close()
	send := func(service, method, path string) {
		client := http.Client{Transport: observed.Transport(service, http.DefaultTransport)}
		r, _ := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		if answer, err := client.Do(r); err == nil {
			_ = answer.Body.Close()
		}
	}
	for _, r := range [][3]string{
		{telemetry.CloudStorage, "POST", "/upload/storage/v1/b/bucket/o?uploadType=multipart"},
		{telemetry.CloudStorage, "GET", "/storage/v1/b/bucket/o?prefix=x"},
		{telemetry.CloudStorage, "GET", "/storage/v1/b/bucket/o/a%2Fb?alt=media"},
		{telemetry.CloudStorage, "DELETE", "/storage/v1/b/bucket/o/a%2Fb"},
		{telemetry.CloudStorage, "PATCH", "/storage/v1/b/bucket/o/a%2Fb"},
		{telemetry.CloudStorage, "POST", "/storage/v1/b/bucket/o/a/rewriteTo/b/bucket/o/c"},
		{telemetry.CloudStorage, "GET", "/storage/v1/b/bucket/o/again"},
		{telemetry.CloudStorage, "GET", "/storage/v1/b/bucket/o/moved"},
		{telemetry.CloudStorage, "POST", "/upload/storage/v1/b/bucket/o?uploadType=multipart&ifGenerationMatch=0"},
		{telemetry.BigQuery, "POST", "/bigquery/v2/projects/p/queries"},
		{telemetry.BigQuery, "POST", "/bigquery/v2/projects/p/datasets/d/tables/t/insertAll"},
		{telemetry.BigQuery, "GET", "/bigquery/v2/projects/p/queries/job"},
		{telemetry.BigQuery, "GET", "/bigquery/v2/projects/p/datasets/d/tables/t/data"},
	} {
		send(r[0], r[1], r[2])
	}
	server.Close()
	send(telemetry.CloudStorage, "GET", "/storage/v1/b/bucket/o/gone")
	for attr, want := range map[string]map[string]int64{
		"eventdriver.billing_class": {"A": 4, "B": 2, "free": 6, "bytes read": 1, "bytes inserted": 1},
		"eventdriver.status":        {"200": 9, "307": 1, "404": 1, "412": 1, "503": 1, "no-answer": 1},
		"eventdriver.operation":     {"insert": 3, "list": 1, "get": 4, "delete": 1, "update": 1, "copy": 1, "query": 1, "job": 1, "list rows": 1},
	} {
		if got := total(t, reader, "eventdriver.store.requests", attr); !reflect.DeepEqual(got, want) {
			t.Errorf("by %s: %v, want %v", attr, got, want)
		}
	}
}
