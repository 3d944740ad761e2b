package bigquery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"

	bq "google.golang.org/api/bigquery/v2"
)

// maxRequest is how large a request may be (https://cloud.google.com/bigquery/quotas).
const maxRequest = 10 << 20

// failure is an error as BigQuery words it: the reason decides the status
// (https://cloud.google.com/bigquery/docs/error-messages).
type failure struct {
	reason, message string
	status          int // 0: that of the reason
}

func (f *failure) Error() string { return f.reason + ": " + f.message }

var statuses = map[string]int{"notFound": http.StatusNotFound, "duplicate": http.StatusConflict,
	"quotaExceeded": http.StatusForbidden, "rateLimitExceeded": http.StatusForbidden, "accessDenied": http.StatusForbidden,
	"backendError": http.StatusServiceUnavailable, "internalError": http.StatusInternalServerError}

func fail(reason, format string, args ...any) error {
	return &failure{reason: reason, message: fmt.Sprintf(format, args...)}
}

// asFailure is err for an answer.
func asFailure(err error) *failure {
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{reason: "invalid", message: err.Error()}
	}
	if f.status == 0 {
		f.status = statuses[f.reason]
	}
	if f.status == 0 {
		f.status = http.StatusBadRequest // invalidQuery, stopped, jobRateLimitExceeded and others
	}
	return f
}

// call is a request to a method of the API.
type call struct {
	*http.Request
	project *project
	dataset string
	id      string // of the job or the table
	body    []byte
}

// account is who calls, by the token.
func (c *call) account() string { return c.Header.Get("Authorization") }

func (c *call) decode(into any) error {
	if err := json.Unmarshal(c.body, into); err != nil {
		return fail("parseError", "%v", err)
	}
	return nil
}

// route is a method of the API. Its pattern names the parts of the address.
type route struct {
	name, method string
	pattern      *regexp.Regexp
	serve        func(*call) (any, error)
}

func at(method, pattern, name string, serve func(*call) (any, error)) route {
	return route{name, method, regexp.MustCompile(`^(?:/bigquery/v2)?/projects/(?P<project>[^/]+)` + pattern + `$`), serve}
}

const inDataset = `/datasets/(?P<dataset>[^/]+)`

var routes = []route{
	at("POST", `/datasets`, "datasets.insert", createDataset),
	at("GET", inDataset, "datasets.get", getDataset),
	at("POST", inDataset+`/tables`, "tables.insert", createTable),
	at("GET", inDataset+`/tables/(?P<id>[^/]+)`, "tables.get", getTable),
	at("PATCH", inDataset+`/tables/(?P<id>[^/]+)`, "tables.patch", patchTable),
	at("DELETE", inDataset+`/tables/(?P<id>[^/]+)`, "tables.delete", deleteTable),
	at("POST", inDataset+`/tables/(?P<id>[^/]+)/insertAll`, "tabledata.insertAll", insertAll),
	at("POST", `/queries`, "jobs.query", runQuery),
	at("GET", `/queries/(?P<id>[^/]+)`, "jobs.getQueryResults", queryResults),
	at("POST", `/jobs`, "jobs.insert", insertJob),
	at("GET", `/jobs/(?P<id>[^/]+)`, "jobs.get", getJob),
	at("POST", `/jobs/(?P<id>[^/]+)/cancel`, "jobs.cancel", cancelJob),
}

// serve finds the method, injects the fault, and answers.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	// The whole body first: only then does the server notice a client that goes away.
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	c, to := s.find(r, body)
	fault := s.receive(Request{Method: to.name, Project: c.project.name, ID: c.id})
	if !pause(r.Context(), fault.Delay, fault.Hold) {
		panic(http.ErrAbortHandler)
	}
	if fault.Status != 0 && !fault.Served {
		answer(w, nil, &failure{fault.Reason, "a fault that was asked for", fault.Status})
		return
	}
	if len(body) > maxRequest {
		answer(w, nil, &failure{"requestTooLarge", "Request payload size exceeds the limit: 10485760 bytes.", http.StatusRequestEntityTooLarge})
		return
	}
	result, err := to.serve(c)
	switch {
	case fault.Drop:
		panic(http.ErrAbortHandler)
	case fault.Served:
		err = &failure{fault.Reason, "a fault that was asked for", fault.Status}
	}
	answer(w, result, err)
}

// find returns the method that a request is for, or one that answers 404.
func (s *Server) find(r *http.Request, body []byte) (*call, route) {
	for _, to := range routes {
		found := to.pattern.FindStringSubmatch(r.URL.Path)
		if found == nil || to.method != r.Method {
			continue
		}
		part := func(name string) string {
			if i := to.pattern.SubexpIndex(name); i > 0 {
				return found[i]
			}
			return ""
		}
		return &call{Request: r, project: s.project(part("project")), dataset: part("dataset"), id: part("id"), body: body}, to
	}
	missing := func(*call) (any, error) { return nil, fail("notFound", "the fake has no %s %s", r.Method, r.URL.Path) }
	return &call{Request: r, project: s.project("")}, route{name: "unknown", serve: missing}
}

// answer writes a result or an error, as JSON.
func answer(w http.ResponseWriter, result any, err error) {
	status := http.StatusOK
	if err != nil {
		f := asFailure(err)
		status = f.status
		reason := &bq.ErrorProto{Location: "global", Reason: f.reason, Message: f.message}
		result = map[string]any{"error": map[string]any{"code": status, "message": f.message, "errors": []*bq.ErrorProto{reason}}}
	}
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(result); err != nil {
		panic(err) // all results have a JSON form
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes()) // the client may have gone
}
