package docs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// unlabelled are the types of resources that take no labels. A grant takes none either.
var unlabelled = []string{"google_cloud_scheduler_job", "google_monitoring_dashboard", "google_project_service", "google_service_account", "google_storage_bucket_object",
	"google_storage_managed_folder", "terraform_data"}

// withoutLabels returns the resources of the module that could have the labels and don't.
func withoutLabels(m module) (problems []string) {
	labelled := 0
	for _, b := range m.blocks {
		if b.Type != "resource" || strings.HasSuffix(b.Labels[0], "_iam_member") || slices.Contains(unlabelled, b.Labels[0]) {
			continue
		}
		name := "labels"
		if b.Labels[0] == "google_monitoring_alert_policy" {
			name = "user_labels"
		}
		if a := b.Body.Attributes[name]; a == nil || m.text(a.Expr) != "var.labels" {
			problems = append(problems, strings.Join(b.Labels, ".")+" lacks var.labels")
			continue
		}
		labelled++
	}
	if labelled < 14 {
		problems = append(problems, fmt.Sprintf("only %d resources have labels", labelled))
	}
	return problems
}

func TestAllThatTakesLabelsHasThem(t *testing.T) {
	for _, problem := range withoutLabels(terraform(t, false)) {
		t.Error(problem)
	}
	tells(t, false, withoutLabels, []lie{
		{[3]string{"terraform/sweep.tf", `"google_cloud_scheduler_job"`, `"google_cloud_tasks_queue"`}, "google_cloud_tasks_queue.sweep lacks"},
		{[3]string{"terraform/triggers.tf", "labels                     = var.labels", ""}, "google_pubsub_subscription.source lacks"},
	})
}

// forced returns why the module would send all events to the newest revision after a roll back.
func forced(m module) (problems []string) {
	for service, traffic := range map[[2]string]string{
		{"google_cloudfunctions2_function", "this"}: "[service_config[0].all_traffic_on_latest_revision]",
		{"google_cloud_run_v2_service", "image"}:    "[traffic, client, client_version]",
	} {
		lifecycle := m.within(m.block("resource", service[0], service[1]), "lifecycle")
		if a := lifecycle.Body.Attributes["ignore_changes"]; a == nil || m.text(a.Expr) != traffic {
			problems = append(problems, service[0]+" does not ignore "+traffic)
		}
	}
	return problems
}

// TestRollBackHolds: Google's API says of a function whether its newest revision gets all events. The module keeps to
// that, or the next apply would end a roll back.
func TestRollBackHolds(t *testing.T) {
	for _, problem := range forced(terraform(t, false)) {
		t.Error(problem)
	}
	tells(t, false, forced, []lie{
		{[3]string{"terraform/function.tf", "    ignore_changes = [service_config[0].all_traffic_on_latest_revision]\n", ""}, "google_cloudfunctions2_function does not ignore"},
		{[3]string{"terraform/image.tf", "[traffic, ", "["}, "google_cloud_run_v2_service does not ignore"},
	})
}
