package docs

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestProgramsInDocumentsCompile compiles each block of Go that is a whole file, together
// with those of the same document that are of the same package.
func TestProgramsInDocumentsCompile(t *testing.T) {
	for _, name := range documents(t) {
		programs := make(map[string][]string) // by package clause
		for _, b := range document(t, name).Blocks {
			if b.Language == "go" && strings.HasPrefix(b.Text, "package ") {
				clause, _, _ := strings.Cut(b.Text, "\n")
				programs[clause] = append(programs[clause], b.Text)
			}
		}
		for clause, files := range programs {
			t.Run(name+", "+clause, func(t *testing.T) {
				if out, err := compile(t, files...); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

func TestProgramsThatDoNotCompileAreFound(t *testing.T) {
	out, err := compile(t, "package main\n\nfunc main() { undefined() }\n", "package main\n")
	if err == nil || !strings.Contains(out, "undefined") {
		t.Errorf("a program that is wrong: %v, %q; want an error that says why", err, out)
	}
}

// compile compiles the files as a package of this module. An overlay shows them to the
// compiler in a folder that does not exist.
func compile(t *testing.T, files ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	replace := make(map[string]string)
	for i, text := range files {
		file := filepath.Join(dir, fmt.Sprintf("file%d.go", i))
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		seen, err := filepath.Abs(filepath.Join("program", filepath.Base(file)))
		if err != nil {
			t.Fatal(err)
		}
		replace[seen] = file
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	// -export compiles without linking, which takes much longer.
	cmd := exec.Command("go", "list", "-export", "-f", "{{.Export}}", "-overlay", filepath.Join(dir, "overlay.json"), "./program")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
