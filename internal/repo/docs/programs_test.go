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

// TestProgramsInDocumentsCompile compiles each block of Go that is a whole file.
// An overlay has the compiler see it in this module, though it is nowhere in it.
func TestProgramsInDocumentsCompile(t *testing.T) {
	for _, name := range documents(t) {
		for _, b := range document(t, name).Blocks {
			if b.Language != "go" || !strings.HasPrefix(b.Text, "package ") {
				continue
			}
			t.Run(fmt.Sprintf("%s:%d", name, b.Line), func(t *testing.T) {
				if out, err := compile(t, b.Text); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

func TestProgramsThatDoNotCompileAreFound(t *testing.T) {
	out, err := compile(t, "package main\n\nfunc main() { undefined() }\n")
	if err == nil || !strings.Contains(out, "undefined") {
		t.Errorf("a program that is wrong: %v, %q; want an error that says why", err, out)
	}
}

func compile(t *testing.T, text string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "program.go")
	if err := os.WriteFile(program, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	seen, err := filepath.Abs("program/program.go")
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {seen: program}})
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
