package docs

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// required are the documents without which something is missing.
var required = []string{
	"README.md", "CONTRIBUTING.md", "CHANGELOG.md",
	"docs/configuration.md", "docs/deploy.md", "docs/design.md", "docs/migration.md", "docs/operations.md",
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

// block is a fenced block of code in a document.
type block struct {
	language string
	line     int // of its first line, from 1
	text     string
}

// document is Markdown taken apart.
type document struct {
	lines  []string // without the fenced blocks, which are blank here
	blocks []block
}

var fence = regexp.MustCompile("^\\s*(```+|~~~+)\\s*([^`\\s]*)")

func newDocument(text string) (d document) {
	var open string // the fence that the current block began with
	for n, line := range strings.Split(text, "\n") {
		found := fence.FindStringSubmatch(line)
		switch {
		case open == "" && found != nil:
			open = found[1]
			d.blocks = append(d.blocks, block{language: found[2], line: n + 2})
			line = ""
		case open != "" && found != nil && found[2] == "" && strings.HasPrefix(found[1], open):
			open, line = "", ""
		case open != "":
			d.blocks[len(d.blocks)-1].text += line + "\n"
			line = ""
		}
		d.lines = append(d.lines, line)
	}
	return d
}

// link is a link in a document; images count.
type link struct {
	text, target string
	line         int // from 1
}

var (
	inlineLink    = regexp.MustCompile(`\[((?:[^\[\]]|\[[^\]]*\])*)\]\(\s*<?([^)\s>]*)>?(?:\s+"[^"]*")?\s*\)`)
	referenceLink = regexp.MustCompile(`^\s{0,3}\[([^\]]+)\]:\s*<?([^\s>]+)>?`)
	codeSpan      = regexp.MustCompile("`[^`]*`")
)

func (d document) links() (links []link) {
	for n, line := range d.lines {
		line = codeSpan.ReplaceAllStringFunc(line, func(code string) string {
			if strings.Contains(code, "](") {
				return ""
			}
			return code
		})
		for _, found := range inlineLink.FindAllStringSubmatch(line, -1) {
			links = append(links, link{found[1], found[2], n + 1})
		}
		if found := referenceLink.FindStringSubmatch(line); found != nil {
			links = append(links, link{found[1], found[2], n + 1})
		}
	}
	return links
}

var (
	heading     = regexp.MustCompile(`^ {0,3}#{1,6}\s+(.*?)\s*#*\s*$`)
	ownAnchor   = regexp.MustCompile(`<a\s+(?:id|name)="([^"]+)"`)
	linkInTitle = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// anchors returns what the part of a link behind # may be, as GitHub makes it of
// headings.
func (d document) anchors() map[string]bool {
	anchors := make(map[string]bool)
	seen := make(map[string]int)
	for _, line := range d.lines {
		for _, found := range ownAnchor.FindAllStringSubmatch(line, -1) {
			anchors[found[1]] = true
		}
		found := heading.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		anchor := slug(found[1])
		if n := seen[anchor]; n > 0 {
			anchors[anchor+"-"+strconv.Itoa(n)] = true
		} else {
			anchors[anchor] = true
		}
		seen[anchor]++
	}
	return anchors
}

func slug(title string) string {
	title = linkInTitle.ReplaceAllString(title, "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}

func TestMarkdownIsTakenApart(t *testing.T) {
	d := newDocument(strings.Join([]string{
		"# The `driver` package, in [Go](https://go.dev)!",
		"## Again", "## Again",
		"See [a](x.md#y), [`TestB`](b_test.go) and ![c](c.png \"C\"), not `[d](d)`.",
		"```go", "[e](e)", "# f", "```",
		"[g]: g.md", "~~~", "```", "~~~",
	}, "\n"))
	wantLinks := []link{{"Go", "https://go.dev", 1}, {"a", "x.md#y", 4}, {"`TestB`", "b_test.go", 4}, {"c", "c.png", 4}, {"g", "g.md", 9}}
	if got := d.links(); !slices.Equal(got, wantLinks) {
		t.Errorf("links are %v, want %v", got, wantLinks)
	}
	anchors := d.anchors()
	for _, want := range []string{"the-driver-package-in-go", "again", "again-1"} {
		if !anchors[want] {
			t.Errorf("no anchor %q in %v", want, anchors)
		}
	}
	if len(anchors) != 3 {
		t.Errorf("anchors are %v, want 3", anchors)
	}
	wantBlocks := []block{{"go", 6, "[e](e)\n# f\n"}, {"", 11, "```\n"}}
	if !slices.Equal(d.blocks, wantBlocks) {
		t.Errorf("blocks are %+v, want %+v", d.blocks, wantBlocks)
	}
}
