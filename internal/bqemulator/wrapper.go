package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
)

var (
	projectPath = regexp.MustCompile(`/projects/([^/]+)/`)
	jobsPath    = regexp.MustCompile(`/projects/[^/]+/jobs$`)
)

// wrapper stands before the emulators' API.
type wrapper struct{ projects *projects }

func (w *wrapper) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	found := projectPath.FindStringSubmatch(r.URL.Path)
	if found == nil {
		http.NotFound(rw, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	p, err := w.projects.get(found[1])
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	defer p.busy.Unlock()
	if r.Method != http.MethodPost || !jobsPath.MatchString(r.URL.Path) {
		p.emulator.Handler.ServeHTTP(rw, r)
		return
	}
	answer := &recorder{header: make(http.Header), status: http.StatusOK}
	p.emulator.Handler.ServeHTTP(answer, r)
	if answer.status >= 400 && bytes.Contains(answer.body.Bytes(), []byte("is already created")) {
		duplicate(rw)
		return
	}
	for name, values := range answer.header {
		rw.Header()[name] = values
	}
	rw.WriteHeader(answer.status)
	_, _ = rw.Write(answer.body.Bytes())
}

// duplicate is BigQuery's answer to a job whose ID was used before.
func duplicate(rw http.ResponseWriter) {
	type reason struct {
		Domain  string `json:"domain"`
		Reason  string `json:"reason"`
		Message string `json:"message"`
	}
	const message = "Already Exists: Job"
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(http.StatusConflict)
	_ = json.NewEncoder(rw).Encode(map[string]any{"error": map[string]any{
		"code": http.StatusConflict, "message": message, "status": "ALREADY_EXISTS",
		"errors": []reason{{"global", "duplicate", message}},
	}})
}

// recorder keeps an answer until it has been looked at.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
