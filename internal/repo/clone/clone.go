// Package clone lists the files of a git clone of this project, for the tools and tests
// that work on the clone as a whole.
package clone

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNoGit says that git is not installed, or that the folder is not a clone. Then the
// files that belong to it are unknown.
var ErrNoGit = errors.New("not a git clone, or git is not installed")

// Files returns the regular files of the clone at root, ordered, with slashes:
// those that git tracks, and those that it would if they were added.
func Files(root string) ([]string, error) {
	git := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	git.Dir = root
	list, err := git.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w%s", ErrNoGit, git, err, said(err))
	}
	files := strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00")
	files = slices.DeleteFunc(files, func(name string) bool {
		info, err := os.Lstat(filepath.Join(root, name))
		return err != nil || !info.Mode().IsRegular() // deleted, a link, or a repository of its own
	})
	slices.Sort(files)
	return slices.Compact(files), nil
}

// said returns what a command wrote to its standard error.
func said(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return ": " + string(bytes.TrimSpace(exit.Stderr))
	}
	return ""
}

// Copy copies the files of the clone at root into dir, and makes that a clone of its own,
// without a commit.
func Copy(root, dir string) error {
	files, err := Files(root)
	if err != nil {
		return err
	}
	if err := copyFiles(root, dir, files); err != nil {
		return err
	}
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "-A"}} {
		git := exec.Command("git", args...)
		git.Dir = dir
		if out, err := git.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", git, err, out)
		}
	}
	return nil
}

// Deployed returns those of Files that gcloud uploads: .gcloudignore has the syntax of
// .gitignore, so git knows which it names.
func Deployed(root string) ([]string, error) {
	files, err := Files(root)
	if err != nil {
		return nil, err
	}
	git := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--ignored", "--exclude-from=.gcloudignore")
	git.Dir = root
	out, err := git.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w%s", git, err, said(err))
	}
	ignored := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	return slices.DeleteFunc(files, func(name string) bool { return slices.Contains(ignored, name) }), nil
}

// CopyDeployed copies the deployed files of the clone at root into dir.
func CopyDeployed(root, dir string) error {
	files, err := Deployed(root)
	if err != nil {
		return err
	}
	return copyFiles(root, dir, files)
}

// copyFiles leaves out a file that is not there any more: somebody is editing.
func copyFiles(root, dir string, files []string) error {
	for _, name := range files {
		if err := copyFile(filepath.Join(root, name), filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, text, info.Mode().Perm())
}

// Module returns the module path that go.mod in root declares.
func Module(root string) (string, error) {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mod)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "module" {
			return strings.Trim(fields[1], "\"`"), nil
		}
	}
	return "", errors.New("go.mod declares no module")
}
