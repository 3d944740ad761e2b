package smoke

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/internal/repo/clone"
	"example.com/eventdriver/internal/repo/gcloud"
	"example.com/eventdriver/internal/repo/prove"
)

var outOfReach = regexp.MustCompile(`(?i)could not connect|failed to (query|request|retrieve)|no available releases|timeout|no such host`)

// TestTerraformTakesTheFolder: each example, called otherwise, is what Terraform can plan.
func TestTerraformTakesTheFolder(t *testing.T) {
	prove.Only(t, "runs terraform, for half a minute")
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("terraform is not installed")
	}
	for _, example := range Examples() {
		t.Run(example, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "eventdriver")
			if err := clone.Copy("../..", root); err != nil {
				t.Fatal(err)
			}
			trial, err := begin(Options{Project: project, Example: example, Root: root, Out: io.Discard})
			if err != nil {
				t.Fatal(err)
			}
			if err := trial.prepare(); err != nil {
				t.Fatal(err)
			}
			folder := filepath.Join(root, trial.folder)
			if check := os.Getenv("TERRAFORM_CHECK"); check != "" {
				run(t, root, check, "--with", "bin", folder)
				return
			}
			if out, err := exec.Command("terraform", "-chdir="+folder, "init", "-no-color").CombinedOutput(); outOfReach.Match(out) && err != nil {
				t.Skip("terraform can't reach its registry")
			}
			run(t, folder, "terraform", "init", "-no-color")
			run(t, folder, "terraform", "validate", "-no-color")
		})
	}
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	command := exec.Command(name, args...)
	command.Dir = dir
	out, err := command.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("%s %q: %v", name, args, err)
	}
}

// dry returns the commands that a dry run prints, of one program.
func dry(t *testing.T, program string) (commands []string) {
	t.Helper()
	var out bytes.Buffer
	if err := Run(t.Context(), Options{Project: project, Root: "../..", DryRun: true, Out: &out}); err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`(?m)^(?:\+|  ) ?(`+program+` .*)$`).FindAllStringSubmatch(out.String(), -1) {
		commands = append(commands, found[1])
	}
	return slices.Compact(commands)
}

func TestGcloudKnowsTheCommandsOfATrial(t *testing.T) {
	prove.Only(t, "asks the gcloud that is installed")
	var commands []string
	for _, command := range dry(t, "gcloud") {
		commands = append(commands, strings.TrimPrefix(command, "gcloud "))
	}
	if kinds := gcloud.Knows(t, "../..", commands); kinds < 3 { // with a key and without; the log
		t.Errorf("a trial runs %d kinds of commands only: %q", kinds, commands)
	}
}
