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
)

// script runs gcloud.sh with a gcloud that writes down how it is called, and that
// finds what it is asked to describe if exists is true. It returns what the script
// printed and the calls.
func script(t *testing.T, exists bool, args ...string) (printed string, calls []string) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	dir := t.TempDir()
	record := filepath.Join(dir, "calls")
	fake := fmt.Sprintf("#!%s\nprintf '%%q ' \"$@\" | sed 's/ $//' >>%q\necho >>%q\ncase \" $* \" in *' describe '*) %v ;; esac\n", bash, record, record, exists)
	if err := os.WriteFile(filepath.Join(dir, "gcloud"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bash, append([]string{"gcloud.sh", "--project=my-project-123"}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("gcloud.sh %q: %v\n%s", args, err, out)
	}
	text, err := os.ReadFile(record)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(out), slices.Collect(strings.Lines(string(text)))
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
	printed, calls := script(t, false, "--dry-run")
	if len(calls) != 0 {
		t.Errorf("a dry run called gcloud %q", calls)
	}
	_, really := script(t, false)
	if got, want := shown(printed), changes(really); !slices.Equal(got, want) {
		t.Errorf("a dry run shows\n%s\nbut what is run is\n%s", strings.Join(got, ""), strings.Join(want, ""))
	}
}

func TestOneFunctionThreeTriggersNobodyElse(t *testing.T) {
	printed, _ := script(t, false, "--dry-run", "--name=orders")
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
			fmt.Sprintf("create orders-event%d ", i+1), "--destination-run-service=orders ",
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
	_, calls := script(t, true)
	for _, call := range calls {
		if strings.Contains(call, " create ") {
			t.Errorf("it is there, and is created again: %s", call)
		}
	}
	if len(with(calls, "functions deploy")) != 1 {
		t.Error("the function must be deployed again: its source may have changed")
	}
}

func TestDestroyRemovesWhatWasCreated(t *testing.T) {
	_, there := script(t, true, "--destroy")
	if n := len(with(there, "eventarc triggers delete")); n != 3 {
		t.Errorf("%d triggers are deleted, want 3", n)
	}
	_, gone := script(t, false, "--destroy")
	for _, call := range gone {
		if strings.Contains(call, " delete ") {
			t.Errorf("it is not there, and is deleted: %s", call)
		}
	}
}

func TestSettingsReachTheFunction(t *testing.T) {
	printed, _ := script(t, false, "--dry-run", "--name=orders", "--sources=placed:orders-created,packed", "--output-topic=complete", "--env=LOG_LEVEL=debug,LEASE=2m")
	deployed := strings.ReplaceAll(strings.Join(with(shown(printed), "functions deploy"), ""), `\`, "")
	for _, want := range []string{
		"EVENT_SOURCES=placed,packed;", "SOURCE_ALIASES=placed:orders-created,packed:orders-packed;", "GCS_BUCKET=my-project-123-orders-events;",
		"OUTPUT_TOPIC=projects/my-project-123/topics/complete;", "DEAD_LETTER_TOPIC=projects/my-project-123/topics/orders-dead-letters;",
		"CLOUD_RUN_TIMEOUT_SECONDS=60;", "LOG_LEVEL=debug;LEASE=2m", "--entry-point=EventDriver ", "--no-allow-unauthenticated ",
	} {
		if !strings.Contains(deployed, want) {
			t.Errorf("%s\nlacks %s", deployed, want)
		}
	}
}

func TestOtherTasks(t *testing.T) {
	for task, want := range map[string]string{
		"--revisions":                       "run revisions list --service=event-driver",
		"--rollback=event-driver-00001-abc": "run services update-traffic event-driver --project=my-project-123 --region=europe-west1 --to-revisions=event-driver-00001-abc=100",
		"--letters":                         "pubsub subscriptions pull event-driver-dead-letters",
	} {
		if _, calls := script(t, true, task); len(calls) != 1 || !strings.HasPrefix(calls[0], want) {
			t.Errorf("%s: %q, want %s", task, calls, want)
		}
	}
}

func TestBadArgumentsAreRefused(t *testing.T) {
	for _, arg := range []string{"--project=Project", "--name=Orders", "--region=europe", "--sources=a b", "--sources=e:x/y", "--rollback=other-1", "--what"} {
		out, err := exec.Command("bash", "gcloud.sh", "--project=my-project-123", "--dry-run", arg).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "gcloud.sh: ") {
			t.Errorf("%s: %v %s", arg, err, out)
		}
	}
}

func TestScriptsPassShellcheck(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("shellcheck is not installed")
	}
	out, err := exec.Command("shellcheck", "gcloud.sh", "build.sh", "terraform.sh", "../.ci/run").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// documented is a command of the guide: a line of a shell block.
var documented = regexp.MustCompile("(?m)^(deploy/[a-z]+\\.sh[^\n]*|gcloud [^\n]*)$")

// TestCommandsOfTheGuideAreThoseOfTheScripts runs each call of gcloud.sh that
// docs/deploy.md gives, dry, and finds each command of gcloud's in what that prints.
func TestCommandsOfTheGuideAreThoseOfTheScripts(t *testing.T) {
	guide, err := os.ReadFile("../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	commands := documented.FindAllString(strings.ReplaceAll(string(guide), "PROJECT", "my-project-123"), -1)
	if len(commands) < 5 {
		t.Fatalf("docs/deploy.md gives the commands %q only", commands)
	}
	for _, command := range commands {
		fields := strings.Fields(command)
		if fields[0] != "deploy/gcloud.sh" {
			continue
		}
		out, err := exec.Command("bash", append(append([]string{"gcloud.sh"}, fields[1:]...), "--dry-run")...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
		printed.Write(out)
	}
	for _, command := range commands {
		if strings.HasPrefix(command, "gcloud ") && !strings.Contains(printed.String(), command) {
			t.Errorf("docs/deploy.md: no script prints %s", command)
		}
	}
}
