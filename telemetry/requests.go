package telemetry

import (
	"net/http"
	"strconv"
	"strings"
)

// The services whose requests are told apart.
const (
	CloudStorage = "storage"
	BigQuery     = "bigquery"
)

// Transport returns a transport that counts the requests of one of Google's services, each attempt by
// itself: [CloudStorage] or [BigQuery].
func (t *Telemetry) Transport(service string, next http.RoundTripper) http.RoundTripper {
	return counting{t, service, next}
}

type counting struct {
	t       *Telemetry
	service string
	next    http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := c.next.RoundTrip(r)
	status := "no-answer"
	if err == nil {
		status = strconv.Itoa(answer.StatusCode)
	}
	operation, class := bigQueryRequest(r)
	if c.service == CloudStorage {
		operation, class = storageRequest(r)
	}
	if err == nil && !charged(answer.StatusCode) {
		class = classFree
	}
	values := requestLabels{c.service, operation, status, class}
	c.t.labeled.requests.of(values, requestLabels.attributes).one(r.Context(), c.t.metrics.requests)
	return answer, err
}

// charged says whether Google charges for an answer with this status: one that something was not found, for example,
// or that it is there already, is free.
func charged(status int) bool {
	return status != http.StatusTemporaryRedirect && status < http.StatusBadRequest
}

// The classes by which Google bills requests: https://cloud.google.com/storage/pricing.
const (
	classA    = "A"
	classB    = "B"
	classFree = "free"
)

// storageRequest says what a request to the JSON API of Cloud Storage does, and its class.
func storageRequest(r *http.Request) (operation, class string) {
	path := r.URL.EscapedPath()
	_, object, isObject := strings.Cut(path, "/o/")
	switch {
	case r.Method == http.MethodDelete:
		return "delete", classFree
	case r.Method == http.MethodPut && strings.HasPrefix(path, "/upload/"):
		return "upload part", classFree
	case r.Method == http.MethodPost && strings.HasPrefix(path, "/upload/"):
		return "insert", classA
	case r.Method == http.MethodGet && isObject && object != "":
		return "get", classB
	case r.Method == http.MethodGet && strings.HasSuffix(path, "/o"):
		return "list", classA
	case r.Method == http.MethodPatch || r.Method == http.MethodPut:
		return "update", classA
	case r.Method == http.MethodPost:
		return "copy", classA
	}
	return other, classB
}

// bigQueryRequest says what a request to the API of BigQuery does. It is billed by the bytes that
// are read or inserted, which the request does not tell.
func bigQueryRequest(r *http.Request) (operation, class string) {
	path := r.URL.EscapedPath()
	switch {
	case strings.HasSuffix(path, "/insertAll"):
		return "insert", "bytes inserted"
	case r.Method == http.MethodPost && (strings.HasSuffix(path, "/queries") || strings.HasSuffix(path, "/jobs")):
		return "query", "bytes read"
	case strings.HasSuffix(path, "/data"):
		return "list rows", classFree
	case strings.Contains(path, "/queries/") || strings.Contains(path, "/jobs/"):
		return "job", classFree
	}
	return other, classFree
}
