package project

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"example.com/eventdriver/internal/repo/prove"
)

// TestProjectElsewhere moves a project to another place, and does there what its owner does: all that
// its workflow runs, and what its README says for one's own machine.
func TestProjectElsewhere(t *testing.T) {
	prove.Only(t, "it builds a project as the buildpack does, and runs it")
	written := made(t, "example.org/orders", "placed", "paid", "packed")
	dir := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Rename(written, dir); err != nil {
		t.Fatal(err)
	}
	t.Run("buildpack", func(t *testing.T) {
		if out := in(t, dir, "deploy/build.sh", "--check"); !strings.Contains(out, "an event was answered 202") {
			t.Errorf("deploy/build.sh --check printed\n%s", out)
		}
		rename(t, filepath.Join(dir, "deploy/build.sh"), "source=placed", "source=ordered")
		check := exec.CommandContext(t.Context(), "deploy/build.sh", "--check")
		check.Dir = dir
		const says = `"ordered" is no source of the function any more, name one in deploy/build.sh`
		if out, err := check.CombinedOutput(); err == nil || !strings.Contains(string(out), says) {
			t.Errorf("after a source was renamed deploy/build.sh --check printed\n%s", out)
		}
		rename(t, filepath.Join(dir, "deploy/build.sh"), "source=ordered", "source=placed")
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

// rename replaces a text in a file.
func rename(t *testing.T, name, old, by string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(text), old) {
		t.Fatalf("%s has no %q: %v", name, old, err)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(text), old, by, 1)), 0o755); err != nil {
		t.Fatal(err)
	}
}

var publishes = regexp.MustCompile(`http://[^/]+/publish/\w+`)

// runLocally runs the project on this machine, publishes the events of a key as the README says, and waits
// until the business has acted.
func runLocally(t *testing.T, dir string) {
	program := filepath.Join(t.TempDir(), "local")
	in(t, dir, "go", "build", "-o", program, "./cmd/local")
	cmd := exec.CommandContext(t.Context(), program, "-no-console", "-addr=127.0.0.1:0", "-publish-addr=127.0.0.1:0")
	cmd.Env = []string{"HOME=" + t.TempDir()}
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = os.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	published, acted := make(map[string]bool), 0
	for lines := bufio.NewScanner(log); lines.Scan(); {
		t.Log(lines.Text())
		if to := publishes.FindString(lines.Text()); to != "" && !published[to] {
			published[to] = true
			response, err := http.Post(to+"?key=key-1", "application/json", strings.NewReader(`{"note":"as it is"}`))
			if err != nil {
				t.Error(err)
			} else if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusAccepted {
				t.Errorf("%s: %s, %v", to, response.Status, err)
			}
		}
		if strings.Contains(lines.Text(), "acted") && strings.Contains(lines.Text(), "key-1") {
			acted++
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil || acted != 1 || len(published) != 3 {
		t.Errorf("%v; the business acted %d times for %d events, want once for three", err, acted, len(published))
	}
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
