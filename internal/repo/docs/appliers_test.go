package docs

import (
	"fmt"
	"strings"
	"testing"
)

// appliers are the roles with which a kind of resource is made, by how the names of its types begin.
var appliers = []struct{ kind, role string }{
	{"google_artifact_registry_", "artifactregistry.admin"},
	{"google_bigquery_", "bigquery.admin"},
	{"google_cloud_run_", "run.admin"},
	{"google_cloud_scheduler_", "cloudscheduler.admin"},
	{"google_cloudfunctions2_", "cloudfunctions.admin"},
	{"google_eventarc_", "eventarc.admin"},
	{"google_kms_", "cloudkms.admin"},
	{"google_monitoring_alert_", "monitoring.alertPolicyEditor"},
	{"google_monitoring_dashboard", "monitoring.dashboardEditor"},
	{"google_project_iam_", "resourcemanager.projectIamAdmin"},
	{"google_project_service", "serviceusage.serviceUsageAdmin"},
	{"google_pubsub_", "pubsub.admin"},
	{"google_secret_manager_", "secretmanager.admin"},
	{"google_service_account", "iam.serviceAccountAdmin"},
	{"google_storage_", "storage.admin"},
}

// unapplied returns the resources of the module for which the guide names no role.
func unapplied(m module) (problems []string) {
	_, section, _ := strings.Cut(read(m.t, "docs/deploy.md"), "\n### Who deploys\n")
	section, _, _ = strings.Cut(section, "\n## ")
	used := make(map[string]bool)
	for _, b := range m.blocks {
		if b.Type != "resource" || !strings.HasPrefix(b.Labels[0], "google_") {
			continue
		}
		found := false
		for _, a := range appliers {
			if strings.HasPrefix(b.Labels[0], a.kind) {
				found, used[a.role] = true, true
			}
		}
		if !found {
			problems = append(problems, b.Labels[0]+": no role is known that makes it")
		}
	}
	for _, a := range appliers {
		if !used[a.role] {
			problems = append(problems, fmt.Sprintf("nothing needs %s", a.role))
		}
		if !strings.Contains(section, "`"+a.role+"`") {
			problems = append(problems, "docs/deploy.md lacks "+a.role)
		}
	}
	return problems
}

func TestWhoeverAppliesHasARoleForEachResource(t *testing.T) {
	for _, problem := range unapplied(terraform(t, false)) {
		t.Error(problem)
	}
	tells(t, false, unapplied, []lie{
		{[3]string{"terraform/sweep.tf", `"google_cloud_scheduler_job"`, `"google_cloud_tasks_queue"`}, "google_cloud_tasks_queue: no role"},
		{[3]string{"terraform/sweep.tf", `"google_cloud_scheduler_job"`, `"google_cloud_run_v2_job"`}, "nothing needs cloudscheduler.admin"},
	})
}
