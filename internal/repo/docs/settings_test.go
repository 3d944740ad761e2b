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
	for _, name := range files(t, func(name string) bool {
		return goFile(name) && !testFile(name) && !userFile(name) && path.Dir(name) == "."
	}) {
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

// variablesDocumented returns the variables of both tables.
func variablesDocumented(t *testing.T, name string) (names []string) {
	t.Helper()
	for _, row := range slices.Concat(rows(t, name, "variable", "default", "meaning"), rows(t, name, "variable", "set by", "used for")) {
		names = append(names, row[0])
	}
	return names
}

// TestLogLinesInDocumentsAreLogged looks for each message that docs/operations.md
// explains in the strings of the code.
func TestLogLinesInDocumentsAreLogged(t *testing.T) {
	var messages []string
	for _, row := range rows(t, "docs/operations.md", "message", "severity", "meaning, and what to do") {
		messages = append(messages, row[0])
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
