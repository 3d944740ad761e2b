package docs

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	declared  = regexp.MustCompile(`(?m)^(?:variable|output) "(\w+)"`)
	described = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|")
)

// TestInputsAndOutputsAreDescribed compares the module's variables and outputs with
// the tables of its README.
func TestInputsAndOutputsAreDescribed(t *testing.T) {
	names := func(of *regexp.Regexp, text string) (found []string) {
		for _, match := range of.FindAllStringSubmatch(text, -1) {
			found = append(found, match[1])
		}
		slices.Sort(found)
		return found
	}
	var module strings.Builder
	for _, name := range files(t, func(name string) bool { return path.Dir(name) == "terraform" && path.Ext(name) == ".tf" }) {
		module.WriteString(read(t, name))
	}
	if got, want := names(described, read(t, "terraform/README.md")), names(declared, module.String()); !slices.Equal(got, want) {
		t.Errorf("terraform/README.md describes\n%q\nbut the module has\n%q", got, want)
	}
}

// TestModuleTellsTheFunctionWhatItReads: each variable that the module sets is one
// that the function, or the platform, reads.
func TestModuleTellsTheFunctionWhatItReads(t *testing.T) {
	_, environment, found := strings.Cut(read(t, "terraform/function.tf"), "environment = merge(")
	if !found {
		t.Fatal("terraform/function.tf sets no environment")
	}
	environment, _, _ = strings.Cut(environment, "\n  )\n")
	known := append(variablesDocumented(t, "docs/configuration.md"), "CLOUD_RUN_TIMEOUT_SECONDS", "LOG_EXECUTION_ID")
	set := regexp.MustCompile(`\b([A-Z][A-Z_]+[A-Z]) += `).FindAllStringSubmatch(environment, -1)
	if len(set) < 10 {
		t.Fatalf("found %q only", set)
	}
	for _, match := range set {
		if !slices.Contains(known, match[1]) && !strings.HasPrefix(match[1], "BIGQUERY_") {
			t.Errorf("terraform/function.tf sets %s, which nothing reads", match[1])
		}
	}
}

// TestModuleGrantsNothingWhole: a binding, or a policy, would take a role or a whole
// resource from everybody else.
func TestModuleGrantsNothingWhole(t *testing.T) {
	whole := regexp.MustCompile(`resource "google_\w+_iam_(?:binding|policy)"|\ballUsers\b|\ballAuthenticatedUsers\b|roles/(?:owner|editor|viewer)\b`)
	for _, name := range files(t, func(name string) bool { return strings.HasPrefix(name, "terraform/") && path.Ext(name) == ".tf" }) {
		if found := whole.FindString(read(t, name)); found != "" {
			t.Errorf("%s: %s", name, found)
		}
	}
}
