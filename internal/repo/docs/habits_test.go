package docs

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// These are split so that they are not in this file themselves.
var (
	unfinished = regexp.MustCompile(`\b(?:TO` + `DO|FIX` + `ME|X` + `XX)\b`)
	// ofAMachine are folders that only the machine of whoever wrote a line has.
	ofAMachine = regexp.MustCompile(`(?:^|[\s"'` + "`" + `=:(])(?:/(?:home|Users|work|root)/|\.\./shared\b)`)
)

// unmerged are the lines with which git marks a conflict.
var unmerged = regexp.MustCompile(`^(?:<{7} |>{7} |={7}\n)`)

// TestNothingIsLeftOver finds notes to oneself, paths of one's own machine, and the
// marks of a merge.
func TestNothingIsLeftOver(t *testing.T) {
	for _, name := range files(t, func(name string) bool { return !userFile(name) }) {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(text, 0) >= 0 {
			continue
		}
		n := 0
		for line := range bytes.Lines(text) {
			n++
			if found := ofAMachine.Find(line); found != nil && name != ".ci/run" { // which looks for a checker beside the clone
				t.Errorf("%s:%d: %q is a path of somebody's machine", name, n, found)
			}
			if unmerged.Match(line) {
				t.Errorf("%s:%d: a conflict is not resolved", name, n)
			}
			if found := unfinished.Find(line); found != nil && goFile(name) {
				t.Errorf("%s:%d: %s", name, n, found)
			}
		}
	}
}
