package docs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// services are both ways to run the function, of which Google has one by a name.
var services = []string{"google_cloudfunctions2_function.this", "google_cloud_run_v2_service.image"}

// together returns why Terraform could make one of the services while the other is there, and what is granted on a
// service and would not be granted again on the next one.
func together(m module) (problems []string) {
	if kind := m.text(m.attribute(m.block("resource", "terraform_data", "ready"), "triggers_replace")); kind != `var.image == null ? "source" : "image"` {
		problems = append(problems, fmt.Sprintf("terraform_data.ready is replaced by %s", kind))
	}
	needs := m.needs()
	for _, service := range services {
		if !slices.Contains(needs[service], "terraform_data.ready") {
			problems = append(problems, service+" does not wait for terraform_data.ready")
		}
		if !slices.Contains(needs["terraform_data.service"], service) || !slices.Contains(needs["local.service"], service) {
			problems = append(problems, service+" is not what is called and granted on")
		}
	}
	grants := 0
	for _, b := range m.blocks {
		name := strings.Join(b.Labels, ".")
		for _, service := range services {
			if slices.Contains(needs[name], service) && name != "terraform_data.service" {
				problems = append(problems, name+" refers to "+service)
			}
		}
		if b.Type != "resource" || b.Labels[0] != "google_cloud_run_v2_service_iam_member" {
			continue
		}
		grants++
		if a := m.within(b, "lifecycle").Body.Attributes["replace_triggered_by"]; a == nil || m.text(a.Expr) != "[terraform_data.service.id]" {
			problems = append(problems, name+" is not replaced with the service")
		}
	}
	if grants < 5 {
		problems = append(problems, fmt.Sprintf("only %d grants on the service", grants))
	}
	return problems
}

// TestOneServiceGoesBeforeTheOtherComes: both services wait for what is replaced when one takes the place of the other,
// so Terraform destroys the old one first; and what is granted on it, by its name, is granted on the new one.
func TestOneServiceGoesBeforeTheOtherComes(t *testing.T) {
	for _, problem := range together(terraform(t, false)) {
		t.Error(problem)
	}
	tells(t, false, together, []lie{
		{[3]string{"terraform/function.tf", `triggers_replace = var.image == null ? "source" : "image"`, `triggers_replace = "ready"`}, "is replaced by"},
		{[3]string{"terraform/image.tf", "depends_on = [terraform_data.ready]", ""}, "google_cloud_run_v2_service.image does not wait"},
		{[3]string{"terraform/function.tf", ", google_cloud_run_v2_service.image[*].id)", ")"}, "google_cloud_run_v2_service.image is not what"},
		{[3]string{"terraform/sweep.tf", "local.service.name", "google_cloudfunctions2_function.this[0].name"}, "google_cloud_run_v2_service_iam_member.sweep_invoker refers to"},
		{[3]string{"terraform/people.tf", "[terraform_data.service.id]", "[terraform_data.bucket.id]"}, "google_cloud_run_v2_service_iam_member.people is not replaced"},
	})
}

// TestImageIsBuiltAsTheFunction: from the same files, with the same flags.
func TestImageIsBuiltAsTheFunction(t *testing.T) {
	m, page := terraform(t, false), read(t, "docs/how-to/cloud-run-api.md")
	_, archive, _ := strings.Cut(page, "\ngit archive --format=zip --output=orders.zip HEAD -- ")
	archive, _, _ = strings.Cut(archive, "\n")
	parts := slices.Sorted(slices.Values(append(m.words(m.local("source_parts")), "':(glob)*.go'")))
	if is := slices.Sorted(strings.FieldsSeq(archive)); !slices.Equal(is, parts) {
		t.Errorf("the archive has %q, and Terraform packs %q", is, parts)
	}
	for _, flag := range []string{
		"--env=GOOGLE_FUNCTION_TARGET=" + m.value(m.attribute(m.block("variable", "entry_point"), "default")).AsString(),
		"--env=GOFLAGS=-tags=disable_grpc_modules,nobigquery,notelemetry", "--env='GOOGLE_GOLDFLAGS=-s -w'",
	} {
		if !strings.Contains(page, " "+flag) {
			t.Errorf("docs/how-to/cloud-run-api.md lacks %s", flag)
		}
	}
}
