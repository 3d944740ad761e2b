package doctor

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	scheduler "google.golang.org/api/cloudscheduler/v1"
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
		"another folder": {"--env=GCS_FOLDER=team/orders"}, "a deadline": {"--env=JOIN_DEADLINE=24h"},
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
			w.sweepOf(t, string(printed))
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

// sweepOf has the callers that the printed commands allow, and the job that they make, if any.
func (w *world) sweepOf(t *testing.T, printed string) {
	var invokers []string
	for _, command := range strings.Split(printed, "+ gcloud run services add-iam-policy-binding ")[1:] {
		_, member, _ := strings.Cut(command, "--member=")
		invokers = append(invokers, strings.Fields(member)[0])
		w.accounts = append(w.accounts, strings.TrimPrefix(invokers[len(invokers)-1], "serviceAccount:"))
	}
	w.policies[target.String()] = []binding{grant("roles/run.invoker", invokers...)}
	if w.variables["JOIN_DEADLINE"] == "" {
		return
	}
	job := flags(t, strings.ReplaceAll(printed, "PROJECT_NUMBER", "424242"), "scheduler jobs create http")
	w.job = &scheduler.Job{Name: "orders-sweep", State: "ENABLED", HttpTarget: &scheduler.HttpTarget{
		Uri: job["--uri"], HttpMethod: job["--http-method"],
		OidcToken: &scheduler.OidcToken{ServiceAccountEmail: job["--oidc-service-account-email"], Audience: job["--oidc-token-audience"]},
	}}
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
