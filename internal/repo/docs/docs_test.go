// Package docs checks that what this repository says about itself is true: links,
// doc comments, examples and tables. It has nothing but tests; make docs-check
// runs them alone.
package docs

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/internal/repo/clone"
)

const root = "../../.."

// files returns the files of the clone for which keep holds.
func files(t *testing.T, keep func(name string) bool) []string {
	t.Helper()
	all, err := clone.Files(root)
	if errors.Is(err, clone.ErrNoGit) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	kept := slices.DeleteFunc(all, func(name string) bool { return !keep(name) })
	if len(kept) == 0 {
		t.Fatal("no files to check")
	}
	return kept
}

// userFile says that a file is the user's business: orders.go, its test, and what else is
// called orders_….go beside them. What is checked here is up to the user there.
func userFile(name string) bool {
	return name == "orders.go" || strings.HasPrefix(name, "orders_") && strings.HasSuffix(name, ".go")
}

// goFile says that a file is of a package: it is Go, and no test's input.
func goFile(name string) bool {
	return strings.HasSuffix(name, ".go") && !strings.Contains("/"+name, "/testdata/")
}

func testFile(name string) bool { return strings.HasSuffix(name, "_test.go") }

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parse(t *testing.T, name string) (*token.FileSet, *ast.File) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, read(t, name), parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return set, file
}
