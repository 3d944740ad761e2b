package docs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// inStore are references by name to a bucket or dataset of the module, which stay the same when that is replaced, and
// what does not.
var inStore = map[string]string{
	"local.bucket_name":                    "[terraform_data.bucket.id]",
	"local.dataset_id":                     "[terraform_data.dataset.id]",
	"google_storage_bucket.events[0].name": "[google_storage_bucket.events[0].id]",
	"google_storage_bucket.source[0].name": "[google_storage_bucket.source[0].id]",
}

// staying returns what is in a bucket or dataset, or granted on it, and would not be made anew with it; and what
// is made before the old one is destroyed, which takes buckets along, whose names can't be twice.
func staying(m module) (problems []string) {
	stored := 0
	for _, b := range m.blocks {
		if b.Type != "resource" {
			continue
		}
		triggers, labels := "", strings.Join(b.Labels, ".")
		for _, inner := range b.Body.Blocks {
			if a := inner.Body.Attributes["replace_triggered_by"]; inner.Type == "lifecycle" && a != nil {
				triggers = m.text(a.Expr)
			}
			if inner.Body.Attributes["create_before_destroy"] != nil {
				problems = append(problems, labels+" is created before it is destroyed")
			}
		}
		for _, name := range []string{"bucket", "dataset_id"} {
			a := b.Body.Attributes[name]
			if a == nil {
				continue
			}
			if want := inStore[m.text(a.Expr)]; want != "" && !slices.Contains([]string{"google_storage_bucket.events", "google_bigquery_dataset.events"}, labels) {
				stored++
				if triggers != want {
					problems = append(problems, fmt.Sprintf("%s is replaced by %q, want %s", labels, triggers, want))
				}
			}
		}
	}
	if stored < 10 {
		problems = append(problems, fmt.Sprintf("only %d resources are in a bucket or dataset", stored))
	}
	return problems
}

// TestStoresAreReplacedWithAllThatIsInThem: another region replaces buckets and datasets under their names. The
// names do not tell Terraform so.
func TestStoresAreReplacedWithAllThatIsInThem(t *testing.T) {
	for _, problem := range staying(terraform(t, false)) {
		t.Error(problem)
	}
	tells(t, false, staying, []lie{
		{[3]string{"terraform/stores.tf", "replace_triggered_by = [terraform_data.bucket.id]", ""}, "google_storage_bucket_iam_member.run is replaced by"},
		{[3]string{"terraform/people.tf", "[terraform_data.dataset.id]", "[terraform_data.bucket.id]"}, "google_bigquery_dataset_iam_member.viewers is replaced by"},
		{[3]string{"terraform/source.tf", "replace_triggered_by = [google_storage_bucket.source[0].id]", "create_before_destroy = true"}, "is created before"},
	})
}
