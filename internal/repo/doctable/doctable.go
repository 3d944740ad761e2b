// Package doctable keeps tables of documents as the tests have them that run their
// rows.
package doctable

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// Check compares the first table below a heading of a document in Markdown with
// rows, the first of which is its head. With update it writes the table instead.
func Check(t testing.TB, name, heading string, rows [][]string, update bool) {
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
	for first < len(lines) && !strings.HasPrefix(lines[first], "|") {
		if strings.HasPrefix(lines[first], "#") {
			t.Fatalf("%s has no table below %q: add one of one line, and run the test with -update", name, heading)
		}
		first++
	}
	end := first
	for end < len(lines) && strings.HasPrefix(lines[end], "|") {
		end++
	}
	want := table(rows)
	if update {
		lines = slices.Replace(lines, first, end, want...)
		if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, line := range want {
		if !slices.Contains(lines[first:end], line) {
			t.Errorf("%s, %q lacks the row\n%s", name, heading, line)
		}
	}
	if got := lines[first:end]; !t.Failed() && !slices.Equal(got, want) {
		t.Errorf("%s, %q has other rows, or another order, than what is run: run this test with -update", name, heading)
	}
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
