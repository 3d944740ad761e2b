// Package examples has nothing but tests of what the examples have in common.
package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	// What the tutorial imports: where it changes, this test is run again.
	_ "example.com/eventdriver/driver/cache"
	_ "example.com/eventdriver/driver/convert"
	_ "example.com/eventdriver/driver/joiner"
	_ "example.com/eventdriver/driver/transformer"
	_ "example.com/eventdriver/stores/gcsstore"
	_ "example.com/eventdriver/stores/memstore"
)

// TestTutorialIsAModuleOfItsOwn runs the tutorial's test in its module, which replaces this one
// by the folder above.
func TestTutorialIsAModuleOfItsOwn(t *testing.T) {
	for _, name := range []string{"go.mod", "go.sum", "main.go", "main_test.go", "../../go.mod"} {
		if _, err := os.ReadFile(filepath.Join("tutorial", name)); err != nil { // for the cache of tests
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"vet", "./..."}, {"test", "./..."}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = "tutorial"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s in examples/tutorial: %v\n%s\nWhere go.mod needs updates, run go mod tidy there.",
				strings.Join(args, " "), err, out)
		}
	}
}

// TestEveryExampleIsInTheReadme: and nothing else is.
func TestEveryExampleIsInTheReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	folders := 0
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		folders++
		if !strings.Contains(string(readme), "\n| ["+entry.Name()+"](") {
			t.Errorf("%s has no row in examples/README.md", entry.Name())
		}
	}
	if rows := strings.Count(string(readme), "\n| ["); rows != folders {
		t.Errorf("examples/README.md has %d rows for %d examples", rows, folders)
	}
}
