package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/googleapis"
)

// deployment is a function that runs as a service, with a job of Cloud Scheduler that calls it.
type deployment struct {
	bucket
	*live
	apis    *googleapis.Server
	answers map[string]any
	flags   []string
}

const (
	theService = "/v2/projects/p/locations/r/services/orders"
	theJobs    = "/v1/projects/p/locations/r/jobs"
)

func deploy(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{bucket: newBucket(t)}
	d.environ = append(d.environ, "JOIN_DEADLINE=24h")
	d.live = serve(t, d.environ)
	d.fixed.Store(true)
	var variables []any
	for name, value := range (surroundings{environ: d.environ}).variables() {
		variables = append(variables, map[string]any{"name": name, "value": value})
	}
	d.answers = map[string]any{
		theService: map[string]any{"name": theService[4:], "uri": d.url,
			"template": map[string]any{"containers": []any{map[string]any{"env": variables}}}},
		theService + "/revisions": map[string]any{},
	}
	d.schedule("ENABLED")
	d.apis = googleapis.New(t, d.answers)
	d.environ = nil
	d.flags = []string{"--service=orders", "--region=r", "--project=p", "--endpoint=" + d.apis.URL}
	return d
}

// schedule makes the job; that of another function is beside it.
func (d *deployment) schedule(state string) {
	name := theJobs[4:] + "/orders-sweep"
	d.answers[theJobs] = map[string]any{"jobs": []any{
		map[string]any{"name": theJobs[4:] + "/other-sweep", "httpTarget": map[string]any{"uri": "https://other.run.app/sweep"}},
		map[string]any{"name": name, "state": state, "httpTarget": map[string]any{"uri": d.url + "/sweep"}}}}
	d.answers["/v1/"+name+":run"] = func(r *http.Request) any {
		answer, err := http.Post(d.url+"/sweep", "", nil)
		if err != nil || answer.StatusCode != http.StatusOK {
			return googleapis.Refusal{Code: 500, Message: "the sweep failed"}
		}
		_ = answer.Body.Close()
		return map[string]any{"name": name}
	}
}

// call runs the command on the service.
func (d *deployment) call(t *testing.T, code int, says []string, args ...string) string {
	t.Helper()
	return expectCall(t, d.bucket, code, says, append(args, d.flags...)...)
}

// TestSweep: Cloud Scheduler has the function sweep.
func TestSweep(t *testing.T) {
	d := deploy(t)
	d.call(t, failed, []string{"run the job projects/p/locations/r/jobs/orders-sweep", "nothing was changed"}, "sweep", "--as=me")
	d.call(t, fine, []string{"would do this"}, "sweep", "--as=me", "--dry-run")
	for _, asked := range d.apis.Asked() {
		if strings.Contains(asked, ":run") {
			t.Errorf("not wanted: %s", asked)
		}
	}
	d.call(t, fine, []string{"started: projects/p", `"action":"sweep"`, "tail"}, "sweep", "--as=me", "--yes")
	var s swept
	if err := json.Unmarshal([]byte(d.call(t, fine, nil, "sweep", "--as=me", "--yes", "--json")), &s); err != nil || !s.Started || s.URI == "" {
		t.Errorf("%+v, %v", s, err)
	}
	d.schedule("PAUSED")
	d.call(t, fine, []string{"though it is paused"}, "sweep", "--as=me", "--dry-run")
	d.answers[theJobs] = googleapis.Refusal{Code: http.StatusForbidden, Message: "no"}
	d.call(t, failed, []string{"roles/cloudscheduler.viewer"}, "sweep", "--as=me", "--yes")
	d.answers[theJobs] = map[string]any{}
	d.call(t, failed, []string{"no job of Cloud Scheduler", "sweep_schedule", d.url + "/sweep"}, "sweep", "--as=me", "--yes")
	d.environ = []string{"GOOGLE_CLOUD_PROJECT=p", "GCS_BUCKET=bucket"}
	expectCall(t, d.bucket, failed, []string{"--service", "POST /sweep"}, "sweep", "--as=me", "--yes")
}

// TestRerunAndReleaseHaveTheKeyRun: at once, by a sweep.
func TestRerunAndReleaseHaveTheKeyRun(t *testing.T) {
	d := deploy(t)
	for _, source := range []string{"event1", "event2"} {
		d.send(t, "/events/"+source, "order-1", `{"n":1}`, http.StatusAccepted)
	}
	d.send(t, "/events/event3", "order-1", `{"n":1}`, http.StatusNoContent)
	d.call(t, fine, []string{"order-1: complete", "The sweep that was started runs it", `"action":"rerun"`, `"action":"sweep"`},
		"rerun", "order-1", "--as=me", "--yes")
	d.call(t, fine, []string{"order-1: done"}, "why", "order-1")
	if n := d.acted.Load(); n != 2 {
		t.Errorf("the business acted %d times, want 2", n)
	}

	d.persist(t, "marked", "event1", "event2", "event3")
	d.persist(t, "half", "event1")
	for _, key := range []string{"marked", "half"} {
		if err := d.store.Release(t.Context(), d.claim(t, key), driver.Released{Mark: driver.MarkFailed}); err != nil {
			t.Fatal(err)
		}
	}
	d.call(t, fine, []string{"marked: complete", "No sweep was started: --no-sweep", "next delivery or sweep"},
		"release", "marked", "--as=me", "--yes", "--no-sweep")
	d.call(t, found, []string{"marked: complete"}, "why", "marked")
	d.call(t, fine, []string{"half: waiting", "It waits for event2, event3"}, "release", "half", "--as=me", "--yes")
	d.call(t, fine, nil, "sweep", "--as=me", "--yes")
	d.call(t, fine, []string{"marked: done"}, "why", "marked")

	d.persist(t, "wrong", "event1", "event2", "event3")
	if err := d.store.Release(t.Context(), d.claim(t, "wrong"), driver.Released{Mark: driver.MarkFailed}); err != nil {
		t.Fatal(err)
	}
	correct := []string{"replace", "wrong", "event2", "--reason=r", "--as=me", "--yes", "--settle=0s", "--file=" + write(t, `{"n":2}`)}
	d.call(t, fine, []string{"wrong: complete", "The sweep that was started runs it"}, correct...)
	d.call(t, fine, []string{"wrong: done"}, "why", "wrong")

	d.schedule("PAUSED")
	d.call(t, fine, []string{"its job is paused"}, "rerun", "order-1", "--as=me", "--yes")
	paused := map[string]any{"name": theJobs[4:] + "/another", "state": "PAUSED", "httpTarget": map[string]any{"uri": d.url + "/sweep"}}
	d.schedule("ENABLED")
	jobs := d.answers[theJobs].(map[string]any)
	jobs["jobs"] = append([]any{paused}, jobs["jobs"].([]any)...)
	d.call(t, fine, []string{"started: projects/p/locations/r/jobs/orders-sweep"}, "sweep", "--as=me", "--yes")
	d.answers[theJobs] = map[string]any{}
	var o changed
	if err := json.Unmarshal([]byte(d.call(t, fine, nil, "rerun", "marked", "--as=me", "--yes", "--json")), &o); err != nil ||
		o.State != "complete" || o.Sweep != nil || !strings.Contains(o.Why, "no job") || !strings.Contains(o.Next, "letters") {
		t.Errorf("%+v, %v", o, err)
	}
}
