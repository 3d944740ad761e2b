package docs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// missing returns what a text refers to that is not in the module, or has several instances there.
func (m module) missing(text string) (problems []string) {
	m.t.Helper()
	file, diagnostics := hclsyntax.ParseConfig([]byte(text), "page", hcl.InitialPos)
	if diagnostics.HasErrors() {
		m.t.Fatal(diagnostics)
	}
	there := make(map[string]bool)
	for _, b := range m.blocks {
		switch b.Type {
		case "locals":
			for name := range b.Body.Attributes {
				there["local."+name] = true
			}
		case "variable":
			there["var."+b.Labels[0]] = true
		case "resource":
			there[strings.Join(b.Labels, ".")] = b.Body.Attributes["count"] == nil && b.Body.Attributes["for_each"] == nil
		}
	}
	for _, name := range references(file.Body.(*hclsyntax.Body)) {
		root, _, _ := strings.Cut(name, ".")
		if (slices.Contains([]string{"var", "local"}, root) || isResource(name)) && !there[name] {
			problems = append(problems, fmt.Sprintf("%s is not in the module, or not once", name))
		}
	}
	return problems
}

// TestCloudRunServiceFitsIntoTheModule: the resource in docs/how-to/cloud-run-api.md is for a copy of the module, so it
// refers to what is there.
func TestCloudRunServiceFitsIntoTheModule(t *testing.T) {
	m, found := terraform(t, false), 0
	for _, b := range document(t, "docs/how-to/cloud-run-api.md").Blocks {
		if !strings.HasPrefix(b.Text, `resource "google_cloud_run_v2_service" "this"`) {
			continue
		}
		found++
		for _, problem := range m.missing(b.Text) {
			t.Error(problem)
		}
		lie := strings.Replace(b.Text, "local.accounts.run", "google_service_account.run.email", 1)
		if len(m.missing(lie)) != 1 {
			t.Errorf("an account that may not be made is not noticed: %q", m.missing(lie))
		}
	}
	if found != 1 {
		t.Errorf("%d such resources, want one", found)
	}
}
