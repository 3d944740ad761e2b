package docs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// guards are what refuses to be destroyed while there is state, the first of them first.
var guards = []string{"google_bigquery_table.keys", "google_storage_managed_folder.events"}

// before returns what Terraform would destroy before, or beside, what refuses.
func before(m module) (problems []string) {
	needs := m.needs()
	reached := make(map[string]bool)
	var reach func(name string)
	reach = func(name string) {
		if reached[name] {
			return
		}
		reached[name] = true
		for _, next := range needs[name] {
			reach(next)
		}
	}
	for _, guard := range slices.Backward(guards) { // each has all that the next has, and that one
		if reached[guard] {
			problems = append(problems, fmt.Sprintf("%s waits for %s", guards[len(guards)-1], guard))
		}
		reached = make(map[string]bool)
		reach(guard)
		for _, name := range slices.Sorted(maps.Keys(needs)) {
			if !reached[name] && isResource(name) && !slices.Contains(guards, name) {
				problems = append(problems, fmt.Sprintf("%s does not wait for %s", guard, name))
			}
		}
	}
	if !reached[guards[1]] {
		problems = append(problems, fmt.Sprintf("%s does not wait for %s", guards[0], guards[1]))
	}
	return problems
}

// needs returns what each resource and local value refers to.
func (m module) needs() map[string][]string {
	needs := make(map[string][]string)
	for _, b := range m.blocks {
		switch b.Type {
		case "resource":
			needs[strings.Join(b.Labels, ".")] = references(b.Body)
		case "data":
			needs["data."+strings.Join(b.Labels, ".")] = references(b.Body)
		case "locals":
			for name, a := range b.Body.Attributes {
				needs["local."+name] = references(a.Expr)
			}
		}
	}
	return needs
}

// references returns the addresses of the resources and local values that are referred to within a node.
func references(n hclsyntax.Node) (names []string) {
	_ = hclsyntax.VisitAll(n, func(n hclsyntax.Node) hcl.Diagnostics {
		e, ok := n.(*hclsyntax.ScopeTraversalExpr)
		if !ok {
			return nil
		}
		name, parts := e.Traversal.RootName(), 1
		if name == "data" {
			parts = 2
		}
		for _, part := range e.Traversal[1:] {
			if attribute, ok := part.(hcl.TraverseAttr); ok && parts > 0 {
				name, parts = name+"."+attribute.Name, parts-1
			}
		}
		names = append(names, name)
		return nil
	})
	return names
}

func isResource(name string) bool {
	return strings.HasPrefix(name, "google_") || strings.HasPrefix(name, "terraform_data.")
}

// TestDestroyIsRefusedBeforeAnythingGoes: terraform destroy begins with what depends on all else, and stops there
// while there is state.
func TestDestroyIsRefusedBeforeAnythingGoes(t *testing.T) {
	for _, problem := range before(terraform(t, false)) {
		t.Error(problem)
	}
	tells(t, false, before, []lie{
		{[3]string{"terraform/teardown.tf", "    google_monitoring_alert_policy.log,\n", ""}, "google_storage_managed_folder.events does not wait for google_monitoring_alert_policy.log"},
		{[3]string{"terraform/teardown.tf", "    google_cloud_scheduler_job.sweep,\n", ""}, "google_bigquery_table.keys does not wait for google_cloud_scheduler_job.sweep"},
		{[3]string{"terraform/stores.tf", "google_storage_managed_folder.events, ", ""}, "google_bigquery_table.keys does not wait for google_storage_managed_folder.events"},
		{[3]string{"terraform/teardown.tf", "  depends_on = [terraform_data.whole]\n", ""}, "google_storage_managed_folder.events does not wait for terraform_data.whole"},
	})
}
