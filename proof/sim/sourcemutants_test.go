package sim_test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"example.com/eventdriver/internal/repo/prove"
)

var (
	mutate = flag.Bool("sim.mutants", false, "break the project's own code, one place at a time, and have the explorer find it: minutes")
	every  = flag.Int("sim.every", 1, "try only every nth mutant, from the one that -sim.seed numbers on")
	only   = flag.String("sim.mutant", "", "the mutants to try, a regular expression")
)

// TestSourceMutantsApply keeps the list in step with the code.
func TestSourceMutantsApply(t *testing.T) {
	names, types := make(map[string]bool), newTypeChecker(t)
	for _, m := range allMutants() {
		if names[m.name] {
			t.Errorf("two mutants are called %q", m.name)
		}
		names[m.name] = true
		path, text := mutated(t, m)
		if err := types.check(path, text); err != nil {
			t.Errorf("%s does not compile: %v", m.name, err)
		}
	}
}

// TestSourceMutantsAreFound breaks the project's code in one place after another,
// in a copy of the file that only the compiler sees, and runs the explorer as make
// prove does.
func TestSourceMutantsAreFound(t *testing.T) {
	if !*mutate {
		t.Skip(prove.Left + "each mutant is a build and an exploration")
	}
	place := int(*seed % uint64(*every))
	var tried, detected int
	for i, m := range allMutants() {
		if i%*every != place || !regexp.MustCompile(*only).MatchString(m.name) {
			continue
		}
		tried++
		found, broken := explore(t, m)
		if found == "" {
			t.Errorf("%-70s NOT FOUND", m.name)
			continue
		}
		detected++
		t.Logf("%-70s %s: %s", m.name, found, broken)
	}
	t.Logf("%d of %d mutants were found, of %d in the list", detected, tried, len(allMutants()))
}

// mutated returns the path of the file that a mutant changes, and its new text.
func mutated(t *testing.T, m sourceMutant) (path, text string) {
	t.Helper()
	path, text, err := m.anchor.edit(m.to)
	if err != nil {
		t.Fatalf("%s: %v", m.name, err)
	}
	return path, text
}

// allMutants are those that are found in memory, then those of Cloud Storage's store.
func allMutants() []sourceMutant {
	return slices.Concat(memoryMutants, operatorMutants, cloudSourceMutants)
}

var (
	scheduleLine = regexp.MustCompile(`-sim\.scenario='(.*)' -sim\.schedule='(.*)'`)
	failedLine   = regexp.MustCompile(`(?m)^ *\w+_test\.go:\d+: .*$`)
	brokenLine   = regexp.MustCompile(`(?m)^ *sim_test\.go:\d+: broken: (.*)$`)
)

// explore runs the explorer on a mutant; it says with which scenario and schedule
// it was found, and what was broken.
func explore(t *testing.T, m sourceMutant) (where, broken string) {
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
	if m.test != "" {
		return foundBy(t, m, overlay)
	}
	program := filepath.Join(folder, "sim.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", program, ".")
	if output, err := build.CombinedOutput(); err != nil {
		t.Errorf("%s does not compile: %v\n%s", m.name, err, output)
		return "nothing", "the build"
	}
	output, found := runs(t, program, m)
	if !found {
		return "", ""
	}
	by, what := scheduleLine.FindSubmatch(output), brokenLine.FindSubmatch(output)
	if by == nil || what == nil {
		t.Errorf("%s: the explorer did not end as it should:\n%s", m.name, output)
		return "nothing", "the run"
	}
	return "'" + string(by[1]) + "', schedule '" + string(by[2]) + "'", string(what[1])
}

// foundBy runs the test of the package that finds the mutant.
func foundBy(t *testing.T, m sourceMutant, overlay string) (where, broken string) {
	t.Helper()
	test := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-overlay", overlay, "-run", "^"+m.test+"$", "../../"+m.anchor.folder)
	output, err := test.CombinedOutput()
	if err == nil {
		return "", ""
	}
	failed := failedLine.FindString(string(output))
	if failed == "" {
		t.Errorf("%s: %s did not end as it should:\n%s", m.name, m.test, output)
	}
	return m.test, failed
}

// runs runs the explorer of a mutant until it finds something: first the schedule that
// is kept, then what make prove explores in memory, or on Cloud Storage.
func runs(t *testing.T, program string, m sourceMutant) (output []byte, found bool) {
	t.Helper()
	tries := [][]string{{"-test.run=^TestReplay$", "-sim.scenario=" + m.scenario, "-sim.schedule=" + m.schedule}}
	if m.scenario == "" {
		tries = nil
	}
	scenarios := "^TestExplore$/^[^C]" // not those of Cloud Storage
	if m.anchor.folder == "stores/gcsstore" {
		scenarios = "^TestExplore$/^Cloud_Storage"
	}
	for _, together := range []string{"1", "2", "10"} { // most are found by the first, in a second
		tries = append(tries, []string{"-test.run=" + scenarios, "-test.timeout=10m", "-sim.first", "-sim.together=" + together})
	}
	for _, arguments := range tries {
		output, err := exec.CommandContext(t.Context(), program, arguments...).CombinedOutput()
		if err != nil {
			return output, true
		}
	}
	return nil, false
}
