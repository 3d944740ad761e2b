package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryTestThatIsLeftOutRuns: a test that make test leaves out runs in a step.
func TestEveryTestThatIsLeftOutRuns(t *testing.T) {
	var commands []string
	for _, s := range steps {
		commands = append(commands, s.commands...)
	}
	left := leftOut(t, "../../..")
	if len(left) < 5 {
		t.Fatalf("%q are left out only", left)
	}
	for test, file := range left {
		runs := false
		for _, command := range commands {
			runs = runs || mayRun(command, test, filepath.ToSlash(filepath.Dir(file)))
		}
		if !runs {
			t.Errorf("no step of make prove runs %s of %s", test, file)
		}
	}
}

var (
	pattern  = regexp.MustCompile(`-run '?([^' ]+)'?`)
	packages = regexp.MustCompile(` (\.(?:/[a-z/]+)?(?:/\.\.\.)?)(?: |$)`)
)

// mayRun says whether a go test command runs a test of a folder.
func mayRun(command, test, folder string) bool {
	run := pattern.FindStringSubmatch(command)
	if !strings.Contains(command, "go test") || run != nil && !regexp.MustCompile(run[1]).MatchString(test) {
		return false
	}
	for rest := command; ; {
		at := packages.FindStringSubmatchIndex(rest)
		if at == nil {
			return false
		}
		name := strings.TrimPrefix(strings.TrimPrefix(rest[at[2]:at[3]], "."), "/")
		parent, all := strings.CutSuffix(name, "/...")
		if name == folder || name == "" && folder == "." || all && strings.HasPrefix(folder, parent) {
			return true
		}
		rest = rest[at[3]:]
	}
}

// leftOut returns the tests that mention prove.Only or prove.Left, or call a function of
// their file that does, with their files.
func leftOut(t *testing.T, root string) map[string]string {
	t.Helper()
	left := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "prove" || d.Name() == "quick" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "repo/prove") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		for _, test := range mentioning(file) {
			left[test] = relative
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// mentioning returns the tests of a file that are left out.
func mentioning(file *ast.File) (tests []string) {
	leaves := make(map[string]bool)
	for range 2 { // the second time for the callers of those that were found
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && x.Name == "prove" && (n.Sel.Name == "Only" || n.Sel.Name == "Left") {
						leaves[f.Name.Name] = true
					}
				case *ast.CallExpr:
					if called, ok := n.Fun.(*ast.Ident); ok && leaves[called.Name] {
						leaves[f.Name.Name] = true
					}
				}
				return true
			})
		}
	}
	for name := range leaves {
		if strings.HasPrefix(name, "Test") {
			tests = append(tests, name)
		}
	}
	return tests
}

func TestFigures(t *testing.T) {
	for _, c := range []struct {
		figure       func(string) string
		output, want string
	}{
		{tests, "--- PASS: TestA\n    --- PASS: TestA/b\n--- SKIP: TestC\n", "2 tests passed, 1 skipped"},
		{tests, "ok  	p	0.1s [no tests to run]\n", ""},
		{line(`demo: (.*)`), "x\ndemo: 3 orders\n", "3 orders"},
		{count(`(?m)^ok `, "targets"), "ok  p\nok  q\n", "2 targets"},
	} {
		if got := c.figure(c.output); got != c.want {
			t.Errorf("the figure of %q is %q, want %q", c.output, got, c.want)
		}
	}
}

func TestStepThatFails(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	none := func(string) string { return "" }
	some := func(string) string { return "1 thing" }
	results := []result{
		step{name: "works", commands: []string{"true"}, long: []string{"false"}, figure: some}.run(t.Context(), false),
		step{name: "fails", commands: []string{"echo why; exit 3", "echo more"}, figure: some}.run(t.Context(), false),
		step{name: "empty", commands: []string{"true"}, figure: none}.run(t.Context(), false),
		step{name: "cannot", commands: []string{"false"}, figure: none, needs: func() string { return "no disk" }}.run(t.Context(), false),
	}
	for i, failed := range []bool{false, true, true, false} {
		if (results[i].failed != nil) != failed {
			t.Errorf("%s: %v", results[i].step.name, results[i].failed)
		}
	}
	if text, err := os.ReadFile("bin/prove/fails.log"); err != nil || string(text) != "+ echo why; exit 3\nwhy\n" {
		t.Errorf("the log is %q, %v", text, err)
	}
	var table strings.Builder
	if report(&table, results) {
		t.Error("a failure counts as a proof")
	}
	for _, want := range []string{"works", "1 thing", "FAILED: exit status 3", "SKIPPED: no disk", "NOT PROVED"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
	if !report(&table, results[:1]) {
		t.Error("a step that works is no proof")
	}
}
