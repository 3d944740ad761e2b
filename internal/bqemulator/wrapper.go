package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"sync"

	"github.com/goccy/bigquery-emulator/server"
	"github.com/goccy/bigquery-emulator/types"
)

var (
	projectPath = regexp.MustCompile(`/projects/([^/]+)/`)
	jobsPath    = regexp.MustCompile(`/projects/[^/]+/jobs$`)
)

// wrapper stands before the emulator.
type wrapper struct {
	emulator *server.Server
	next     http.Handler

	mu       sync.Mutex
	projects map[string]bool
}

func (w *wrapper) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if found := projectPath.FindStringSubmatch(r.URL.Path); found != nil {
		if err := w.provide(found[1]); err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	// The emulator answers one request at a time, and gives up on those whose body
	// it has not read after 15 seconds.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if r.Method != http.MethodPost || !jobsPath.MatchString(r.URL.Path) {
		w.next.ServeHTTP(rw, r)
		return
	}
	answer := &recorder{header: make(http.Header), status: http.StatusOK}
	w.next.ServeHTTP(answer, r)
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

// provide makes a project, once. Each test takes a project of its own, since the
// emulator slows down with the number of jobs that a project has had.
func (w *wrapper) provide(project string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.projects[project] {
		return nil
	}
	if err := w.emulator.Load(server.StructSource(types.NewProject(project))); err != nil {
		return err
	}
	if w.projects == nil {
		w.projects = make(map[string]bool)
	}
	w.projects[project] = true
	return nil
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
