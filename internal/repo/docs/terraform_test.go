package docs

import (
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/internal/repo/doctable"
)

var update = flag.Bool("update", false, "write the generated tables of the documents")

// inOtherWords are the defaults and descriptions that take several lines in the module.
var inOtherWords = map[string]string{
	"default of sources":     "event1, event2 and event3, each with a topic of its own",
	"description of sources": "The events to join, by name, each with where it comes from: see [variables_sources.tf](variables_sources.tf).",
}

// TestTablesOfTheModule: the tables of terraform/README.md are made from the module's variables and
// outputs. To write them anew:
//
//	go test ./internal/repo/docs -run TestTablesOfTheModule -update
func TestTablesOfTheModule(t *testing.T) {
	m := terraform(t, false)
	inputs := append([][]string{{"input", "default", "meaning"}}, described(m, "variable")...)
	outputs := append([][]string{{"output", "meaning"}}, described(m, "output")...)
	doctable.Check(t, filepath.Join(root, "terraform/README.md"), "## Inputs", inputs, *update)
	doctable.Check(t, filepath.Join(root, "terraform/README.md"), "## Outputs", outputs, *update)
}

// described returns a row for each variable or output: its name, for variables the default, and what it
// is for.
func described(m module, kind string) (rows [][]string) {
	m.t.Helper()
	for _, file := range slices.Sorted(maps.Keys(m.source)) {
		for _, b := range m.blocks {
			if b.Type != kind || b.DefRange().Filename != file {
				continue
			}
			row := []string{"`" + b.Labels[0] + "`"}
			if kind == "variable" {
				row = append(row, m.byDefault(b))
			}
			rows = append(rows, append(row, m.meaning(b)))
		}
	}
	return rows
}

// byDefault returns the default of a variable, as the table has it.
func (m module) byDefault(b *hclsyntax.Block) string {
	a := b.Body.Attributes["default"]
	if a == nil {
		return "required"
	}
	return m.inWords("default", b, m.text(a.Expr), "`")
}

var documentName = regexp.MustCompile(`\bdocs/(\w+)\.md\b`)

// meaning returns the description of a variable or output, with links to documents.
func (m module) meaning(b *hclsyntax.Block) string {
	says := m.inWords("description", b, m.value(m.attribute(b, "description")).AsString(), "")
	return documentName.ReplaceAllString(says, "[docs/$1.md](../docs/$1.md)")
}

func (m module) inWords(what string, b *hclsyntax.Block, text, quote string) string {
	m.t.Helper()
	if !strings.Contains(strings.TrimSpace(text), "\n") {
		return quote + text + quote
	}
	words, found := inOtherWords[what+" of "+b.Labels[0]]
	if !found {
		m.t.Fatalf("the %s of %s takes several lines: give it one in inOtherWords", what, b.Labels[0])
	}
	return words
}

// TestTriggersCallPathsThatTheFunctionKnows compares the paths of both deployments with
// those by which the function knows a source, and the names that they allow.
func TestTriggersCallPathsThatTheFunctionKnows(t *testing.T) {
	const names = `^[A-Za-z]([-_A-Za-z0-9]{0,37}[A-Za-z0-9])?$`
	check := func(m module) (problems []string) {
		trigger := m.block("resource", "google_eventarc_trigger", "this")
		path := m.attribute(m.within(m.within(trigger, "destination"), "cloud_run_service"), "path")
		push := m.block("resource", "google_pubsub_subscription", "source")
		if endpoint := m.text(m.attribute(m.within(push, "push_config"), "push_endpoint")); !strings.HasSuffix(endpoint, "uri}"+strings.TrimPrefix(m.text(path), `"`)) {
			problems = append(problems, "a push subscription calls "+endpoint)
		}
		var allowed []string
		for _, call := range calls(m.block("variable", "sources").Body, "regex") {
			allowed = append(allowed, m.value(call.Args[0]).AsString())
		}
		if !slices.Contains(allowed, names) {
			problems = append(problems, fmt.Sprintf("the names of sources are not bound by %s, but by one of %q", names, allowed))
		}
		return append(problems, wrongPaths(names, func(source string) string {
			v, diagnostics := path.Value(&hcl.EvalContext{Variables: map[string]cty.Value{
				"each": cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(source)})}})
			if diagnostics.HasErrors() {
				t.Fatal(diagnostics)
			}
			return v.AsString()
		})...)
	}
	for _, problem := range check(terraform(t, false)) {
		t.Errorf("terraform: %s", problem)
	}
	tells(t, false, check, []lie{
		{[3]string{"terraform/triggers.tf", `"/events/${`, `"/event/${`}, `"event1" calls /event/event1`},
		{[3]string{"terraform/triggers.tf", "uri}/events/${", "uri}/event/${"}, "a push subscription calls"},
		{[3]string{"terraform/variables_sources.tf", "^[A-Za-z]([-_A-Za-z0-9]{0,37}[A-Za-z0-9])?$",
			"^[A-Za-z0-9]([-_A-Za-z0-9]{0,37}[A-Za-z0-9])?$"}, "not bound by"},
	})

	script := gcloudScript(t)
	path := regexp.MustCompile(`(?m) path=(\S+)$`).FindStringSubmatch(script)
	allowed := regexp.MustCompile(`\^\[[A-Za-z-]+\]\(\[-[_A-Za-z0-9-]+\]\{0,37\}\[[a-z0-9-]+\]\)\?\$`).FindString(script)
	if path == nil || allowed == "" {
		t.Fatalf("deploy/gcloud.sh: paths %q, names %q", path, allowed)
	}
	for _, problem := range wrongPaths(allowed, func(source string) string { return strings.ReplaceAll(path[1], "${events[i]}", source) }) {
		t.Errorf("deploy/gcloud.sh: %s", problem)
	}
}

// wrongPaths says which of the sources with such names have another path than the function knows.
func wrongPaths(names string, path func(source string) string) (problems []string) {
	for _, name := range []string{"event1", "a", "order-created", "Paid_2", "1st", "a.b", "", "-a", "a-", "é", "a/b"} {
		if regexp.MustCompile(names).MatchString(name) && convert.SourcePath(name) != path(name) {
			problems = append(problems, fmt.Sprintf("the trigger of %q calls %s, and the function knows it by %q", name, path(name), convert.SourcePath(name)))
		}
	}
	return problems
}
