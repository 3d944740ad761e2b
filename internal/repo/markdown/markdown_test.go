package markdown_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/internal/repo/markdown"
)

func TestMarkdownIsTakenApart(t *testing.T) {
	d := markdown.Parse(strings.Join([]string{
		"# The `driver` package, in [Go](https://go.dev)!",
		"## Again", "## Again", "",
		"See [a](x.md#y), [`TestB`](b_test.go) and ![c](c.png \"C\"), not `[d](d)` and not \\[d](d);",
		"but [over two", "lines](h.md), [by name][g] and [![i](i.svg)](j.md).",
		"```go", "[e](e)", "# f", "```", "",
		"[g]: g.md", "[k]: <k l.md> 'K'", "", "~~~", "```", "~~~",
		"<a id=\"own\"></a>", "",
		"| `m` | n |", "| --- | --- |", "| `o\\|p` | [q](r.md) and **s** |", "",
		"- a list", "  ```sh  in the background", "  make", "  ```",
		"<!-- [t](t.md) -->",
	}, "\n"))
	wantLinks := []markdown.Link{{"Go", "https://go.dev", 1}, {"a", "x.md#y", 5}, {"TestB", "b_test.go", 5}, {"c", "c.png", 5},
		{"over two lines", "h.md", 6}, {"by name", "g.md", 7}, {"i", "j.md", 7}, {"i", "i.svg", 7}, {"g", "g.md", 13}, {"k", "k l.md", 14}, {"q", "r.md", 23}}
	if !slices.Equal(d.Links, wantLinks) {
		t.Errorf("links are\n%v\nwant\n%v", d.Links, wantLinks)
	}
	wantAnchors := []string{"again", "again-1", "own", "the-driver-package-in-go"}
	if got := slices.Sorted(maps.Keys(d.Anchors)); !slices.Equal(got, wantAnchors) {
		t.Errorf("anchors are %q, want %q", got, wantAnchors)
	}
	wantBlocks := []markdown.Block{
		{"go", 9, "[e](e)\n# f\n", ""}, {"", 17, "```\n", ""}, {"sh", 27, "make\n", "in the background"}}
	if !slices.Equal(d.Blocks, wantBlocks) {
		t.Errorf("blocks are %+v, want %+v", d.Blocks, wantBlocks)
	}
	wantTables := [][]markdown.Row{{{"m", "n"}, {"o|p", "q and s"}}}
	if !reflect.DeepEqual(d.Tables, wantTables) {
		t.Errorf("tables are %q, want %q", d.Tables, wantTables)
	}
}
