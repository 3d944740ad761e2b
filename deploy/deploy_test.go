package deploy

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver"
)

// What the fake gcloud says of what it is asked to describe.
const (
	exists = `case " $* " in *pubsub.topic*) echo projects/my-project-123/topics/$4 ;; esac` // of a trigger, its own
	absent = "{ echo 'ERROR: NOT_FOUND: Resource not found' >&2; exit 1; }"
	denied = "{ echo 'ERROR: PERMISSION_DENIED: ask somebody' >&2; exit 1; }"
)

// script runs gcloud.sh with a gcloud that writes down how it is called, and that
// answers whatever it is asked to describe with answer. It returns what the script
// printed and the calls.
func script(t *testing.T, answer string, args ...string) (printed string, calls []string) {
	t.Helper()
	printed, calls, err := try(t, answer, args...)
	if err != nil {
		t.Fatalf("gcloud.sh %q: %v\n%s", args, err, printed)
	}
	return printed, calls
}

func try(t *testing.T, answer string, args ...string) (printed string, calls []string, err error) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	dir := t.TempDir()
	record := filepath.Join(dir, "calls")
	fake := fmt.Sprintf("#!%s\nprintf '%%q ' \"$@\" | sed 's/ $//' >>%q\necho >>%q\ncase \" $* \" in *' describe '*) %s ;; esac\n", bash, record, record, answer)
	if err := os.WriteFile(filepath.Join(dir, "gcloud"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bash, append([]string{"gcloud.sh", "--project=my-project-123"}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, failed := cmd.CombinedOutput()
	text, err := os.ReadFile(record)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(out), slices.Collect(strings.Lines(string(text))), failed
}

// shown returns the commands that a script printed, without the name gcloud.
func shown(printed string) (commands []string) {
	for line := range strings.Lines(printed) {
		if command, ok := strings.CutPrefix(line, "+ gcloud "); ok {
			commands = append(commands, command)
		}
	}
	return commands
}

// with returns the commands that begin with words.
func with(commands []string, words string) []string {
	return slices.DeleteFunc(slices.Clone(commands), func(c string) bool { return !strings.HasPrefix(c, words+" ") })
}

var lookups = regexp.MustCompile(`\bdescribe\b`)

func changes(calls []string) []string {
	return slices.DeleteFunc(slices.Clone(calls), lookups.MatchString)
}

func TestDryRunRunsNothingAndShowsAll(t *testing.T) {
	printed, calls := script(t, absent, "--dry-run")
	if len(calls) != 0 {
		t.Errorf("a dry run called gcloud %q", calls)
	}
	_, really := script(t, whereItIs)
	planned := strings.ReplaceAll(strings.Join(shown(printed), ""), urlOfDryRun, theURL)
	if got, want := planned, strings.Join(changes(really), ""); got != want {
		t.Errorf("a dry run shows\n%s\nbut what is run is\n%s", got, want)
	}
}

func TestOneFunctionThreeTriggersNobodyElse(t *testing.T) {
	printed, _ := script(t, absent, "--dry-run", "--name=orders")
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
	if grants := with(commands, "projects add-iam-policy-binding"); len(grants) != 1 || !strings.Contains(grants[0], "roles/eventarc.eventReceiver") {
		t.Errorf("grants on the project: %q, want Eventarc's alone", grants)
	}
}

func TestSecondRunCreatesNothing(t *testing.T) {
	_, calls := script(t, exists)
	for _, call := range calls {
		if strings.Contains(call, " create ") {
			t.Errorf("it is there, and is created again: %s", call)
		}
	}
	if len(with(calls, "functions deploy")) != 1 {
		t.Error("the function must be deployed again: its source may have changed")
	}
}

// Triggers from before the paths get theirs.
func TestTriggersThatExistGetTheirPaths(t *testing.T) {
	_, calls := script(t, exists, "--name=orders", "--sources=placed,paid")
	for _, event := range []string{"placed", "paid"} {
		want := fmt.Sprintf("eventarc triggers update orders-%s --project=my-project-123 --location=europe-west1 --destination-run-path=/events/%[1]s\n", event)
		if !slices.Contains(calls, want) {
			t.Errorf("%q\nlacks %s", with(calls, "eventarc triggers"), want)
		}
	}
	_, calls = script(t, exists+`; case " $* " in *cloudRun.path*) echo /events/placed ;; esac`, "--sources=placed,paid")
	if updates := with(calls, "eventarc triggers update"); len(updates) != 1 || !strings.Contains(updates[0], " event-driver-paid ") {
		t.Errorf("%q; want the one trigger updated whose path is another", updates)
	}
}

// A trigger keeps its topic: the script must not say that events come from another.
func TestOtherTopicsAreRefusedBeforeAnyChange(t *testing.T) {
	printed, calls, err := try(t, exists, "--name=orders", "--sources=placed:orders-created")
	if err == nil || !strings.Contains(printed, "orders-placed has the topic projects/my-project-123/topics/orders-placed,") ||
		!strings.Contains(printed, "gcloud eventarc triggers delete orders-placed ") {
		t.Errorf("%v: %s", err, printed)
	}
	if made := changes(calls); len(made) != 1 || len(with(made, "services enable")) != 1 {
		t.Errorf("%q; want only APIs enabled, without which it can't be looked up", made)
	}
}

// A topic that is called like another event is no alias: it would mean both, and the
// function would not start.
func TestAliasesMeanOneEvent(t *testing.T) {
	printed, _ := script(t, absent, "--dry-run", "--sources=paid:packed,packed:parcels")
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
		printed, _ := script(t, absent, append(args, "--dry-run")...)
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
		"must be 1 to 1000":         {"--memory=8Gi", "--concurrency=0"},
		"must be a number of bytes": {"--env=BODY_LIMIT=10MB"},
	} {
		if printed, calls, err := try(t, absent, args...); err == nil || len(calls) > 0 || !strings.Contains(printed, want) {
			t.Errorf("%q: %v, %d calls, and it said %s; want %s", args, err, len(calls), printed, want)
		}
	}
}

func TestDestroyRemovesWhatWasCreated(t *testing.T) {
	_, there := script(t, exists, "--destroy")
	if n := len(with(there, "eventarc triggers delete")); n != 3 {
		t.Errorf("%d triggers are deleted, want 3", n)
	}
	_, gone := script(t, absent, "--destroy")
	for _, call := range gone {
		if strings.Contains(call, " delete ") {
			t.Errorf("it is not there, and is deleted: %s", call)
		}
	}
}

// TestFailuresAreNotTakenForAbsence: what can't be looked at is not created again, nor
// left out silently when all is destroyed.
func TestFailuresAreNotTakenForAbsence(t *testing.T) {
	for _, args := range [][]string{nil, {"--destroy"}} {
		printed, calls, err := try(t, denied, args...)
		if err == nil || !strings.Contains(printed, "PERMISSION_DENIED: ask somebody") {
			t.Errorf("%q: %v, and it said %s", args, err, printed)
		}
		for _, call := range calls {
			if strings.Contains(call, " create ") || strings.Contains(call, " delete ") {
				t.Errorf("%q: %s", args, call)
			}
		}
	}
}

// TestValuesAreTakenAsTheyAre: gcloud splits the list of variables at a separator, so
// that must be in none of them.
func TestValuesAreTakenAsTheyAre(t *testing.T) {
	for _, odd := range []string{"a,b", "a;b", "a;b|c", "a b", "'", `"`, "$HOME", "a=b", "é", "*", `\`, "^"} {
		printed, _ := script(t, absent, "--dry-run", "--env=ODD="+odd, "--env=NEXT=1")
		list := variablesOf(t, printed)
		if !slices.Contains(list, "ODD="+odd) || !slices.Contains(list, "NEXT=1") {
			t.Errorf("%q became %q", odd, list)
		}
	}
	if printed, _ := script(t, absent, "--dry-run", "--env=MAX_EVENT_AGE=2h"); strings.Contains(printed, "MAX_EVENT_AGE=20h") {
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
		printed, _ := script(t, absent, append(args, "--dry-run")...)
		environ := variablesOf(t, printed)
		_, err := configOf(environ)
		if unknown := eventdriver.UnknownVariables(environ); err != nil || len(unknown) > 0 {
			t.Errorf("%q: %v, %q; the variables are %q", args, err, unknown, environ)
		}
	}
}

func TestSettingsReachTheFunction(t *testing.T) {
	printed, _ := script(t, absent, "--dry-run", "--name=orders", "--sources=placed:orders-created,packed", "--output-topic=complete", "--env=LOG_LEVEL=debug", "--env=LEASE=2m")
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
	printed, _ := script(t, absent, "--dry-run")
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
		if _, calls := script(t, exists, task); len(calls) != 1 || !strings.HasPrefix(calls[0], want) {
			t.Errorf("%s: %q, want %s", task, calls, want)
		}
	}
}

func TestBadArgumentsAreRefused(t *testing.T) {
	for _, arg := range []string{"--project=Project", "--name=Orders", "--name=google-orders", "--region=europe", "--sources=a b", "--sources=e:x/y", "--rollback=other-1", "--what",
		"--sources=", "--sources=a,b,a", "--sources=a:topic,b:topic", "--output-topic=projects/p/topics/t", "--env=LEASE", "--env=1A=x",
		"--env=GCS_BUCKET=x", "--env=BIGQUERY_DATASET=x", "--env=EVENT_STORE=memory", "--env=PORT=1", "--env=K_SERVICE=x", "--env=A=;|#~@", "--env=GCS_FOLDER=a|b", "--env=GCS_FOLDER=/a", "--memory=1", "--memory=Mi", "--concurrency=x"} {
		out, err := exec.Command("bash", "gcloud.sh", "--project=my-project-123", "--dry-run", arg).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "gcloud.sh: ") {
			t.Errorf("%s: %v %s", arg, err, out)
		}
	}
}
