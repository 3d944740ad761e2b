package docs

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// granted are all the roles that the module grants. Those on the project are the ones for
// which Google has nothing smaller.
var granted = map[string]string{
	"google_artifact_registry_repository_iam_member.build_writer": "roles/artifactregistry.writer",
	"google_bigquery_dataset_iam_member.operators":                "roles/bigquery.dataEditor",
	"google_bigquery_dataset_iam_member.run":                      "roles/bigquery.dataEditor",
	"google_bigquery_dataset_iam_member.viewers":                  "roles/bigquery.dataViewer",
	"google_cloud_run_v2_service_iam_member.invokers":             "roles/run.invoker",
	"google_cloud_run_v2_service_iam_member.operators":            "roles/run.invoker",
	"google_cloud_run_v2_service_iam_member.people":               "roles/run.viewer",
	"google_cloud_run_v2_service_iam_member.sweep_invoker":        "roles/run.invoker",
	"google_cloud_run_v2_service_iam_member.trigger_invoker":      "roles/run.invoker",
	"google_kms_crypto_key_iam_member.this":                       "roles/cloudkms.cryptoKeyEncrypterDecrypter",
	"google_project_iam_member.build_copied_source":               "roles/storage.objectViewer",
	"google_project_iam_member.build_logs":                        "roles/logging.logWriter",
	"google_project_iam_member.operators_audit":                   "roles/logging.logWriter",
	"google_project_iam_member.operators_jobs":                    "roles/cloudscheduler.viewer",
	"google_project_iam_member.operators_sweep":                   "roles/cloudscheduler.jobRunner",
	"google_project_iam_member.people_jobs":                       "roles/bigquery.jobUser",
	"google_project_iam_member.people_logs":                       "roles/logging.viewer",
	"google_project_iam_member.run_jobs":                          "roles/bigquery.jobUser",
	"google_project_iam_member.run_telemetry":                     "roles/telemetry.writer",
	"google_project_iam_member.storage_publisher":                 "roles/pubsub.publisher",
	"google_project_iam_member.trigger_receiver":                  "roles/eventarc.eventReceiver",
	"google_pubsub_subscription_iam_member.operators":             "roles/pubsub.subscriber",
	"google_pubsub_topic_iam_member.operators":                    "roles/pubsub.publisher",
	"google_pubsub_topic_iam_member.run_publisher":                "roles/pubsub.publisher",
	"google_secret_manager_secret_iam_member.run":                 "roles/secretmanager.secretAccessor",
	"google_service_account_iam_member.pubsub_token":              "roles/iam.serviceAccountTokenCreator",
	"google_storage_bucket_iam_member.build_given_source":         "roles/storage.objectViewer",
	"google_storage_bucket_iam_member.build_source":               "roles/storage.objectViewer",
	"google_storage_bucket_iam_member.operators":                  "roles/storage.objectUser",
	"google_storage_bucket_iam_member.run":                        "roles/storage.objectUser",
	"google_storage_bucket_iam_member.viewers":                    "roles/storage.objectViewer",
}

// otherAccess are resources that give access otherwise than one member of one role.
var otherAccess = regexp.MustCompile(`_iam_(?:binding|policy|audit_config)$|_(?:acl|access_control)$|_dataset_access$`)

// grants returns what is wrong with the access that the module gives: a grant that is
// not in the list, a role that is wider, or access of another kind.
func grants(m module) (problems []string) {
	left := maps.Clone(granted)
	for _, b := range m.blocks {
		if b.Type != "resource" && b.Type != "data" || len(b.Labels) < 2 {
			continue
		}
		kind, name := b.Labels[0], strings.Join(b.Labels, ".")
		if otherAccess.MatchString(kind) || accessBlock(b.Body) {
			problems = append(problems, name+" gives access otherwise")
		}
		if !strings.HasSuffix(kind, "_iam_member") {
			continue
		}
		role, diagnostics := m.attribute(b, "role").Value(nil)
		if diagnostics.HasErrors() || role.AsString() != left[name] {
			problems = append(problems, fmt.Sprintf("%s grants %s, want %q", name, m.text(m.attribute(b, "role")), left[name]))
		}
		delete(left, name)
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		problems = append(problems, name+" is not there")
	}
	for name, text := range m.source {
		if strings.Contains(text, "allUsers") || strings.Contains(text, "allAuthenticatedUsers") {
			problems = append(problems, name+" names everybody")
		}
	}
	return problems
}

// accessBlock says whether there is a list of who has access within a resource, written out or
// made by a dynamic block.
func accessBlock(body *hclsyntax.Body) (found bool) {
	_ = hclsyntax.VisitAll(body, func(n hclsyntax.Node) hcl.Diagnostics {
		if b, ok := n.(*hclsyntax.Block); ok && (b.Type == "access" || slices.Equal(b.Labels, []string{"access"})) {
			found = true
		}
		return nil
	})
	return found
}

// TestModuleGrantsTheseAndNoMore compares every grant that the module and its examples make
// with the list, so that none is added, and no role widened, without a look at it.
func TestModuleGrantsTheseAndNoMore(t *testing.T) {
	for _, problem := range grants(terraform(t, true)) {
		t.Error(problem)
	}
	const accounts, stores, orders = "terraform/accounts.tf", "terraform/stores.tf", "terraform/examples/orders/main.tf"
	tells(t, true, grants, []lie{
		{[3]string{stores, "roles/storage.objectUser", "roles/storage.admin"}, "google_storage_bucket_iam_member.run grants"},
		{[3]string{stores, `role   = "roles/storage.objectUser"`, `role = var.role`}, "grants var.role"},
		{[3]string{stores, `"google_storage_bucket_iam_member" "run"`, `"google_storage_bucket_iam_binding" "run"`}, "google_storage_bucket_iam_binding.run gives access otherwise"},
		{[3]string{stores, `"google_storage_bucket_iam_member" "run"`, `"google_storage_bucket_iam_member" "walk"`}, "google_storage_bucket_iam_member.run is not there"},
		{[3]string{stores, "\n  dynamic \"default_encryption_configuration\" {", "\n  dynamic \"access\" {"}, "google_bigquery_dataset.events gives access otherwise"},
		{[3]string{stores, "\n  location                   = local.dataset_location", "\n  access {\n  }"}, "google_bigquery_dataset.events gives access otherwise"},
		{[3]string{stores, "local.members.run", `"allUsers"`}, "names everybody"},
		{[3]string{accounts, "roles/run.invoker", "roles/run.admin"}, "trigger_invoker grants"},
		{[3]string{orders, `module "orders" {`, "resource \"google_project_iam_member\" \"me\" {\n  role = \"roles/owner\"\n}\nmodule \"orders\" {"}, "google_project_iam_member.me grants"},
	})
}
