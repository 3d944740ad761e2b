package deploy

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

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
	out, err := exec.Command("shellcheck", append(scripts, "../.ci/run", "../internal/fake/bqemulator/build", "../internal/fake/bqemulator/with")...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestGcloudKnowsTheCommands has the real gcloud read each kind of command that the
// script prints. Without an account, and with no way to Google, it gets no further
// than to ask for one, unless there is something in the command that it does not know.
func TestGcloudKnowsTheCommands(t *testing.T) {
	prove.Only(t, "asks the gcloud that is installed, for half a minute")
	gcloud, err := exec.LookPath("gcloud")
	if err != nil {
		t.Skip("gcloud is not installed")
	}
	var printed strings.Builder
	for _, args := range [][]string{{"--output-topic=done"}, {"--revisions"}, {"--rollback=event-driver-00001-abc"}, {"--letters"}, {"--destroy"}} {
		out, _ := script(t, absent, append(args, "--dry-run")...)
		printed.WriteString(out)
	}
	allIsThere := `case $* in *transport.pubsub.topic*) echo "projects/my-project-123/topics/$4" ;; *) echo ` + theURL + ` ;; esac`
	for _, answer := range []string{allIsThere, whereItIs} { // what is there is updated
		out, _ := script(t, answer, "--env=JOIN_DEADLINE=24h")
		printed.WriteString(out)
	}
	config, seen := t.TempDir(), make(map[string]bool)
	flag := regexp.MustCompile(` --[a-z0-9-]+`)
	var wait sync.WaitGroup
	slots := make(chan struct{}, 2)
	for _, command := range shown(printed.String()) {
		words, _, _ := strings.Cut(command, " --")
		verb := words[:strings.LastIndex(words, " ")]
		kind := verb + strings.Join(flag.FindAllString(command, -1), "")
		if seen[kind] {
			continue
		}
		seen[kind] = true
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			cmd := exec.Command("bash", "-c", gcloud+" "+command)
			cmd.Dir = ".."
			cmd.Env = append(os.Environ(), "CLOUDSDK_CONFIG="+config, "CLOUDSDK_CORE_DISABLE_PROMPTS=1", "CLOUDSDK_CORE_CHECK_GCE_METADATA=false",
				"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE=", "HTTPS_PROXY=http://127.0.0.1:9", "https_proxy=http://127.0.0.1:9")
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "active account") {
				t.Errorf("gcloud %s%v\n%s", command, err, out)
			}
		})
	}
	wait.Wait()
	if len(seen) < 15 {
		t.Errorf("the script prints %d kinds of commands only", len(seen))
	}
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
		case !slices.Contains([]string{"terraform init", "terraform apply -var=project_id=my-project-123",
			"terraform destroy -var=project_id=my-project-123", "deploy/build.sh --check"}, command):
			t.Errorf("docs/deploy.md: nothing tests %s", command)
		}
	}
}
