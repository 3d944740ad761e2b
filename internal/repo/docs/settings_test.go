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
	texts := literals(t)
	for _, row := range rows(t, "docs/operations.md", "message", "severity", "meaning, and what to do") {
		if !slices.ContainsFunc(texts, func(l string) bool { return strings.Contains(l, row[0]) }) {
			t.Errorf("docs/operations.md: nothing logs %q", row[0])
		}
	}
}

// TestAnswersInDocumentsAreGiven does the same for the bodies of answers, up to what
// differs from one to the next.
func TestAnswersInDocumentsAreGiven(t *testing.T) {
	texts, bodies := literals(t), 0
	for _, row := range rows(t, "docs/operations.md", "status", "body", "meaning, and what to do") {
		body, _, _ := strings.Cut(row[1], "REASON")
		if body == "" || body == "anything else" {
			continue
		}
		bodies++
		if !slices.ContainsFunc(texts, func(l string) bool { return strings.Contains(l, body) }) {
			t.Errorf("docs/operations.md: no answer has the body %q", body)
		}
	}
	if bodies < 5 {
		t.Errorf("docs/operations.md has %d bodies only", bodies)
	}
}

// literals returns the strings in the code.
func literals(t *testing.T) (texts []string) {
	t.Helper()
	for _, name := range files(t, func(name string) bool { return goFile(name) && !testFile(name) }) {
		_, file := parse(t, name)
		ast.Inspect(file, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
				texts = append(texts, text.Value)
			}
			return true
		})
	}
	return texts
}

// assignment is a text that begins like NAME=value.
var assignment = regexp.MustCompile(`^[A-Z][A-Z0-9_]+=`)

// TestVariablesInTheCodeAreKnown finds misspelled variables in what tools and tests start
// the function with. The tests of the warning about such variables misspell them on purpose.
func TestVariablesInTheCodeAreKnown(t *testing.T) {
	found := 0
	for _, name := range files(t, func(name string) bool { return goFile(name) && path.Base(name) != "settings_unknown_test.go" }) {
		set, file := parse(t, name)
		ast.Inspect(file, func(n ast.Node) bool {
			text, ok := n.(*ast.BasicLit)
			if !ok || text.Kind != token.STRING {
				return true
			}
			s, err := strconv.Unquote(text.Value)
			if err != nil || !assignment.MatchString(s) {
				return true
			}
			found++
			for _, sentence := range eventdriver.UnknownVariables([]string{s}) {
				t.Errorf("%s: %s", set.Position(text.Pos()), sentence)
			}
			return true
		})
	}
	if found < 20 {
		t.Errorf("found %d variables only", found)
	}
}
