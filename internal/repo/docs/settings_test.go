package docs

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"example.com/eventdriver"
)

// variable is what names of environment variables look like.
var variable = regexp.MustCompile(`^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$`)

// row is the first cell of a row that describes a variable.
var row = regexp.MustCompile("^\\| *`([A-Z0-9_]+)` *\\|")

// TestEveryVariableIsDocumented compares docs/configuration.md with the table of
// settings and with the variables that the root package looks up by name.
func TestEveryVariableIsDocumented(t *testing.T) {
	used := variablesUsed(t)
	documented := variablesDocumented(t, "docs/configuration.md")
	settings := make(map[string]bool)
	for _, s := range eventdriver.Settings() {
		settings[s.Name] = true
		if !slices.Contains(documented, s.Name) {
			t.Errorf("the setting %s has no row in docs/configuration.md", s.Name)
		}
	}
	for name, where := range used {
		if !slices.Contains(documented, name) {
			t.Errorf("%s: %s has no row in docs/configuration.md", where, name)
		}
	}
	for _, name := range documented {
		if _, ok := used[name]; !ok && !settings[name] {
			t.Errorf("docs/configuration.md: %s is read nowhere", name)
		}
	}
}

// variablesUsed returns the strings in calls of the root package that look like
// variables, and where they are.
func variablesUsed(t *testing.T) map[string]token.Position {
	t.Helper()
	found := make(map[string]token.Position)
	for _, name := range files(t, func(name string) bool { return goFile(name) && !testFile(name) && path.Dir(name) == "." }) {
		set, file := parse(t, name)
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			for _, arg := range call.Args {
				text, ok := arg.(*ast.BasicLit)
				if !ok || text.Kind != token.STRING {
					continue
				}
				if s, err := strconv.Unquote(text.Value); err == nil && variable.MatchString(s) {
					found[s] = set.Position(text.Pos())
				}
			}
			return true
		})
	}
	return found
}

func variablesDocumented(t *testing.T, name string) (names []string) {
	t.Helper()
	for _, line := range newDocument(read(t, name)).lines {
		if found := row.FindStringSubmatch(line); found != nil {
			names = append(names, found[1])
		}
	}
	if len(names) == 0 {
		t.Fatalf("%s has no table of variables", name)
	}
	return names
}

// logged is the first cell of a row that describes a log line.
var logged = regexp.MustCompile("^\\| `([^`]+)` \\| (?:DEBUG|INFO|WARNING|ERROR) \\|")

// TestLogLinesInDocumentsAreLogged looks for each message that docs/operations.md
// explains in the strings of the code.
func TestLogLinesInDocumentsAreLogged(t *testing.T) {
	var messages []string
	for _, line := range newDocument(read(t, "docs/operations.md")).lines {
		if found := logged.FindStringSubmatch(line); found != nil {
			messages = append(messages, found[1])
		}
	}
	if len(messages) == 0 {
		t.Fatal("docs/operations.md has no table of log lines")
	}
	var literals []string
	for _, name := range files(t, func(name string) bool { return goFile(name) && !testFile(name) }) {
		_, file := parse(t, name)
		ast.Inspect(file, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
				literals = append(literals, text.Value)
			}
			return true
		})
	}
	for _, message := range messages {
		if !slices.ContainsFunc(literals, func(l string) bool { return strings.Contains(l, message) }) {
			t.Errorf("docs/operations.md: nothing logs %q", message)
		}
	}
}
