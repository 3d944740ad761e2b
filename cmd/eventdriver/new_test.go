package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestForCD: what new prints as the next command goes to the folder, whatever that is called.
func TestForCD(t *testing.T) {
	for _, name := range []string{"orders", "my orders", "-orders", "it's", "$HOME", "~", "a;b", "bücher"} {
		dir := t.TempDir()
		out, err := exec.CommandContext(t.Context(), "sh", "-c", `cd "$0" && mkdir -- "$1" && cd `+forCD(name)+` && pwd`, dir, name).CombinedOutput()
		if got := filepath.Base(strings.TrimSpace(string(out))); err != nil || got != name {
			t.Errorf("cd %s: %v, %s; want %s", forCD(name), err, out, name)
		}
	}
	if got := forCD("../orders"); got != "../orders" {
		t.Errorf("a plain name is written as %s", got)
	}
}
