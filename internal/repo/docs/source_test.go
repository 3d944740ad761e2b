package docs

import (
	"bytes"
	"errors"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/internal/repo/clone"
)

// uploaded returns the files of the clone that gcloud uploads.
func uploaded(t *testing.T) []string {
	t.Helper()
	files, err := clone.Deployed(root)
	if errors.Is(err, clone.ErrNoGit) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// packed returns the files of the clone that Terraform packs. Its patterns are those
// of the archive provider: a ** stands for any number of folders, and what is below
// an excluded folder is excluded with it.
func packed(t *testing.T) []string {
	t.Helper()
	m := terraform(t, false)
	var patterns [][]string
	concat := m.onlyCall(m.local("source_excludes"), "concat")
	if !strings.Contains(m.text(concat.Args[1]), `!contains(local.source_parts, part) && !endswith(part, ".go")`) {
		t.Fatal("terraform/source.tf: not all is excluded but source_parts and Go files")
	}
	parts := m.words(m.local("source_parts"))
	for _, pattern := range m.words(concat.Args[0]) {
		patterns = append(patterns, strings.Split(pattern, "/"))
	}
	excluded := func(name string) bool {
		return slices.ContainsFunc(patterns, func(p []string) bool { return matches(t, p, strings.Split(name, "/")) })
	}
	if excluded(".") {
		t.Fatal("terraform/source.tf excludes the folder itself, and all that is in it")
	}
	return files(t, func(name string) bool {
		if part, _, _ := strings.Cut(name, "/"); !slices.Contains(parts, part) && !strings.HasSuffix(part, ".go") {
			return false
		}
		for parent := name; parent != "."; parent = path.Dir(parent) {
			if excluded(parent) {
				return false
			}
		}
		return true
	})
}

func matches(t *testing.T, pattern, name []string) bool {
	t.Helper()
	switch {
	case len(pattern) == 0:
		return len(name) == 0
	case pattern[0] == "**":
		return matches(t, pattern[1:], name) || len(name) > 0 && matches(t, pattern, name[1:])
	case len(name) == 0:
		return false
	}
	ok, err := path.Match(pattern[0], name[0])
	if err != nil {
		t.Fatal(err)
	}
	return ok && matches(t, pattern[1:], name[1:])
}

// TestBothWaysDeployTheSameSource: what Terraform packs is what gcloud uploads,
// which is what deploy/build.sh builds.
func TestBothWaysDeployTheSameSource(t *testing.T) {
	terraform, gcloud := packed(t), uploaded(t)
	for _, name := range terraform {
		if !slices.Contains(gcloud, name) {
			t.Errorf("Terraform packs %s, which gcloud does not upload", name)
		}
	}
	for _, name := range gcloud {
		if !slices.Contains(terraform, name) {
			t.Errorf("gcloud uploads %s, which Terraform does not pack", name)
		}
	}
}

// TestDeployedSourceIsTheFunctionAlone: all that the function is compiled from is
// deployed, and no tests, documents, infrastructure or tools are.
func TestDeployedSourceIsTheFunctionAlone(t *testing.T) {
	deployed := uploaded(t)
	for _, name := range []string{"go.mod", "go.sum"} {
		if !slices.Contains(deployed, name) {
			t.Errorf("%s is not deployed", name)
		}
	}
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{$dir := .Dir}}{{range .GoFiles}}{{$dir}}/{{.}}\n{{end}}{{range .EmbedFiles}}{{$dir}}/{{.}}\n{{end}}{{end}}", ".", "./driver/...", "./stores/...", "./publish/...", "./telemetry/...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	compiled := 0
	for line := range bytes.Lines(out) {
		name, err := filepath.Rel(top, strings.TrimSpace(string(line)))
		if name = filepath.ToSlash(name); err != nil || name == "." || strings.HasPrefix(name, "../") {
			continue
		}
		if compiled++; !slices.Contains(deployed, name) {
			t.Errorf("%s is compiled, and not deployed", name)
		}
	}
	if compiled < 20 {
		t.Fatalf("the function is compiled from %d files only", compiled)
	}
	unwanted := regexp.MustCompile(`_test\.go$|\.md$|\.tf$|\.tfvars$|\.sh$|(^|/)\.|(^|/)testdata/|^(bench|bin|cmd|deploy|docs|examples|internal|operate|proof|terraform)/|^Makefile$`)
	ofRoot := regexp.MustCompile(`^([a-z_0-9]+\.go|go\.mod|go\.sum)$`)
	for _, name := range deployed {
		if unwanted.MatchString(name) || !strings.Contains(name, "/") && !ofRoot.MatchString(name) {
			t.Errorf("%s is deployed", name)
		}
	}
}
