// Package terraform has Terraform and Google's own provider apply the module to a stand-in for Google Cloud: what
// people do with a deployment over the years.
package terraform

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/internal/fake/googlecloud"
	"example.com/eventdriver/internal/repo/prove"
)

const project = "p-123456"

// root is a configuration of Terraform that calls the module, and the cloud that it is applied to.
type root struct {
	*testing.T
	cloud    *googlecloud.Cloud
	server   *httptest.Server
	dir      string
	settings string // of terraform itself: a file
	modules  map[string]googlecloud.Item
	more     googlecloud.Item // what else the configuration has
	others   []string         // what others have made
}

// inputs are those of the module.
type inputs = googlecloud.Item

// endpoints are the settings of Google's provider for the APIs that the module needs.
var endpoints = map[string]string{
	"ARTIFACT_REGISTRY": "artifactregistry/v1/", "BIG_QUERY": "bigquery/v2/", "CLOUDFUNCTIONS2": "cloudfunctions/v2/",
	"CLOUD_BILLING": "cloudbilling/v1/", "CLOUD_RUN_V2": "run/v2/", "CLOUD_SCHEDULER": "cloudscheduler/v1/",
	"EVENTARC": "eventarc/v1/", "IAM_BETA": "iam/v1/", "KMS": "kms/v1/", "MONITORING": "monitoring/",
	"PUBSUB": "pubsub/v1/", "RESOURCE_MANAGER": "cloudresourcemanager/v1/", "SECRET_MANAGER": "secretmanager/v1/",
	"SERVICE_USAGE": "serviceusage/v1/", "STORAGE": "storage/v1/",
}

// providersVariable names a folder with Google's provider and archive, as terraform providers mirror
// makes it.
const providersVariable = "TERRAFORM_PROVIDERS"

// newRoot skips a test that has no provider. Nothing is asked for from a registry.
func newRoot(t *testing.T, module inputs) *root {
	t.Helper()
	prove.Only(t, "Google's provider takes a minute")
	if os.Getenv(providersVariable) == "" {
		t.Skip(providersVariable + " names no folder of Google's provider")
	}
	t.Parallel()
	r := &root{T: t, cloud: googlecloud.New(), dir: t.TempDir(), modules: map[string]inputs{}, more: inputs{
		"provider": inputs{"google": inputs{"batching": inputs{"enable_batching": false}}}, // which waits for more
	}}
	makeOthers(r.cloud)
	r.others = r.cloud.Names()
	r.server = httptest.NewServer(r.cloud)
	t.Cleanup(r.server.Close)
	providers, err := filepath.Abs(os.Getenv(providersVariable))
	if err != nil {
		t.Fatal(err)
	}
	r.settings = filepath.Join(r.dir, "terraform.rc")
	settings := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", providers)
	if err := os.WriteFile(r.settings, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	r.modules["orders"] = r.module(module)
	r.must("init", "-no-color")
	return r
}

// module is a call of the module with what it needs, and other inputs. An absolute path would be that of a package.
func (r *root) module(others inputs) inputs {
	_, file, _, _ := runtime.Caller(0)
	source, err := filepath.Rel(r.dir, filepath.Join(filepath.Dir(file), "../../terraform"))
	if err != nil {
		r.Fatal(err)
	}
	module := inputs{"source": source, "project_id": project, "name": "orders", "settle_seconds": 0}
	maps.Copy(module, others)
	return module
}

// write writes the configuration as it is now.
func (r *root) write() {
	r.Helper()
	configuration := maps.Clone(r.more)
	configuration["module"] = r.modules
	text, err := json.MarshalIndent(configuration, "", "  ")
	if err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "main.tf.json"), text, 0o600); err != nil {
		r.Fatal(err)
	}
}

// run runs terraform and returns what it prints and its exit code.
func (r *root) run(args ...string) (string, int) {
	r.Helper()
	r.write()
	command := exec.Command("terraform", args...)
	command.Dir = r.dir
	command.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+r.settings, "TF_IN_AUTOMATION=1", "TF_INPUT=0",
		"CHECKPOINT_DISABLE=1", "GOOGLE_OAUTH_ACCESS_TOKEN=fake", "GOOGLE_PROJECT="+project)
	for api, folder := range endpoints {
		command.Env = append(command.Env, "GOOGLE_"+api+"_CUSTOM_ENDPOINT="+r.server.URL+"/"+folder)
	}
	output, err := command.CombinedOutput()
	exit := (*exec.ExitError)(nil)
	if err != nil && !errors.As(err, &exit) {
		r.Fatal(err)
	}
	return string(output), command.ProcessState.ExitCode()
}

func (r *root) must(args ...string) string {
	r.Helper()
	output, code := r.run(args...)
	if code != 0 {
		r.Fatalf("terraform %s:\n%s", strings.Join(args, " "), tail(output))
	}
	return output
}

// apply applies, and plans again: nothing is left to do.
func (r *root) apply() {
	r.Helper()
	r.must("apply", "-no-color", "-auto-approve")
	r.settled()
}

func (r *root) settled() {
	r.Helper()
	if output, code := r.run("plan", "-no-color", "-detailed-exitcode"); code != 0 {
		_, changes, _ := strings.Cut(output, "Terraform will perform")
		r.Errorf("the second plan is not empty:\n%s", cmp.Or(changes, output))
	}
}

// refused expects that a command fails with this text, and that nothing has changed.
func (r *root) refused(want string, args ...string) {
	r.Helper()
	r.cloud.Writes()
	output, code := r.run(append(args, "-no-color")...)
	if code == 0 || !strings.Contains(strings.Join(strings.Fields(output), " "), want) {
		r.Errorf("terraform %s must fail and say %q:\n%s", args[0], want, output)
	}
	if writes := r.cloud.Writes(); len(writes) > 0 {
		r.Errorf("terraform %s was refused after these changes:\n%s", args[0], strings.Join(writes, "\n"))
	}
}

// set changes inputs of the first module; nil takes one away.
func (r *root) set(changes inputs) {
	maps.Copy(r.modules["orders"], changes)
	maps.DeleteFunc(r.modules["orders"], func(_ string, value any) bool { return value == nil })
}

// destroy destroys everything, and returns what is left but APIs.
func (r *root) destroy() []string {
	r.Helper()
	r.must("destroy", "-no-color", "-auto-approve")
	return slices.DeleteFunc(r.cloud.Names(), func(name string) bool {
		return strings.HasPrefix(name, "serviceusage/") || strings.HasPrefix(name, "agent/")
	})
}

// tail is what went wrong, where that is said.
func tail(output string) string {
	if _, after, ok := strings.Cut(output, "\nError: "); ok {
		return "Error: " + after
	}
	return output
}
