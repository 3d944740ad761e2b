package doctor

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	storage "google.golang.org/api/storage/v1"
)

// TestWhatGcloudDeploysIsSound reads the service's variables, memory, concurrency and timeout, and
// the bucket's rules, from the commands that deploy/gcloud.sh would run.
func TestWhatGcloudDeploysIsSound(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	for name, args := range map[string][]string{
		"by default": nil, "little memory": {"--memory=256Mi"}, "much memory": {"--memory=4Gi",
			"--env=BODY_LIMIT=33554432"},
		"another folder": {"--env=GCS_FOLDER=team/orders"},
	} {
		t.Run(name, func(t *testing.T) {
			printed, err := exec.Command(bash, append([]string{"../../deploy/gcloud.sh", "--project=shop-prod",
				"--name=orders", "--dry-run"}, args...)...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, printed)
			}
			w := byTerraform()
			deployment := flags(t, string(printed), "functions deploy")
			separator := deployment["--set-env-vars"][1:2]
			w.variables = make(map[string]string)
			for variable := range strings.SplitSeq(deployment["--set-env-vars"][3:], separator) {
				name, value, _ := strings.Cut(variable, "=")
				w.variables[name] = value
			}
			w.template().Containers[0].Resources.Limits["memory"], w.template().Timeout = deployment["--memory"],
				deployment["--timeout"]
			w.template().MaxInstanceRequestConcurrency = number(t, deployment["--concurrency"])
			rules := flags(t, string(printed), "storage buckets update")["--lifecycle-file"]
			text, err := exec.Command("cat", "../../"+rules).Output() // so that the result is cached
			if err != nil {
				t.Fatal(err)
			}
			w.bucket().Lifecycle = new(storage.BucketLifecycle)
			if err := json.Unmarshal(text, w.bucket().Lifecycle); err != nil {
				t.Fatal(err)
			}
			for _, f := range w.examine(t) {
				t.Errorf("a false alarm: %s", f)
			}
		})
	}
}

// flags returns those of the first printed command that begins with words.
func flags(t *testing.T, printed, words string) map[string]string {
	t.Helper()
	_, after, found := strings.Cut(printed, "+ gcloud "+words+" ")
	if !found {
		t.Fatalf("there is no gcloud %s in\n%s", words, printed)
	}
	command, _, _ := strings.Cut(after, "\n")
	unquoted, err := exec.Command("bash", "-c", `eval "set -- $1"; printf '%s\n' "$@"`, "bash", command).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for arg := range strings.Lines(string(unquoted)) {
		flag, value, _ := strings.Cut(strings.TrimSuffix(arg, "\n"), "=")
		all[flag] = value
	}
	return all
}

func number(t *testing.T, s string) (n int64) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &n); err != nil {
		t.Fatal(err)
	}
	return n
}
