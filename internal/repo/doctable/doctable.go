// Package doctable compares tables and lists of documents with the tests that run their
// rows.
package doctable

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// List is a list in a document, below a line that says what its items share.
type List struct {
	Lead  string
	Items []string
}

// Add adds the name of a test's row to the items, but once, and without what stands in
// brackets in it: by that the test alone tells variants of an item apart.
func (l *List) Add(name string) {
	name, _, _ = strings.Cut(name, " [")
	if name = strings.TrimSpace(name); name != "" && !strings.HasPrefix(name, "[") && !slices.Contains(l.Items, name) {
		l.Items = append(l.Items, name)
	}
}

// Check compares the first table below a heading of a document in Markdown with
// rows, the first of which is its head. With update it writes the table instead.
func Check(t testing.TB, name, heading string, rows [][]string, update bool) {
	t.Helper()
	check(t, name, heading, table(rows), isTable, update)
}

// CheckLists compares the first lists below a heading, down to the next paragraph or
// heading, as [Check] does a table. Their leads are in bold.
func CheckLists(t testing.TB, name, heading string, lists []List, update bool) {
	t.Helper()
	check(t, name, heading, listed(lists), isLists, update)
}

func isTable(line string) bool { return strings.HasPrefix(line, "|") }

func isLists(line string) bool {
	return line == "" || strings.HasPrefix(line, "- ") || strings.HasPrefix(line, "**")
}

func check(t testing.TB, name, heading string, want []string, is func(line string) bool, update bool) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	first := slices.Index(lines, heading)
	if first < 0 {
		t.Fatalf("%s has no heading %q", name, heading)
	}
	first++
	for first < len(lines) && (lines[first] == "" || !is(lines[first])) {
		if strings.HasPrefix(lines[first], "#") {
			t.Fatalf("%s has nothing to compare below %q: add one line of it, and run the test with -update", name, heading)
		}
		first++
	}
	end := first
	for end < len(lines) && is(lines[end]) {
		end++
	}
	for end > first && lines[end-1] == "" {
		end--
	}
	if update {
		lines = slices.Replace(lines, first, end, want...)
		if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, line := range want {
		if !slices.Contains(lines[first:end], line) {
			t.Errorf("%s, %q lacks the line\n%s", name, heading, line)
		}
	}
	if got := lines[first:end]; !t.Failed() && !slices.Equal(got, want) {
		t.Errorf("%s, %q has other lines than the tests, or another order: run this test with -update", name, heading)
	}
}

// listed returns the lines of lists.
func listed(lists []List) (lines []string) {
	for i, list := range lists {
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, "**"+list.Lead+"**", "")
		for _, item := range list.Items {
			lines = append(lines, "- "+item)
		}
	}
	return lines
}

// table returns the lines of a table.
func table(rows [][]string) (lines []string) {
	for i, row := range rows {
		lines = append(lines, fmt.Sprintf("| %s |", strings.Join(row, " | ")))
		if i == 0 {
			lines = append(lines, "|"+strings.Repeat(" --- |", len(row)))
		}
	}
	return lines
}
