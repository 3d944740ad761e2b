package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/internal/repo/gcloud"
	"example.com/eventdriver/internal/repo/markdown"
	"example.com/eventdriver/internal/repo/prove"
)

// The tests of the scripts against what else knows them: shellcheck, the real gcloud, and the
// guide in docs/deploy.md.

func TestScriptsPassShellcheck(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("shellcheck is not installed")
	}
	scripts, err := filepath.Glob("*.sh")
	if err != nil || len(scripts) < 3 {
		t.Fatalf("found the scripts %q, %v", scripts, err)
	}
	out, err := exec.Command("shellcheck", append(append([]string{"-x", "--source-path=.."}, scripts...), "../.ci/run", "../internal/fake/bqemulator/build", "../internal/fake/bqemulator/with")...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestGcloudKnowsTheCommands has the real gcloud read each kind of command that the
// script prints. Without an account, and with no way to Google, it gets no further
// than to ask for one, unless there is something in the command that it does not know.
func TestGcloudKnowsTheCommands(t *testing.T) {
	prove.Only(t, "asks the gcloud that is installed, for half a minute")
	if kinds := gcloud.Knows(t, "..", everyKind(t)); kinds < 40 {
		t.Errorf("the script prints %d kinds of commands only", kinds)
	}
}

// everyKind returns commands that the script calls: those that look, that make, that change, that
// remove, and those of the other tasks.
func everyKind(t *testing.T) (all []string) {
	t.Helper()
	c := newCloud(t)
	for _, args := range [][]string{
		{"--output-topic=done", "--env=JOIN_DEADLINE=24h"}, {"--sources=event1,event2", "--prune"}, {"--revisions"}, {"--rollback=event-driver-00001-abc"}, {"--letters"},
	} {
		_, calls := c.script(args...)
		all = append(all, calls...)
	}
	c.gcloud("eventarc", "triggers", "update", "event-driver-event1", "--location=europe-west1", "--destination-run-path=/")
	c.gcloud("pubsub", "subscriptions", "update", "event-driver-dead-letters", "--ack-deadline=10")
	for _, args := range [][]string{nil, {"--destroy"}} {
		_, calls := c.script(args...)
		all = append(all, calls...)
	}
	return all
}

// commands returns the lines of the shell blocks of a guide, with a project's ID.
func commands(t *testing.T, guide string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range markdown.Parse(string(text)).Blocks {
		if block.Language == "sh" {
			lines = append(lines, strings.Split(strings.TrimSpace(strings.ReplaceAll(block.Text, "PROJECT", "my-project-123")), "\n")...)
		}
	}
	if len(lines) < 15 {
		t.Fatalf("%s gives the commands %q only", guide, lines)
	}
	return lines
}

// TestCommandsOfTheGuideAreThoseOfTheScripts runs each call of gcloud.sh that
// docs/deploy.md gives, dry, and finds each command of gcloud's in what that prints.
// The others are those that make terraform and make buildpack run.
func TestCommandsOfTheGuideAreThoseOfTheScripts(t *testing.T) {
	var printed strings.Builder
	given := commands(t, "../docs/deploy.md")
	for _, command := range given {
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
	for _, command := range given {
		folder, isFolder := strings.CutPrefix(command, "cd ")
		switch {
		case isFolder:
			if _, err := os.Stat(filepath.Join("..", folder, "main.tf")); err != nil {
				t.Errorf("docs/deploy.md: %s: %v", command, err)
			}
		case strings.HasPrefix(command, "gcloud "):
			if !strings.Contains(printed.String(), command) {
				t.Errorf("docs/deploy.md: no script prints %s", command)
			}
		case strings.HasPrefix(command, "deploy/gcloud.sh "):
		case strings.HasPrefix(command, "terraform state list | grep "):
			listed := regexp.MustCompile(strings.Split(command, "'")[1])
			for address, want := range map[string]bool{
				`module.orders.google_project_iam_member.people_logs["group:support@example.com"]`:   true,
				`module.orders.google_pubsub_topic_iam_member.operators["event1 principal://iam/x"]`: true,
				`module.orders.google_project_iam_member.people_logs["support"]`:                     false,
				`module.orders.google_project_service.this["run.googleapis.com"]`:                    false,
				`module.orders.google_cloud_run_v2_service_iam_member.sweep_invoker[0]`:              false,
				`google_project_iam_member.own["group:support@example.com"]`:                         false,
				`module.own.google_project_iam_member.all["group:support@example.com"]`:              false,
			} {
				if is := listed.MatchString(address); is != want {
					t.Errorf("docs/deploy.md: %s picks %s: %t", command, address, is)
				}
			}
		case !slices.Contains([]string{"terraform init", "terraform apply -var=project_id=my-project-123",
			"terraform destroy -var=project_id=my-project-123", "deploy/build.sh --check"}, command):
			t.Errorf("docs/deploy.md: nothing tests %s", command)
		}
	}
}
