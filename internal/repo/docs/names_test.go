package docs

import (
	"go/ast"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// codeSpan is code within a line, and nameInCode a name with its package, such as joiner.New.
var codeSpan = regexp.MustCompile("`[^`\n]*`")

var nameInCode = regexp.MustCompile(`\b([a-z]+)\.([A-Z]\w*)`)

// TestNamesInDocumentsExist looks for the exported names that documents mention, with
// their package, among those of this module.
func TestNamesInDocumentsExist(t *testing.T) {
	packages := exportedNames(t)
	found := 0
	for _, name := range documents(t) {
		for _, missing := range missingNames(read(t, name), packages, &found) {
			t.Errorf("%s: there is no %s", name, missing)
		}
	}
	if found < 10 {
		t.Errorf("the documents mention %d names of this module; want some", found)
	}
}

func TestNamesThatDoNotExistAreFound(t *testing.T) {
	text := "`joiner.New(joiner.MatchAl(\"a\"))`, `slog.Default`, joiner.Nothing and `driver.Gone`"
	found := 0
	got := missingNames(text, exportedNames(t), &found)
	if want := []string{"joiner.MatchAl", "driver.Gone"}; !slices.Equal(got, want) || found != 1 {
		t.Errorf("missing are %q, and %d are there; want %q, and one", got, found, want)
	}
}

// missingNames returns the names in spans of code that the packages do not have, and counts
// those that they have.
func missingNames(text string, packages map[string]map[string]bool, found *int) (missing []string) {
	for _, span := range codeSpan.FindAllString(text, -1) {
		for _, parts := range nameInCode.FindAllStringSubmatch(span, -1) {
			switch names := packages[parts[1]]; {
			case names == nil: // a package of others
			case names[parts[2]]:
				*found++
			default:
				missing = append(missing, parts[0])
			}
		}
	}
	return missing
}

// exportedNames returns the exported names of the packages that users import, by package.
func exportedNames(t *testing.T) map[string]map[string]bool {
	t.Helper()
	names := make(map[string]map[string]bool)
	for _, name := range files(t, func(name string) bool {
		return goFile(name) && !testFile(name) && path.Dir(name) != "." && !strings.Contains("/"+name, "/internal/") &&
			!strings.HasPrefix(name, "proof/") && !strings.HasPrefix(name, "examples/")
	}) {
		_, file := parse(t, name)
		if names[file.Name.Name] == nil {
			names[file.Name.Name] = make(map[string]bool)
		}
		maps.Copy(names[file.Name.Name], declared(file))
	}
	return names
}

// declared returns the exported names that a file declares outside of functions and types.
func declared(file *ast.File) map[string]bool {
	names := make(map[string]bool)
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				names[d.Name.Name] = true
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					names[spec.Name.Name] = true
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						names[name.Name] = true
					}
				}
			}
		}
	}
	return names
}
