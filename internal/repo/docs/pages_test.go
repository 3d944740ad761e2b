package docs

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/repo/markdown"
)

// TestPagesAreListed: llms.txt, which tools read first, has a link to each page, and its links lead
// somewhere. So have the two tables of contents.
func TestPagesAreListed(t *testing.T) {
	for name, listed := range map[string]func(page string) bool{
		"llms.txt": func(page string) bool { return strings.HasPrefix(page, "docs/") && page != "docs/README.md" },
		"docs/README.md": func(page string) bool {
			return page == "docs/how-to/README.md" || path.Dir(page) == "docs" && page != "docs/README.md"
		},
		"docs/how-to/README.md": func(page string) bool {
			return path.Dir(page) == "docs/how-to" && page != "docs/how-to/README.md"
		},
	} {
		for _, problem := range unlisted(t, name, read(t, name), listed) {
			t.Errorf("%s: %s", name, problem)
		}
	}
	lie := strings.Replace(read(t, "llms.txt"), "docs/how-to/cost.md", "docs/how-to/price.md", 1)
	problems := unlisted(t, "llms.txt", lie, func(page string) bool { return strings.HasPrefix(page, "docs/how-to/") })
	if len(problems) != 2 || !strings.Contains(problems[0], "price.md") || !strings.Contains(problems[1], "cost.md") {
		t.Errorf("a link that leads nowhere: %q", problems)
	}
}

// unlisted returns the links in a list that lead nowhere, and the pages that it lacks.
func unlisted(t *testing.T, name, text string, listed func(page string) bool) (problems []string) {
	t.Helper()
	var targets []string
	for _, l := range markdown.Parse(text).Links {
		if err := checkLink(t, name, l); err != nil {
			problems = append(problems, l.Target+": "+err.Error())
		}
		target, _, _ := strings.Cut(l.Target, "#")
		targets = append(targets, path.Join(path.Dir(name), target))
	}
	for _, page := range documents(t) {
		if listed(page) && !slices.Contains(targets, page) {
			problems = append(problems, "it has no link to "+page)
		}
	}
	return problems
}

var reasonConstant = regexp.MustCompile(`(?m)^\tReason\w+ +Reason = "([a-z-]+)"`)

// TestReasonsAreExplained compares the reasons of dead letters with the table for those who find one.
func TestReasonsAreExplained(t *testing.T) {
	var explained, there []string
	for _, row := range rows(t, "docs/operations.md", "reason", "what happened", "fix") {
		explained = append(explained, row[0])
	}
	for _, found := range reasonConstant.FindAllStringSubmatch(read(t, "driver/errors.go"), -1) {
		there = append(there, found[1])
	}
	var listed []string
	for _, reason := range driver.Reasons() {
		listed = append(listed, string(reason))
	}
	if !slices.Equal(listed, there) {
		t.Errorf("driver.Reasons returns\n%q, and there are\n%q", listed, there)
	}
	slices.Sort(explained)
	slices.Sort(there)
	if !slices.Contains(there, string(driver.ReasonPermanent)) || !slices.Equal(explained, there) {
		t.Errorf("docs/operations.md explains the reasons\n%q, and there are\n%q", explained, there)
	}
}
