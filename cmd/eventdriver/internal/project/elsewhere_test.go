package project

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.com/eventdriver/internal/repo/prove"
)

// TestProjectElsewhere moves a project to another place, and does there what its owner does: all that
// its workflow runs, and what its README says for one's own machine.
func TestProjectElsewhere(t *testing.T) {
	prove.Only(t, "it builds a project as the buildpack does, and runs it")
	written := made(t, "github.com/you/orders", "placed", "paid", "packed")
	dir := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Rename(written, dir); err != nil {
		t.Fatal(err)
	}
	t.Run("buildpack", func(t *testing.T) {
		if out := in(t, dir, "deploy/build.sh", "--check"); !strings.Contains(out, "an event was answered 202") {
			t.Errorf("deploy/build.sh --check printed\n%s", out)
		}
	})
	t.Run("lint", func(t *testing.T) { in(t, dir, "make", "lint", "test") })
	t.Run("the command", func(t *testing.T) {
		if out := in(t, dir, "go", "tool", "eventdriver", "help"); !strings.Contains(out, "doctor") {
			t.Errorf("it printed\n%s", out)
		}
	})
	t.Run("a project of the project", func(t *testing.T) {
		other := filepath.Join(t.TempDir(), "other")
		in(t, dir, "go", "tool", "eventdriver", "new", other, "--module=example.org/other", "--sources=one")
		in(t, other, "go", "vet", "./...")
	})
	t.Run("local", func(t *testing.T) { runLocally(t, dir) })
	t.Run("terraform", func(t *testing.T) { checkTerraform(t, dir) })
}

// checkTerraform checks the project's configuration, with the checker of the module where there is one.
func checkTerraform(t *testing.T, dir string) {
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("terraform is not installed")
	}
	if check := os.Getenv("TERRAFORM_CHECK"); check != "" {
		in(t, dir, "git", "init", "--quiet")
		in(t, dir, check, "terraform")
		return
	}
	if out, err := exec.CommandContext(t.Context(), "terraform", "-chdir="+filepath.Join(dir, "terraform"), "init", "-backend=false").
		CombinedOutput(); err != nil {
		t.Skipf("terraform can't get its providers: %v\n%s", err, out)
	}
	in(t, dir, "make", "terraform")
}
