package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.com/eventdriver/internal/repo/clone"
	"example.com/eventdriver/internal/repo/prove"
)

// TestRenamedCloneBuilds renames a copy of this very tree, and builds it.
func TestRenamedCloneBuilds(t *testing.T) {
	prove.Only(t, "compiles a copy of this tree under another name")
	const root = "../../.."
	dir := t.TempDir()
	err := clone.Copy(root, dir)
	if errors.Is(err, clone.ErrNoGit) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	old, err := clone.Module(root)
	if err != nil {
		t.Fatal(err)
	}

	// A path that sorts after all others moves the imports of this module.
	const module = "zoo.example/You/orders/v2"
	var out bytes.Buffer
	if err := rename(&out, dir, module); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), module+" now") {
		t.Errorf("it said %q, want that the clone is renamed now", out.String())
	}

	if left := grep(t, dir, old); left != "" {
		t.Errorf("files that still say %s:\n%s", old, left)
	}
	if unformatted := command(t, dir, gofmt(t), "-l", "."); unformatted != "" {
		t.Errorf("not gofmt'd any more:\n%s", unformatted)
	}
	if name := command(t, dir, "go", "list", "-f", "{{.ImportPath}} {{.Name}}", "."); name != module+" eventdriver\n" {
		t.Errorf("the root package is %q, want %s eventdriver", name, module)
	}
	command(t, dir, "go", "build", "./...")
	command(t, dir, "go", "vet", "./...")
	command(t, filepath.Join(dir, "examples", "tutorial"), "go", "vet", "./...") // a module of its own

	command(t, dir, "git", "add", "-A")
	out.Reset()
	if err := rename(&out, dir, module); err != nil {
		t.Fatalf("again: %v", err)
	}
	if !strings.Contains(out.String(), "nothing to do") {
		t.Errorf("again: it said %q, want that there is nothing to do", out.String())
	}
	if diff := command(t, dir, "git", "diff", "--name-only"); diff != "" {
		t.Errorf("again: it changed\n%s", diff)
	}
}

// grep returns the names of the files in dir that contain s.
func grep(t *testing.T, dir, s string) string {
	t.Helper()
	var found strings.Builder
	files, err := clone.Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(s)) {
			found.WriteString(name + "\n")
		}
	}
	return found.String()
}

// gofmt returns where the gofmt of this toolchain is.
func gofmt(t *testing.T) string {
	t.Helper()
	return filepath.Join(strings.TrimSpace(command(t, ".", "go", "env", "GOROOT")), "bin", "gofmt")
}

func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	// The copy has no commits, so there is no revision to stamp binaries with.
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, problems.String(), out)
	}
	return string(out)
}

func TestReplacePath(t *testing.T) {
	const old, module = "example.org/tool", "github.com/you/orders"
	tests := []struct{ text, want string }{
		{`import "example.org/tool"`, `import "github.com/you/orders"`},
		{`import "example.org/tool/driver"`, `import "github.com/you/orders/driver"`},
		{"example.org/tool", "github.com/you/orders"},
		{"See example.org/tool. And (example.org/tool)", "See github.com/you/orders. And (github.com/you/orders)"},
		{"https://pkg.go.dev/example.org/tool@v1", "https://pkg.go.dev/github.com/you/orders@v1"},
		{"example.org/tool/example.org/tool", "github.com/you/orders/github.com/you/orders"},
		{"example.org/tools example.org/tool-box example.org/tool_x", "example.org/tools example.org/tool-box example.org/tool_x"},
		{"my-example.org/tool www.example.org/tool", "my-example.org/tool www.example.org/tool"},
		{"example.org", "example.org"},
		{"", ""},
	}
	for _, test := range tests {
		if got := string(replacePath([]byte(test.text), old, module)); got != test.want {
			t.Errorf("%q became %q, want %q", test.text, got, test.want)
		}
	}
}

// TestRequireVersion: a module that requires this one, and replaces it, names a version that the
// new path allows.
func TestRequireVersion(t *testing.T) {
	for path, want := range map[string]string{
		"example.org/orders":    "v0.0.0",
		"example.org/orders/v2": "v2.0.0",
		"example.org/v2/orders": "v0.0.0",
		"gopkg.in/orders.v3":    "v3.0.0",
	} {
		const mod = "module shop\n\nrequire PATH v1.2.3\n\n" +
			"require (\n\tPATH v1.2.3\n\tPATH/other v1.2.3\n)\n\nreplace PATH => ../..\n"
		got := string(requireVersion([]byte(strings.ReplaceAll(mod, "PATH", path)), path))
		wanted := strings.Replace(mod, "PATH v1.2.3", "PATH "+want, 2)
		if wanted = strings.ReplaceAll(wanted, "PATH", path); got != wanted {
			t.Errorf("%s: got\n%swant\n%s", path, got, wanted)
		}
	}
}

func TestCheckModulePath(t *testing.T) {
	tests := []struct{ path, problem string }{
		{"github.com/you/orders", ""},
		{"github.com/You/Orders_2/v2", ""},
		{"orders.example", ""},
		{"go.example-1.org/~you/orders.v3", ""},
		{"gopkg.in/orders.v3", ""},
		{"", "MODULE=github.com/you/orders"},
		{"orders", "for example, github.com/you/orders"},
		{"orders/eu.west", "missing dot in first path element"},
		{"GitHub.com/you/orders", "invalid char 'G' in first path element"},
		{"-x.com/you", "leading dash"},
		{"https://github.com/you/orders", "double slash"},
		{"github.com:you/orders", "invalid char ':'"},
		{"github.com/you/orders/", "trailing slash"},
		{"/github.com/you", "empty path element"},
		{"github.com//orders", "double slash"},
		{"github.com/you/../orders", "invalid path element"},
		{"github.com/you/.orders", "leading dot"},
		{"github.com./you", "trailing dot"},
		{".github.com/you", "leading dot"},
		{"github.com/you/my orders", "invalid char ' '"},
		{"github.com/you/\u00f3rdenes", "invalid char"},
		{"github.com/you/\xff", "invalid UTF-8"},
		{"github.com/you/orders@v1", "invalid char '@'"},
		{"github.com/you/orders!", "invalid char '!'"},
		{"github.com/you/orders/v0", "version"},
		{"github.com/you/orders/v1", "version"},
		{"github.com/you/orders/v02", "version"},
		{"github.com/you/orders/v2.0", "version"},
		{"github.com/you/orders/v2.1.3", "version"},
		{"gopkg.in/orders", "version"},
		{"gopkg.in/you/orders/v2", "version"},
		{"github.com/you/con", "disallowed as path element"},
		{"github.com/you/NUL.orders", "disallowed as path element"},
		{"github.com/you/orders~1", "trailing tilde and digits"},
	}
	for _, test := range tests {
		err := checkModulePath(test.path)
		switch {
		case test.problem == "" && err != nil:
			t.Errorf("%q: %v, want no error", test.path, err)
		case test.problem != "" && err == nil:
			t.Errorf("%q: no error, want one with %q", test.path, test.problem)
		case test.problem != "" && !strings.Contains(err.Error(), test.problem):
			t.Errorf("%q: %v, want an error with %q", test.path, err, test.problem)
		}
	}
}

func TestRenameRefusesBadPathsAndFolders(t *testing.T) {
	if err := rename(io.Discard, t.TempDir(), "orders"); err == nil || !strings.Contains(err.Error(), "buildpack") {
		t.Errorf("a path without a dot: %v, want an error that says why", err)
	}
	if err := rename(io.Discard, t.TempDir(), "github.com/you/orders"); err == nil {
		t.Error("a folder without go.mod: no error")
	}
}
