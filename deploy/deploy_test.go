package deploy

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver"
)

func TestDryRunRunsNothingAndShowsAll(t *testing.T) {
	printed, calls := script(t, "--dry-run")
	if len(calls) != 0 {
		t.Errorf("a dry run called gcloud %q", calls)
	}
	_, really := script(t)
	if got, want := planned(printed), strings.Join(changes(really), ""); got != want {
		t.Errorf("a dry run shows\n%s\nbut what is run is\n%s", got, want)
	}
}

func TestOneFunctionThreeTriggersNobodyElse(t *testing.T) {
	printed, _ := script(t, "--dry-run", "--name=orders")
	commands := shown(printed)
	if n := len(with(commands, "functions deploy")); n != 1 {
		t.Errorf("%d functions are deployed, want 1", n)
	}
	triggers := with(commands, "eventarc triggers create")
	if len(triggers) != 3 {
		t.Fatalf("%d triggers are created, want 3", len(triggers))
	}
	for i, trigger := range triggers {
		for _, want := range []string{
			fmt.Sprintf("create orders-event%d ", i+1), "--destination-run-service=orders ", fmt.Sprintf("--destination-run-path=/events/event%d ", i+1),
			"--event-filters=type=google.cloud.pubsub.topic.v1.messagePublished ",
			fmt.Sprintf("--transport-topic=projects/my-project-123/topics/orders-event%d ", i+1),
			"--service-account=orders-trigger@my-project-123.iam.gserviceaccount.com",
		} {
			if !strings.Contains(trigger, want) {
				t.Errorf("%s lacks %s", trigger, want)
			}
		}
	}
	for _, public := range []string{"allUsers", "allAuthenticatedUsers", " --allow-unauthenticated", "roles/editor", "roles/owner"} {
		if strings.Contains(printed, public) {
			t.Errorf("the commands contain %s", public)
		}
	}
	grants := with(commands, "projects add-iam-policy-binding")
	for i, want := range []string{"-trigger@my-project-123.iam.gserviceaccount.com --role=roles/eventarc.eventReceiver ", "-build@my-project-123.iam.gserviceaccount.com --role=roles/logging.logWriter ", "-build@my-project-123.iam.gserviceaccount.com --role=roles/storage.objectViewer --condition="} {
		if len(grants) != 3 || !strings.Contains(grants[i], want) {
			t.Errorf("grants on the project: %q, want %q as number %d of 3", grants, want, i+1)
		}
	}
}

// A topic that is called like another event is no alias: it would mean both, and the
// function would not start.
func TestAliasesMeanOneEvent(t *testing.T) {
	printed, _ := script(t, "--dry-run", "--sources=paid:packed,packed:parcels")
	if deployed := strings.ReplaceAll(with(shown(printed), "functions deploy")[0], `\`, ""); !strings.Contains(deployed, "SOURCE_ALIASES=packed:parcels;") {
		t.Errorf("%s\nwants packed:parcels as the one alias", deployed)
	}
}

func TestConcurrencyFollowsFromMemory(t *testing.T) {
	for want, args := range map[string][]string{
		"--memory=512Mi --cpu=1 --timeout=60s --concurrency=80 ":    nil,
		"--memory=256Mi --cpu=1 --timeout=60s --concurrency=32 ":    {"--memory=256Mi"},
		"--memory=4Gi --cpu=1 --timeout=60s --concurrency=80 ":      {"--memory=4Gi"},
		"--memory=512Mi --cpu=1 --timeout=60s --concurrency=96 ":    {"--concurrency=96"},
		"--memory=4Gi --cpu=1 --timeout=60s --concurrency=992 ":     {"--memory=4Gi", "--concurrency=992"},
		"--memory=132Mi --cpu=1 --timeout=60s --concurrency=1 ":     {"--memory=132Mi", "--env=BODY_LIMIT=500000"},
		"--memory=2Gi --cpu=1 --timeout=60s --concurrency=80 --max": {"--memory=2Gi", "--env=BODY_LIMIT=33554432"},
	} {
		printed, _ := script(t, append(args, "--dry-run")...)
		if deployed := with(shown(printed), "functions deploy")[0]; !strings.Contains(deployed, want) {
			t.Errorf("%q: %s\nlacks %s", args, deployed, want)
		}
	}
	for want, args := range map[string][]string{
		"--concurrency=97 needs --memory=516Mi: 512Mi is enough for 96": {"--concurrency=97"},
		"--concurrency=80 needs --memory=448Mi: 256Mi is enough for 32": {"--memory=256Mi", "--concurrency=80"},
		"which needs 215Mi":         {"--memory=128Mi"},
		"which needs 513Mi":         {"--env=BODY_LIMIT=33554432"},
		"must be in Mi or Gi":       {"--memory=512M"},
		"must be 1 to 1000":         {"--memory=4Gi", "--concurrency=0"},
		"must be 4Gi at most":       {"--memory=5Gi"},
		"must be a number of bytes": {"--env=BODY_LIMIT=10MB"},
	} {
		if printed, calls, err := try(t, args...); err == nil || len(calls) > 0 || !strings.Contains(printed, want) {
			t.Errorf("%q: %v, %d calls, and it said %s; want %s", args, err, len(calls), printed, want)
		}
	}
}

// TestValuesAreTakenAsTheyAre: gcloud splits the list of variables at a separator, so
// that must be in none of them.
func TestValuesAreTakenAsTheyAre(t *testing.T) {
	for _, odd := range []string{"a,b", "a;b", "a;b|c", "a b", "'", `"`, "$HOME", "a=b", "é", "*", `\`, "^"} {
		printed, _ := script(t, "--dry-run", "--env=ODD="+odd, "--env=NEXT=1")
		list := variablesOf(t, printed)
		if !slices.Contains(list, "ODD="+odd) || !slices.Contains(list, "NEXT=1") {
			t.Errorf("%q became %q", odd, list)
		}
	}
	if printed, _ := script(t, "--dry-run", "--env=MAX_EVENT_AGE=2h"); strings.Contains(printed, "MAX_EVENT_AGE=20h") {
		t.Error("MAX_EVENT_AGE is set twice")
	}
}

// variablesOf returns the variables that the printed commands give to the function.
func variablesOf(t *testing.T, printed string) []string {
	t.Helper()
	unquoted, err := exec.Command("bash", "-c", `eval "set -- $1"; for a; do case $a in --set-env-vars=*) printf %s "$a" ;; esac; done`,
		"bash", with(shown(printed), "functions deploy")[0]).Output()
	if err != nil {
		t.Fatal(err)
	}
	separator := strings.Split(string(unquoted), "^")[1]
	return strings.Split(strings.SplitN(string(unquoted), "^", 3)[2], separator)
}

// What the script deploys does not refuse to start, and knows what it is told.
func TestFunctionStartsWithItsVariables(t *testing.T) {
	for _, args := range [][]string{
		nil,
		{"--sources=placed,paid:payments,packed:parcels", "--output-topic=complete"},
		{"--sources=paid:packed,packed:parcels,parcels:paid"}, // topics that are called like other events
		{"--sources=a", "--memory=4Gi", "--env=BODY_LIMIT=33554432", "--env=KEY_POINTER=a:/id", "--env=GCS_FOLDER=team/orders"},
	} {
		printed, _ := script(t, append(args, "--dry-run")...)
		environ := variablesOf(t, printed)
		_, err := configOf(environ)
		if unknown := eventdriver.UnknownVariables(environ); err != nil || len(unknown) > 0 {
			t.Errorf("%q: %v, %q; the variables are %q", args, err, unknown, environ)
		}
	}
}

func TestSettingsReachTheFunction(t *testing.T) {
	printed, _ := script(t, "--dry-run", "--name=orders", "--sources=placed:orders-created,packed", "--output-topic=complete", "--env=LOG_LEVEL=debug", "--env=LEASE=2m")
	deployed := strings.ReplaceAll(strings.Join(with(shown(printed), "functions deploy"), ""), `\`, "")
	for _, want := range []string{
		"EVENT_SOURCES=placed,packed;", "SOURCE_ALIASES=placed:orders-created,packed:orders-packed;", "GCS_BUCKET=my-project-123-orders-events;",
		"OUTPUT_TOPIC=projects/my-project-123/topics/complete;", "DEAD_LETTER_TOPIC=projects/my-project-123/topics/orders-dead-letters;",
		"CLOUD_RUN_TIMEOUT_SECONDS=60;", "MAX_EVENT_AGE=20h;", "GOMEMLIMIT=512MiB;", "LOG_LEVEL=debug;LEASE=2m", "--entry-point=EventDriver ", "--no-allow-unauthenticated ",
	} {
		if !strings.Contains(deployed, want) {
			t.Errorf("%s\nlacks %s", deployed, want)
		}
	}
}

// TestLettersCanBeReadInPeace: those who look at letters have as long as with Terraform.
func TestLettersCanBeReadInPeace(t *testing.T) {
	printed, _ := script(t, "--dry-run")
	created := strings.Join(with(shown(printed), "pubsub subscriptions create event-driver-dead-letters"), "")
	if !strings.Contains(created, " --ack-deadline=60 ") {
		t.Errorf("%q has no deadline of 60 s", created)
	}
}

func TestOtherTasks(t *testing.T) {
	for task, want := range map[string]string{
		"--revisions":                       "run revisions list --service=event-driver",
		"--rollback=event-driver-00001-abc": "run services update-traffic event-driver --project=my-project-123 --region=europe-west1 --to-revisions=event-driver-00001-abc=100",
		"--letters":                         "pubsub subscriptions pull event-driver-dead-letters",
	} {
		if _, calls := script(t, task); len(calls) != 1 || !strings.HasPrefix(calls[0], want) {
			t.Errorf("%s: %q, want %s", task, calls, want)
		}
	}
}

func TestBadArgumentsAreRefused(t *testing.T) {
	for _, arg := range []string{"--project=Project", "--name=Orders", "--name=google-orders", "--region=europe", "--sources=e:x/y", "--rollback=other-1", "--what",
		"--sources=", "--sources=a,b,a", "--sources=dead-letters", "--sources=a:done --output-topic=done", "--output-topic=event-driver-dead-letters", "--sources=a:topic,b:topic", "--output-topic=projects/p/topics/t", "--env=LEASE", "--env=1A=x",
		"--env=GCS_BUCKET=x", "--env=BIGQUERY_DATASET=x", "--env=EVENT_STORE=memory", "--env=PORT=1", "--env=K_SERVICE=x", "--env=A=;|#~@", "--sources=a_b", "--env=GCS_FOLDER=a|b", "--env=GCS_FOLDER=/a", "--memory=1", "--memory=Mi", "--concurrency=x",
		"--sources=a,\nb", "--sources=a-",
		"--sources=a:goog-topic", "--output-topic=goog-topic"} {
		out, err := exec.Command("bash", append([]string{"gcloud.sh", "--project=my-project-123", "--dry-run"}, strings.Split(arg, " ")...)...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "gcloud.sh: ") {
			t.Errorf("%s: %v %s", arg, err, out)
		}
	}
}
