package deploy

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/eventdriver/internal/repo/prove"
)

// TestFakePrintsWhatGcloudPrints has the real gcloud look at what the fake one has, by Google's REST
// API, and compares what they print of it, and of what is not there.
func TestFakePrintsWhatGcloudPrints(t *testing.T) {
	prove.Only(t, "asks the gcloud that is installed, for half a minute")
	gcloud, err := exec.LookPath("gcloud")
	if err != nil {
		t.Skip("gcloud is not installed")
	}
	c, empty := newCloud(t), newCloud(t)
	_, calls := c.script("--output-topic=done")
	server := httptest.NewServer(http.HandlerFunc(c.serve))
	defer server.Close()
	asked := make(map[string]bool)
	var both []func()
	for _, call := range calls {
		if !lookups.MatchString(call) || strings.HasPrefix(call, "run ") || asked[kindOf(call)] { // Cloud Run's host has the region in it
			continue
		}
		asked[kindOf(call)] = true
		for _, there := range []*cloud{c, empty} {
			forged, _, failed := there.run(exec.Command("bash", "-c", "gcloud "+call))
			both = append(both, func() {
				printed, err := really(t, gcloud, call, server.URL, there == c)
				switch {
				case (err == nil) != (failed == nil), err == nil && strings.Contains(call, "--format=") && printed != forged:
					t.Errorf("gcloud %sprints %q, %v, and the fake %q, %v", call, printed, err, forged, failed)
				case err != nil && !(absent(t, printed) && absent(t, forged)):
					t.Errorf("gcloud %ssays %q, and the fake %q: want both to say that it is not there", call, printed, forged)
				}
			})
		}
	}
	var wait sync.WaitGroup
	slots := make(chan struct{}, 2)
	for _, ask := range both { // the fake has been asked, so the world stays as it is
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ask()
		})
	}
	wait.Wait()
	if len(asked) < 12 {
		t.Errorf("the script asks %q only", slices.Sorted(maps.Keys(asked)))
	}
}

// kindOf returns a command without what it is about.
func kindOf(call string) string {
	words, _, _ := strings.Cut(call, " --")
	_, format, _ := strings.Cut(call, " --format=")
	return path.Dir(strings.ReplaceAll(words, " ", "/")) + format
}

// absent says whether the script takes an error for one of something that is not there.
func absent(t *testing.T, message string) bool {
	file := filepath.Join(t.TempDir(), "errors")
	if err := os.WriteFile(file, []byte(message), 0o644); err != nil {
		t.Error(err)
	}
	return exec.Command("bash", "-c", ". gcloud/ask.sh && errors="+file+" && absent").Run() == nil
}

// really runs the real gcloud, and returns what it prints, or its errors.
func really(t *testing.T, gcloud, call, url string, there bool) (printed string, err error) {
	if !there {
		url += "/none"
	}
	cmd := exec.Command("bash", "-c", gcloud+" "+call)
	cmd.Env = append(os.Environ(), "CLOUDSDK_CONFIG="+t.TempDir(), "CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true", "CLOUDSDK_CORE_DISABLE_PROMPTS=1",
		"CLOUDSDK_CORE_CHECK_GCE_METADATA=false", "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE="+url+"/storage/v1/")
	for _, api := range []string{"PUBSUB", "EVENTARC", "CLOUDFUNCTIONS", "IAM", "CLOUDRESOURCEMANAGER", "ARTIFACTREGISTRY", "CLOUDSCHEDULER"} {
		cmd.Env = append(cmd.Env, "CLOUDSDK_API_ENDPOINT_OVERRIDES_"+api+"="+url+"/")
	}
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return said.String(), err
	}
	return string(out), nil
}

// serve answers as Google's REST API does, of what the fake gcloud has.
func (c *cloud) serve(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/v1/"), "/v2/")
	name = strings.TrimPrefix(strings.Replace(name, "projects/-/", "projects/my-project-123/", 1), "/storage/v1/b/")
	list := []any{}
	for _, thing := range c.world().Things {
		is, _ := thing["name"].(string)
		account, isAccount := strings.CutPrefix(name, "projects/my-project-123/serviceAccounts/")
		if is == name || isAccount && is != "" && is == "projects/my-project-123/serviceAccounts/"+strings.Split(account, "@")[0] {
			answer(w, only(thing))
			return
		}
		if strings.HasPrefix(is, strings.TrimSuffix(name, "-/functions")) && strings.Contains(is, "/"+path.Base(name)+"/") {
			list = append(list, only(thing))
		}
	}
	switch {
	case name == "projects/my-project-123":
		answer(w, map[string]any{"projectId": "my-project-123", "projectNumber": "123456789012"})
	case strings.HasPrefix(name, "/none/") && slices.Contains([]string{"topics", "triggers", "functions"}, path.Base(name)):
		answer(w, map[string]any{})
	case len(list) > 0:
		slices.SortFunc(list, func(a, b any) int {
			return strings.Compare(a.(map[string]any)["name"].(string), b.(map[string]any)["name"].(string))
		})
		answer(w, map[string]any{path.Base(name): list})
	case name == "/none/v1/projects/my-project-123":
		answer(w, map[string]any{"projectId": "my-project-123", "projectNumber": "123456789012"})
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error": {"code": 404, "message": "Resource not found.", "status": "NOT_FOUND"}}`))
	}
}

// only returns those fields of a thing that the script looks at, in Google's types.
func only(thing map[string]any) map[string]any {
	fields := map[string]any{"environment": "GEN_2"}
	for _, field := range []string{"name", "location", "topic", "ackDeadlineSeconds", "messageRetentionDuration", "labels", "destination", "transport", "serviceAccount", "eventFilters"} {
		if value, ok := thing[field]; ok {
			fields[field] = value
		}
	}
	if service, ok := thing["serviceConfig"].(map[string]any); ok {
		fields["serviceConfig"] = map[string]any{"environmentVariables": service["environmentVariables"]}
	}
	return fields
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
