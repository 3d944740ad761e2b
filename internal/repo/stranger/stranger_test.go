// Package stranger has nothing but a test: it does to a copy of this clone what everybody
// does who makes it theirs, and runs what they run.
package stranger

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/internal/repo/clone"
	"example.com/eventdriver/internal/repo/prove"
)

// module is long, and has a major version: where lines have the path in them, they grow.
const module = "github.com/a-company-of-several-words/order-processing/v2"

// ofTheShell are settings as a deployment has them, exported in the shell of whoever
// runs the tests.
var ofTheShell = []string{"EVENT_SOURCES=paid,packed", "ERASE_SOURCES=", "SOURCE_ALIASES=paid:payments", "KEY_POINTER=paid:/id",
	"GCS_BUCKET=parcels-of-production", "GCS_FOLDER=parcels", "EVENT_STORE=gcs", "CLAIM_STORE=gcs", "LEASE=90s", "STORE_TIMEOUT=3s",
	"OUTPUT_TOPIC=projects/production/topics/parcels", "GOOGLE_CLOUD_PROJECT=production", "LOG_LEVEL=error"}

// TestAnotherBusinessInPlace replaces the business by one with other types, another log,
// two sources and a variable that is not set, renames the module, and runs the tests and
// the demo.
func TestAnotherBusinessInPlace(t *testing.T) {
	prove.Only(t, "it runs make test in a copy of the clone")
	dir := t.TempDir()
	if err := clone.Copy("../../..", dir); errors.Is(err, clone.ErrNoGit) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"orders.go", "orders_test.go"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, "rename", "MODULE="+module)
	run(t, dir, "test")
	if out := run(t, dir, "demo"); !strings.Contains(out, "28 orders, 28 processed once, 0 lost, 0 doubled, 2 dead-lettered") {
		t.Errorf("the demo ended otherwise:\n%s", out)
	}
}

// run makes the targets in the copy, with the settings of the shell and without those of
// the proof, and returns what was printed.
func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "make", args...)
	cmd.Dir = dir
	cmd.Env = slices.DeleteFunc(append(os.Environ(), ofTheShell...), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return name == prove.Variable || strings.HasPrefix(name, "BIGQUERY_") || name == "MAKEFLAGS" || name == "MFLAGS"
	})
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make %s, in a copy with another business: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
