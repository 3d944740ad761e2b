package sim_test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	mutate = flag.Bool("sim.mutants", false, "break the project's own code, one place at a time, and have the explorer find it: minutes")
	only   = flag.String("sim.mutant", "", "the mutants to try, a regular expression")
)

// TestSourceMutantsApply keeps the list in step with the code.
func TestSourceMutantsApply(t *testing.T) {
	names := make(map[string]bool)
	for _, m := range sourceMutants {
		if names[m.name] {
			t.Errorf("two mutants are called %q", m.name)
		}
		names[m.name] = true
		mutated(t, m)
	}
}

// TestSourceMutantsAreFound breaks the project's code in one place after another,
// in a copy of the file that only the compiler sees, and runs the explorer as make
// test does.
func TestSourceMutantsAreFound(t *testing.T) {
	if !*mutate {
		t.Skip("each mutant is a build and an exploration, minutes for all: make mutants runs this")
	}
	for _, m := range sourceMutants {
		if !regexp.MustCompile(*only).MatchString(m.name) {
			continue
		}
		found, broken := explore(t, m)
		switch {
		case found == "" && m.missed != "":
			t.Logf("%-70s not found: %s", m.name, m.missed)
		case found == "":
			t.Errorf("%-70s NOT FOUND", m.name)
		case m.missed != "":
			t.Errorf("%-70s is said to be missed, and breaks: %s", m.name, broken)
		default:
			t.Logf("%-70s %s: %s", m.name, found, broken)
		}
	}
}

// mutated returns the path of the file that a mutant changes, and its new text.
func mutated(t *testing.T, m sourceMutant) (path, text string) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../..", m.file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		t.Fatalf("%s: %s has the text to replace %d times: %q", m.name, m.file, n, m.old)
	}
	return path, strings.Replace(string(source), m.old, m.new, 1)
}

var (
	scheduleLine = regexp.MustCompile(`-sim\.scenario='(.*)' -sim\.schedule='(.*)'`)
	brokenLine   = regexp.MustCompile(`(?m)^ *sim_test\.go:\d+: broken: (.*)$`)
)

// explore runs the explorer on a mutant; it says with which scenario and schedule
// it was found, and what was broken.
func explore(t *testing.T, m sourceMutant) (found, broken string) {
	t.Helper()
	path, text := mutated(t, m)
	folder := t.TempDir()
	file, overlay := filepath.Join(folder, "mutant.go"), filepath.Join(folder, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {path: file}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{file: []byte(text), overlay: replace} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(folder, "sim.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", program, ".")
	if output, err := build.CombinedOutput(); err != nil {
		t.Errorf("%s does not compile: %v\n%s", m.name, err, output)
		return "nothing", "the build"
	}
	var output []byte
	for _, together := range []string{"1", "10"} { // most are found by the first, in a second
		run := exec.CommandContext(t.Context(), program, "-test.run=^TestExplore$", "-test.timeout=10m", "-sim.first", "-sim.together="+together)
		if output, err = run.CombinedOutput(); err != nil {
			break
		}
	}
	if err == nil {
		return "", ""
	}
	where, what := scheduleLine.FindSubmatch(output), brokenLine.FindSubmatch(output)
	if where == nil || what == nil {
		t.Errorf("%s: the explorer did not end as it should: %v\n%s", m.name, err, output)
		return "nothing", "the run"
	}
	return "'" + string(where[1]) + "', schedule '" + string(where[2]) + "'", string(what[1])
}
