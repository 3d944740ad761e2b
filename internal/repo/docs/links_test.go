package docs

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example.com/eventdriver/internal/repo/markdown"
)

// A link whose text is the name of a test claims that the test is there. This is
// how a guarantee names its proof:
//
//	[TestSecondLook](driver/joiner/joiner_test.go)
//
// Several may stand side by side: TestA, TestB. A subtest may follow:
// TestSecondLook/at_once. file_test.go#TestSecondLook as the target claims the same.
var testName = regexp.MustCompile("^((?:Test|Fuzz|Example|Benchmark)[A-Z_][A-Za-z0-9_]*)(?:/.*)?$")

var external = regexp.MustCompile(`^(?:[a-z][a-z0-9+.-]*:|//)`)

// TestLinks checks every link that stays within the repository: its file exists,
// its anchor is a heading, its test is declared.
func TestLinks(t *testing.T) {
	for _, name := range documents(t) {
		for _, l := range document(t, name).Links {
			if err := checkLink(t, name, l); err != nil {
				t.Errorf("%s:%d: [%s](%s): %v", name, l.Line, l.Text, l.Target, err)
			}
		}
	}
}

func checkLink(t *testing.T, from string, l markdown.Link) error {
	t.Helper()
	if external.MatchString(l.Target) {
		if testName.MatchString(l.Text) {
			return fmt.Errorf("a link to a test must be a path in this repository")
		}
		return nil
	}
	target, anchor, _ := strings.Cut(l.Target, "#")
	file := from
	if target != "" {
		file = path.Join(path.Dir(from), target)
	}
	if strings.HasPrefix(target, "/") || file == ".." || strings.HasPrefix(file, "../") {
		return fmt.Errorf("it must be relative, and stay within the repository")
	}
	if file == "orders_test.go" {
		return fmt.Errorf("%s is deleted by those who replace the business", file)
	}
	info, err := os.Stat(filepath.Join(root, file))
	if err != nil {
		return fmt.Errorf("%s does not exist", file)
	}
	if info.IsDir() && anchor != "" {
		return fmt.Errorf("%s is a folder and has no anchors", file)
	}
	if path.Ext(file) == ".md" && anchor != "" && !document(t, file).Anchors[anchor] {
		return fmt.Errorf("%s has no heading #%s", file, anchor)
	}
	for _, claim := range append(strings.Split(l.Text, ", "), anchor) {
		found := testName.FindStringSubmatch(claim)
		if found == nil || path.Ext(file) == ".md" && claim == anchor {
			continue
		}
		if path.Ext(file) != ".go" || !declares(t, file, found[1]) {
			return fmt.Errorf("%s declares no function %s", file, found[1])
		}
	}
	return nil
}

// declares says that a file has a function of that name.
func declares(t *testing.T, name, function string) bool {
	t.Helper()
	_, file := parse(t, name)
	for _, d := range file.Decls {
		if d, ok := d.(*ast.FuncDecl); ok && d.Recv == nil && d.Name.Name == function {
			return true
		}
	}
	return false
}

// TestLinksThatLie makes sure that the check can fail.
func TestLinksThatLie(t *testing.T) {
	const from = "docs/design.md"
	tests := []struct {
		text, target string
		ok           bool
	}{
		{"the web", "https://go.dev/doc#nowhere", true},
		{"a mail", "mailto:you@example.org", true},
		{"a folder", "../driver", true},
		{"a file", "../driver/doc.go", true},
		{"here", "#design", true},
		{"TestLinks", "../internal/repo/docs/links_test.go", true},
		{"TestLinks, TestLinksThatLie", "../internal/repo/docs/links_test.go", true},
		{"TestLinks/some_case", "../internal/repo/docs/links_test.go", true},
		{"proof", "../internal/repo/docs/links_test.go#TestLinks", true},
		{"Testing in general", "../driver", true},

		{"a file", "../driver/gone.go", false},
		{"the sample's test", "../orders_test.go", false},
		{"here", "#no-such-heading", false},
		{"there", "../CONTRIBUTING.md#no-such-heading", false},
		{"outside", "../../outside", false},
		{"absolute", "/etc/hosts", false},
		{"TestNoSuch", "../internal/repo/docs/links_test.go", false},
		{"TestLinks, TestNoSuch", "../internal/repo/docs/links_test.go", false},
		{"proof", "../internal/repo/docs/links_test.go#TestNoSuch", false},
		{"TestLinks", "../internal/repo/docs", false},
		{"TestLinks", "https://go.dev", false},
		{"TestTestName", "../internal/repo/docs/links_test.go", false}, // a variable or nothing
	}
	for _, test := range tests {
		if err := checkLink(t, from, markdown.Link{Text: test.text, Target: test.target, Line: 1}); (err == nil) != test.ok {
			t.Errorf("[%s](%s): %v, want ok: %v", test.text, test.target, err, test.ok)
		}
	}
}
