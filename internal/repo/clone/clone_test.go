package clone

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

func TestFiles(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	if _, err := Files(dir); !errors.Is(err, ErrNoGit) {
		t.Errorf("a folder that is no clone: %v, want ErrNoGit", err)
	}
	write(t, dir, "b.txt", "b")
	write(t, dir, "a file.txt", "a")
	write(t, dir, "gone.txt", "gone")
	write(t, dir, ".gitignore", "*.log\n")
	write(t, dir, "ignored.log", "ignored")
	run(t, dir, "git", "init", "--quiet")
	run(t, dir, "git", "add", "-A")
	write(t, dir, "new/c.txt", "c")
	if err := os.Remove(filepath.Join(dir, "gone.txt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("b.txt", filepath.Join(dir, "link.txt")); err != nil {
		t.Fatal(err)
	}
	files, err := Files(dir)
	if want := []string{".gitignore", "a file.txt", "b.txt", "new/c.txt"}; err != nil || !slices.Equal(files, want) {
		t.Errorf("files are %q (%v), want %q", files, err, want)
	}
}

func TestModule(t *testing.T) {
	dir := t.TempDir()
	if _, err := Module(dir); err == nil {
		t.Error("without a go.mod: no error")
	}
	for mod, want := range map[string]string{
		"module example.org/tool\n\ngo 1.26\n":             "example.org/tool",
		"// comment\nmodule \"example.org/tool\" // why\n": "example.org/tool",
		"go 1.26\n": "",
	} {
		write(t, dir, "go.mod", mod)
		got, err := Module(dir)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("of %q: %q, %v; want %q", mod, got, err, want)
		}
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}
