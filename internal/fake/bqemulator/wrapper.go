package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
)

// wrapper stands before the emulators' API.
type wrapper struct{ projects *projects }

var path = regexp.MustCompile(`/projects/([^/]+)/(jobs|queries)?(?:/([^/]+))?$|/projects/([^/]+)/`)

func (w *wrapper) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	found := path.FindStringSubmatch(r.URL.Path)
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
	p, err := w.projects.get(found[1] + found[4])
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	defer p.busy.Unlock()

	kind, job := found[2], p.jobs[found[3]]
	switch {
	case r.Method == http.MethodPost && insertAllPath.MatchString(r.URL.Path):
		p.insertAll(rw, r, body)
	case r.Method == http.MethodPost && kind == "jobs" && found[3] == "":
		p.insert(rw, r, body)
	case r.Method == http.MethodPost && kind == "queries":
		p.query(rw, r)
	case r.Method == http.MethodGet && kind == "jobs" && job != nil:
		job.status.write(rw)
	case r.Method == http.MethodGet && kind == "queries" && job != nil:
		job.results.write(rw)
	default:
		p.emulator.Handler.ServeHTTP(rw, r)
	}
}

// job is the emulator's last answer about a job. The emulator reads all its jobs, with
// their results, for each request, so each job is deleted once it is done.
type job struct{ status, results *answer }

// answer is a response of the emulator.
type answer struct{ *httptest.ResponseRecorder }

func (a *answer) write(rw http.ResponseWriter) {
	for name, values := range a.Header() {
		rw.Header()[name] = values
	}
	rw.WriteHeader(a.Code)
	_, _ = rw.Write(a.Body.Bytes())
}

// ask sends a request to the emulator.
func (p *project) ask(r *http.Request) *answer {
	a := &answer{httptest.NewRecorder()}
	p.emulator.Handler.ServeHTTP(a, r)
	return a
}

func (p *project) get(r *http.Request, kind, id string) *answer {
	return p.ask(httptest.NewRequestWithContext(r.Context(), http.MethodGet, "/projects/"+p.name+"/"+kind+"/"+id, nil))
}

func (p *project) forget(r *http.Request, id string) {
	p.ask(httptest.NewRequestWithContext(r.Context(), http.MethodDelete, "/projects/"+p.name+"/jobs/"+id+"/delete", nil))
}

type reference struct {
	JobReference struct {
		JobID string `json:"jobId"`
	} `json:"jobReference"`
	PageToken string `json:"pageToken"`
}

// insert is jobs.insert. A job whose ID was used before is refused.
func (p *project) insert(rw http.ResponseWriter, r *http.Request, body []byte) {
	var asked reference
	_ = json.Unmarshal(body, &asked) // the emulator says what is wrong with it
	id := asked.JobReference.JobID
	if p.jobs[id] != nil {
		duplicate(rw)
		return
	}
	a := p.ask(r)
	if status := p.get(r, "jobs", id); id != "" && status.Code == http.StatusOK {
		p.jobs[id] = &job{status, p.get(r, "queries", id)}
		p.forget(r, id)
	}
	a.write(rw)
}

// query is jobs.query, which makes a job, too.
func (p *project) query(rw http.ResponseWriter, r *http.Request) {
	a := p.ask(r)
	var made reference
	if json.Unmarshal(a.Body.Bytes(), &made) == nil && made.JobReference.JobID != "" && made.PageToken == "" {
		p.forget(r, made.JobReference.JobID)
	}
	a.write(rw)
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
