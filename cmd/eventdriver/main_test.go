package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/internal/fake/googleapis"
	"example.com/eventdriver/operate/deployed"
	"example.com/eventdriver/operate/doctor"
)

// call runs the command with these variables, and returns what it printed.
func call(t *testing.T, environ []string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, surroundings{strings.NewReader(""), &o, &e, environ})
	return code, o.String(), e.String()
}

// TestUsage: a wrong command line has the exit code 2, and is told what to do about it. Nothing is
// asked of Google.
func TestUsage(t *testing.T) {
	for _, c := range []struct {
		name    string
		environ []string
		args    []string
		says    string
	}{
		{"no such command", nil, []string{"doktor"}, `unknown command "doktor"`},
		{"no such flag", nil, []string{"doctor", "--regoin=x"}, "--regoin"},
		{"a key that begins with a dash", nil, []string{"why", "-lead"}, "eventdriver why [flags] -- KEY"},
		{"one with two", nil, []string{"replace", "--lead", "event1"}, "eventdriver replace [flags] -- KEY SOURCE"},
		{"a letter that does", nil, []string{"letters", "drop", "-l=x"}, "eventdriver letters drop [flags] -- ID"},
		{"an argument", nil, []string{"doctor", "orders"}, "orders"},
		{"no region", nil, []string{"doctor", "--service=orders", "--project=p"}, "gcloud run services list"},
		{"no project", nil, []string{"doctor", "--service=orders", "--region=r"}, "GOOGLE_CLOUD_PROJECT"},
		{"no service", nil, []string{"doctor", "--region=r", "--project=p"}, "--region is given without --service"},
		{"nothing to look at", []string{"GOOGLE_CLOUD_PROJECT=p"}, []string{"doctor"}, "give --service and --region"},
		{"no key", nil, []string{"why"}, "received 0: eventdriver why KEY"},
		{"a key of two words", nil, []string{"purge", "order", "1"}, "received 2: eventdriver purge KEY"},
		{"no letter", nil, []string{"letters", "show"}, "received 0: eventdriver letters show ID"},
		{"an empty key", nil, []string{"why", ""}, "an argument is empty"},
		{"one of two arguments", nil, []string{"replace", "order-1", "", "--file=f", "--reason=r"}, "an argument is empty"},
		{"an empty letter", nil, []string{"letters", "drop", "a", "", "--yes"}, "an argument is empty"},
		{"an empty key of letters", nil, []string{"letters", "list", "--key="}, "--key is empty"},
		{"an empty cursor", []string{"GCS_BUCKET=b"}, []string{"waiting", "--cursor="}, "--cursor is empty"},
		{"an empty token", nil, []string{"letters", "resend", "a", "--url=https://x", "--token="}, "--token is empty"},
		{"an empty reason of letters", nil, []string{"letters", "list", "--reason="}, "--reason is empty"},
		{"a subscription of the store", []string{"GCS_BUCKET=b"}, []string{"letters", "list", "--from=store", "--subscription=s"},
			"leave it out"},
		{"two places to send to", nil, []string{"letters", "resend", "a", "--url=https://x", "--topic=projects/p/topics/t"}, "not both"},
		{"a host for a URL", nil, []string{"letters", "resend", "a", "--url=127.0.0.1:8080"}, "--url must be"},
		{"no host", nil, []string{"letters", "resend", "a", "--url=localhost:8080"}, "--url must be"},
		{"the URL of a source", nil, []string{"letters", "resend", "a", "--url=https://x/events/event1"}, "--url must be"},
		{"an empty service", nil, []string{"waiting", "--service", "", "--region=r"}, "--service is empty"},
		{"a full name for a service", nil, []string{"doctor", "--service=projects/p/locations/r/services/orders", "--region=r", "--project=p"},
			"--service must be a name alone"},
		{"a path for a service", nil, []string{"waiting", "--service=..", "--region=r", "--project=p"}, "--service must be a name alone"},
		{"a path for a region", nil, []string{"waiting", "--service=a", "--region=r/s", "--project=p"}, "--region must be a name alone"},
		{"a title for a project", nil, []string{"waiting", "--service=a", "--region=r", "--project=My Project"},
			"--project must be a name alone"},
		{"a host for an endpoint", nil, []string{"tail", "--service=a", "--region=r", "--project=p", "--endpoint=127.0.0.1"},
			"--endpoint must be"},
		{"no endpoint at all", nil, []string{"doctor", "--service=a", "--region=r", "--project=p", "--endpoint=://x"},
			"--endpoint must be"},
		{"an endpoint without a service", []string{"GCS_BUCKET=b"}, []string{"waiting"}, "STORAGE_EMULATOR_HOST"},
		{"no such severity", nil, []string{"doctor", "--service=orders", "--region=r", "--project=p", "--severity=bad"},
			"error, warning or cost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := call(t, c.environ, append([]string{"--endpoint=http://127.0.0.1:1"}, c.args...)...)
			if code != usage || !strings.Contains(errs, c.says) || out != "" {
				t.Errorf("exit code %d, printed %q and the error %q, which should say %q", code, out, errs, c.says)
			}
		})
	}
}

// TestWithoutProject: what cmd/local prints needs none, where all that is asked is in a bucket.
func TestWithoutProject(t *testing.T) {
	b := newBucket(t)
	b.environ = slices.DeleteFunc(b.environ, func(v string) bool { return strings.HasPrefix(v, "GOOGLE_CLOUD_PROJECT=") })
	expectCall(t, b, fine, []string{"0 of 0 keys"}, "waiting")
	expectCall(t, b, fine, []string{"0 of 0 letters"}, "letters", "list")
	expectCall(t, b, usage, []string{"GOOGLE_CLOUD_PROJECT"}, "doctor")
	expectCall(t, b, failed, []string{"GOOGLE_CLOUD_PROJECT"}, "letters", "list", "--subscription=orders")
}

// TestRefusals: where a store refuses, the error says what to do, and nothing is printed that looks like an answer.
func TestRefusals(t *testing.T) {
	b := newBucket(t)
	for status, says := range map[int]string{
		http.StatusForbidden:    "Roles in docs/operations.md",
		http.StatusUnauthorized: "gcloud auth application-default login",
	} {
		b.server.OnRequest(func(gcs.Request) gcs.Fault { return gcs.Fault{Status: status} })
		for _, args := range [][]string{{"why", "order-1"}, {"waiting"}, {"letters", "list"}, {"purge", "order-1", "--as=me", "--yes"}} {
			if out := expectCall(t, b, failed, []string{says}, args...); out != "" {
				t.Errorf("%q printed %s", args, out)
			}
		}
	}
	for text, want := range map[string]string{
		"Cloud Scheduler API has not been used in project 1 before or it is disabled": enable,
		"dialing: credentials: could not find default credentials":                    logIn,
		"have roles/run.viewer granted to you: could not find default credentials":    "",
		"connection refused": "",
	} {
		if got := advice(errors.New(text)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if got := advice(fmt.Errorf("pull: %w", status.Error(codes.PermissionDenied, "no"))); got != getRoles {
		t.Errorf("%q, want %q", got, getRoles)
	}
}

// TestHelp: help names the exit codes, the checks and the roles, and completion is there.
func TestHelp(t *testing.T) {
	wanted := append(deployed.Roles(), "--severity", "Exit code")
	for _, check := range doctor.Checks() {
		wanted = append(wanted, check.Name)
	}
	for command, wanted := range map[string][]string{
		"help": {"doctor", "completion", "--service", "--json", "  2  the command line is wrong"}, "doctor --help": wanted,
		"completion bash": {"__start_eventdriver"}, "__complete doctor --severity w": {"warning"},
		"--version": {"eventdriver version"},
	} {
		code, out, errs := call(t, nil, strings.Fields(command)...)
		for _, text := range wanted {
			if code != fine || !strings.Contains(out, text) {
				t.Errorf("%s: exit code %d; it does not say %q: %s%s", command, code, text, out, errs)
			}
		}
	}
}

// orders is a service of which some things are wrong.
func orders(t *testing.T) *googleapis.Server {
	const service = "/v2/projects/p/locations/r/services/orders"
	return googleapis.New(t, map[string]any{
		service: map[string]any{"name": service[4:],
			"template": map[string]any{"containers": []any{map[string]any{"env": []any{
				map[string]any{"name": "EVENT_SOURCES", "value": "placed"}, map[string]any{"name": "GCS_BUCKET",
					"value": "b"}}}}}},
		service + ":getIamPolicy":             map[string]any{},
		service + "/revisions":                map[string]any{},
		"/v2/projects/p/locations/r/services": map[string]any{},
		"/v1/projects/p/locations/-/triggers": map[string]any{},
		"/v1/projects/p/subscriptions":        map[string]any{},
		"/v3/projects/p":                      map[string]any{"name": "projects/1"},
		"/v3/projects/p:getIamPolicy":         map[string]any{},
		"/storage/v1/b/b": map[string]any{"versioning": map[string]any{"enabled": true},
			"iamConfiguration": map[string]any{"uniformBucketLevelAccess": map[string]any{"enabled": true}}},
		"/storage/v1/b/b/iam": map[string]any{},
		"/v1/projects/p/serviceAccounts/1-compute@developer.gserviceaccount.com": map[string]any{},
	})
}

func TestDoctorOfAService(t *testing.T) {
	args := []string{"doctor", "--service=orders", "--region=r", "--project=p", "--endpoint=" + orders(t).URL}
	code, out, errs := call(t, nil, args...)
	if code != found || errs != "" || !strings.Contains(out, "nothing in the project brings events of the source "+
		"placed") ||
		!strings.Contains(out, "roles/storage.objectUser") || !strings.Contains(out, "COST") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	code, out, errs = call(t, nil, append(args, "--json", "--severity=error")...)
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != found {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errs)
	}
	if r.Target != "projects/p/locations/r/services/orders" || r.Checks != len(doctor.Checks()) || len(r.Findings) != 2 {
		t.Errorf("%+v", r)
	}
	for _, f := range r.Findings {
		if f.Severity != doctor.Error || f.Check == "" || f.Remedy == "" {
			t.Errorf("%+v", f)
		}
	}
}

// TestDoctorOfTheEnvironment: without a service the variables of the process tell where to look.
func TestDoctorOfTheEnvironment(t *testing.T) {
	environ := []string{"GOOGLE_CLOUD_PROJECT=p", "GCS_BUCKET=b"}
	bucket := map[string]any{"iamConfiguration": map[string]any{"uniformBucketLevelAccess": map[string]any{"enabled": true}},
		"lifecycle": map[string]any{"rule": []any{rule(7, "/events/event1", "/events/event2", "/events/event3"), rule(8,
			"/claim"), rule(9, "/done")}}}
	answers := map[string]any{"/v3/projects/p": map[string]any{"name": "projects/1"},
		"/v3/projects/p:getIamPolicy": map[string]any{},
		"/storage/v1/b/b":             bucket, "/storage/v1/b/b/iam": map[string]any{}}
	server := googleapis.New(t, answers)
	if code, out, errs := call(t, environ, "doctor", "--endpoint="+server.URL); code != fine || !strings.Contains(out,
		"0 errors, 0 warnings, 0 costs") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	bucket["defaultEventBasedHold"] = true
	if code, out, errs := call(t, environ, "doctor", "--endpoint="+server.URL); code != found || !strings.Contains(out,
		"holds each new object") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
}

func rule(age int, suffixes ...string) any {
	return map[string]any{"action": map[string]any{"type": "Delete"}, "condition": map[string]any{"age": age,
		"matchesSuffix": suffixes}}
}

// TestFailures: where nothing can be said, the error says what to do.
func TestFailures(t *testing.T) {
	const service = "/v2/projects/p/locations/r/services/orders"
	for says, answers := range map[string]map[string]any{
		"gcloud run services list":              {},
		"roles/run.viewer":                      {service: googleapis.Refusal{Code: 403, Message: "no"}},
		"gcloud auth application-default login": {service: googleapis.Refusal{Code: 401, Message: "who are you"}},
		"gcloud services enable run.googleapis.com": {service: googleapis.Refusal{Code: 403,
			Message: "Cloud Run Admin API has not been used in project 1"}},
		"the API answered 500: broken": {service: googleapis.Refusal{Code: 500, Message: "broken"}},
	} {
		server := googleapis.New(t, answers)
		code, out, errs := call(t, nil, "doctor", "--service=orders", "--region=r", "--project=p", "--endpoint="+server.URL)
		if code != failed || out != "" || !strings.Contains(errs, says) {
			t.Errorf("exit code %d, printed %q and the error %q, which should say %q", code, out, errs, says)
		}
	}
}
