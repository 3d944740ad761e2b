package docs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/internal/repo/markdown"
)

// TestInputsAndOutputsAreDescribed compares the module's variables and outputs with
// the tables of its README: names, defaults, and the descriptions in the same words.
func TestInputsAndOutputsAreDescribed(t *testing.T) {
	inputs := rows(t, "terraform/README.md", "input", "default", "meaning")
	outputs := rows(t, "terraform/README.md", "output", "meaning")
	check := func(m module) []string {
		return append(undescribed(m, "variable", inputs), undescribed(m, "output", outputs)...)
	}
	for _, problem := range check(terraform(t, false)) {
		t.Errorf("terraform/README.md: %s", problem)
	}
	tells(t, false, check, []lie{
		{[3]string{"terraform/outputs.tf", `output "bucket"`, `output "pail"`}, "pail is not described"},
		{[3]string{"terraform/outputs.tf", `output "bucket"`, `output "pail"`}, "bucket is described"},
		{[3]string{"terraform/variables.tf", `default     = "20h"`, `default     = "21h"`}, "max_event_age is 21h by default"},
		{[3]string{"terraform/variables.tf", `default     = "gcs"`, ``}, "store is required by default"},
		{[3]string{"terraform/variables.tf", "Billing must be on.", "Billing must be off."}, "project_id:"},
	})
}

// undescribed returns what the rows, each with the name first and the description last, do not
// say of the module.
func undescribed(m module, kind string, table []markdown.Row) (problems []string) {
	described := make(map[string]markdown.Row)
	for _, row := range table {
		described[row[0]] = row
	}
	for _, b := range m.blocks {
		if b.Type != kind {
			continue
		}
		name := b.Labels[0]
		row, found := described[name]
		delete(described, name)
		if !found {
			problems = append(problems, name+" is not described")
			continue
		}
		// What takes several lines is in the README in other words.
		if says := m.value(m.attribute(b, "description")).AsString(); !strings.Contains(says, "\n") && row[len(row)-1] != says {
			problems = append(problems, fmt.Sprintf("%s: %s", name, says))
		}
		byDefault := "required"
		if a := b.Body.Attributes["default"]; a != nil {
			byDefault = m.text(a.Expr)
		}
		if kind == "variable" && !strings.Contains(byDefault, "\n") && row[1] != byDefault {
			problems = append(problems, fmt.Sprintf("%s is %s by default", name, strings.Trim(byDefault, `"`)))
		}
	}
	for name := range described {
		problems = append(problems, name+" is described, and not there")
	}
	return problems
}

// TestTriggersCallPathsThatTheFunctionKnows compares the paths of both deployments with
// those by which the function knows a source, and the names that they allow.
func TestTriggersCallPathsThatTheFunctionKnows(t *testing.T) {
	const names = `^[A-Za-z][-_A-Za-z0-9]{0,38}$`
	check := func(m module) (problems []string) {
		trigger := m.block("resource", "google_eventarc_trigger", "this")
		path := m.attribute(m.within(m.within(trigger, "destination"), "cloud_run_service"), "path")
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
		{[3]string{"terraform/triggers.tf", "/events/${", "/event/${"}, `"event1" calls /event/event1`},
		{[3]string{"terraform/variables_sources.tf", "^[A-Za-z][-_A-Za-z0-9]{0,38}$", "^[A-Za-z0-9][-_A-Za-z0-9]{0,38}$"}, "not bound by"},
	})

	script := read(t, "deploy/gcloud.sh")
	path := regexp.MustCompile(`(?m) path=(\S+)$`).FindStringSubmatch(script)
	allowed := regexp.MustCompile(`\^\[[A-Za-z-]+\]\[-[_A-Za-z0-9-]+\]\{0,38\}\$`).FindString(script)
	if path == nil || allowed == "" {
		t.Fatalf("deploy/gcloud.sh: paths %q, names %q", path, allowed)
	}
	for _, problem := range wrongPaths(allowed, func(source string) string { return strings.ReplaceAll(path[1], "${events[i]}", source) }) {
		t.Errorf("deploy/gcloud.sh: %s", problem)
	}
}

// wrongPaths says which of the sources with such names have another path than the function knows.
func wrongPaths(names string, path func(source string) string) (problems []string) {
	for _, name := range []string{"event1", "a", "order-created", "Paid_2", "1st", "a.b", "", "-a", "é", "a/b"} {
		if regexp.MustCompile(names).MatchString(name) && convert.SourcePath(name) != path(name) {
			problems = append(problems, fmt.Sprintf("the trigger of %q calls %s, and the function knows it by %q", name, path(name), convert.SourcePath(name)))
		}
	}
	return problems
}
