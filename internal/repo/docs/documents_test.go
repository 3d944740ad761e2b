package docs

import (
	"path"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/internal/repo/markdown"
)

// required are the documents without which something is missing.
var required = []string{
	"README.md", "CONTRIBUTING.md", "CHANGELOG.md",
	"docs/README.md", "docs/tutorial.md", "docs/configuration.md", "docs/deploy.md", "docs/design.md", "docs/migration.md", "docs/operations.md",
}

func documents(t *testing.T) []string {
	return files(t, func(name string) bool { return path.Ext(name) == ".md" && !strings.Contains("/"+name, "/testdata/") })
}

func TestRequiredDocumentsAreThere(t *testing.T) {
	there := documents(t)
	for _, name := range required {
		if !slices.Contains(there, name) {
			t.Errorf("%s is missing", name)
		}
	}
}

func document(t *testing.T, name string) markdown.Document { return markdown.Parse(read(t, name)) }

// rows returns the rows of the tables of a document that have such a head, without it.
func rows(t *testing.T, name string, head ...string) (found []markdown.Row) {
	t.Helper()
	for _, table := range document(t, name).Tables {
		if slices.Equal(table[0], head) {
			found = append(found, table[1:]...)
		}
	}
	if len(found) == 0 {
		t.Fatalf("%s has no table with the head %q, or no rows in it", name, head)
	}
	return found
}
