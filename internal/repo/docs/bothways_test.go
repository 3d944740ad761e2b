package docs

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// alike are the resources that gcloud.sh makes too, each with what one of its commands must have.
var alike = map[string][]string{
	"google_artifact_registry_repository.images":                  {"artifacts repositories create orders "},
	"google_artifact_registry_repository_iam_member.build_writer": {"artifacts repositories add-iam-policy-binding orders ", ":orders-build@"},
	"google_cloud_run_v2_service_iam_member.sweep_invoker":        {"run services add-iam-policy-binding orders ", ":orders-sweep@"},
	"google_cloud_run_v2_service_iam_member.trigger_invoker":      {"run services add-iam-policy-binding orders ", ":orders-trigger@"},
	"google_cloud_scheduler_job.sweep":                            {"scheduler jobs create http orders-sweep ", " --time-zone=Etc/UTC ", " --http-method=POST ", "/sweep "},
	"google_cloudfunctions2_function.this":                        {"functions deploy orders ", " --run-service-account=orders-run@", "/orders-build@", "/repositories/orders "},
	"google_eventarc_trigger.this":                                {"eventarc triggers create orders-placed ", " --destination-run-path=/events/placed ", " --service-account=orders-trigger@"},
	"google_project_iam_member.build_copied_source":               {"projects add-iam-policy-binding ", ":orders-build@", `title=sources-of-functions`, "gcf-v2-sources-PROJECT_NUMBER-europe-west1/"},
	"google_project_iam_member.build_logs":                        {"projects add-iam-policy-binding ", ":orders-build@"},
	"google_project_iam_member.trigger_receiver":                  {"projects add-iam-policy-binding ", ":orders-trigger@"},
	"google_project_service.this":                                 {"services enable "},
	"google_pubsub_subscription.dead_letters":                     {"pubsub subscriptions create orders-dead-letters ", " --ack-deadline=60 ", " --message-retention-duration=7d ", " --expiration-period=never "},
	"google_pubsub_topic.dead_letters":                            {"pubsub topics create orders-dead-letters "},
	"google_pubsub_topic.output":                                  {"pubsub topics create done "},
	"google_pubsub_topic.source":                                  {"pubsub topics create orders-placed "},
	"google_pubsub_topic_iam_member.run_publisher":                {"pubsub topics add-iam-policy-binding ", ":orders-run@"},
	"google_service_account.build":                                {"iam service-accounts create orders-build "},
	"google_service_account.run":                                  {"iam service-accounts create orders-run "},
	"google_service_account.sweep":                                {"iam service-accounts create orders-sweep "},
	"google_service_account.trigger":                              {"iam service-accounts create orders-trigger "},
	"google_service_account_iam_member.pubsub_token":              {"iam service-accounts add-iam-policy-binding orders-trigger@", ":service-PROJECT_NUMBER@gcp-sa-pubsub."},
	"google_storage_bucket.events":                                {"storage buckets create ", " --uniform-bucket-level-access ", " --public-access-prevention ", " --soft-delete-duration=0"},
	"google_storage_bucket_iam_member.run":                        {"storage buckets add-iam-policy-binding ", ":orders-run@"},
}

// onlyTerraform are the resources that gcloud.sh does not make, each with the row of the table that says so.
var onlyTerraform = map[string]string{
	"google_bigquery_dataset.":                    "state",
	"google_bigquery_dataset_iam_member.run":      "state",
	"google_bigquery_table.":                      "state",
	"google_project_iam_member.run_jobs":          "state",
	"google_project_iam_member.run_telemetry":     "telemetry",
	"google_project_iam_member.storage_publisher": "events",
	"google_pubsub_subscription.source":           "events",
	"google_pubsub_subscription_iam_member.":      "people",
	"google_pubsub_topic_iam_member.operators":    "people",
	"google_bigquery_dataset_iam_member.":         "people",
	"google_cloud_run_v2_service.image":           "image",
	"google_cloud_run_v2_service_iam_member.":     "people",
	"google_project_iam_member.operators_":        "people",
	"google_project_iam_member.people_":           "people",
	"google_storage_bucket_iam_member.operators":  "people",
	"google_storage_bucket_iam_member.viewers":    "people",
	"google_monitoring_alert_policy.":             "alerts",
	"google_monitoring_dashboard.":                "telemetry",
	"google_kms_crypto_key_iam_member.":           "keys",
	"google_secret_manager_secret_iam_member.":    "secrets and networks",
	"google_storage_bucket.source":                "source",
	"google_storage_bucket_object.source":         "source",
	"google_storage_bucket_iam_member.build_":     "source",
	"google_storage_managed_folder.":              "refusals",
	"terraform_data.bucket":                       "existing things",
	"terraform_data.dataset":                      "existing things",
	"terraform_data.moved":                        "refusals",
	"terraform_data.place":                        "refusals",
	"terraform_data.ready":                        "refusals",
	"terraform_data.service":                      "image",
	"terraform_data.whole":                        "refusals",
	"terraform_data.settled":                      "other",
}

// differences returns what one of both ways makes otherwise than the other, and no row of the table
// in docs/deploy.md says so. printed is what gcloud.sh prints.
func differences(m module, table map[string]string, printed string) (problems []string) {
	commands := strings.Split(strings.ReplaceAll(printed, `\`, ""), "\n")
	used := make(map[string]bool)
	for _, b := range m.blocks {
		if b.Type != "resource" {
			continue
		}
		name := strings.Join(b.Labels, ".")
		parts, made := alike[name]
		if !made {
			if row := rowOf(name); table[row] == "" {
				problems = append(problems, fmt.Sprintf("%s: gcloud.sh does not make it, and no row says so", name))
			}
			continue
		}
		if role := granted[name]; role != "" {
			parts = append(slices.Clone(parts), " --role="+role+" ")
		}
		found := slices.DeleteFunc(slices.Clone(commands), func(c string) bool {
			return slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(c+" ", part) })
		})
		if len(found) == 0 {
			problems = append(problems, fmt.Sprintf("%s: gcloud.sh prints no command with %q", name, parts))
		}
		for _, command := range found {
			used[command] = true
		}
	}
	making := regexp.MustCompile(`^\+ gcloud [-a-z0-9 ]*\b(create|deploy|enable|add-iam-policy-binding) `)
	for _, command := range commands {
		if making.MatchString(command) && !used[command] {
			problems = append(problems, "Terraform makes nothing like "+command)
		}
	}
	return problems
}

// rowOf returns the row of the longest beginning of a resource's name.
func rowOf(name string) (row string) {
	longest := ""
	for beginning, of := range onlyTerraform {
		if strings.HasPrefix(name, beginning) && len(beginning) > len(longest) {
			longest, row = beginning, of
		}
	}
	return row
}

// bothWays returns what Terraform does otherwise, by what, as the table of differences says.
func bothWays(t *testing.T) map[string]string {
	t.Helper()
	cells := make(map[string]string)
	for _, row := range rows(t, "docs/deploy.md", "what", "Terraform", "gcloud.sh", "why") {
		cells[row[0]] = row[1]
	}
	return cells
}

// dryRun returns what gcloud.sh prints.
func dryRun(t *testing.T, args ...string) string {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	args = append([]string{filepath.Join(root, "deploy/gcloud.sh"), "--project=my-project-123", "--name=orders", "--sources=placed", "--dry-run"}, args...)
	out, err := exec.Command(bash, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func TestBothWaysMakeTheSame(t *testing.T) {
	printed, rows := dryRun(t, "--output-topic=done"), bothWays(t)
	for _, problem := range differences(terraform(t, false), rows, printed) {
		t.Error(problem)
	}
	for what := range rows {
		if !slices.Contains(slices.Collect(maps.Values(onlyTerraform)), what) && !strings.Contains("size images labels dead letters topics at the end", what) {
			t.Errorf("docs/deploy.md: nothing differs in %q", what)
		}
	}
	wrong := strings.NewReplacer("run.invoker", "run.admin", "create orders-dead-letters", "create letters").Replace(printed)
	problems := strings.Join(differences(terraform(t, false), map[string]string{}, wrong), "\n")
	for _, want := range []string{"trigger_invoker: gcloud.sh prints no", "google_pubsub_topic.dead_letters: gcloud.sh prints no", "makes nothing like + gcloud run services",
		"google_monitoring_alert_policy.this: gcloud.sh does not make it"} {
		if !strings.Contains(problems, want) {
			t.Errorf("of wrong commands it says\n%s\nwhich lacks %s", problems, want)
		}
	}
}

// throughEnv are inputs that set variables of the function, which gcloud.sh takes by --env.
var throughEnv = map[string]string{"environment": "LOG_LEVEL=debug", "max_event_age": "MAX_EVENT_AGE=2h", "join_deadline": "JOIN_DEADLINE=2h",
	"on_deadline": "ON_DEADLINE=process", "erase_sources": "ERASE_SOURCES=placed", "key_pointer": "KEY_POINTER=/id"}

// TestInputsAreOptions: each input of the module is an option of gcloud.sh, or --env's, or named in the
// table of differences.
func TestInputsAreOptions(t *testing.T) {
	m, script := terraform(t, false), read(t, "deploy/gcloud.sh")
	told := strings.FieldsFunc(strings.Join(slices.Collect(maps.Values(bothWays(t))), " "), func(r rune) bool { return r != '_' && !unicode.IsLetter(r) })
	for _, b := range m.blocks {
		if b.Type != "variable" {
			continue
		}
		name := b.Labels[0]
		option := "    --" + strings.TrimSuffix(strings.ReplaceAll(name, "_", "-"), "-id") + "=*)"
		var in []string
		if strings.Contains(script, option) && name != "dataset_id" {
			in = append(in, "the options")
		}
		if slices.Contains(told, name) && name != "sources" { // whose kinds differ
			in = append(in, "the table")
		}
		if variable, ok := throughEnv[name]; ok && strings.Contains(strings.ReplaceAll(dryRun(t, "--env="+variable), `\`, ""), ";"+variable) {
			in = append(in, "--env")
		}
		if len(in) != 1 {
			t.Errorf("%s is in %q, want one of gcloud.sh's options, --env, and the table Both ways in docs/deploy.md", name, in)
		}
	}
}

// TestBothWaysHaveTheSameSettings: those of what both make, beside what TestBothWaysSetTheSame compares.
func TestBothWaysHaveTheSameSettings(t *testing.T) {
	printed := strings.ReplaceAll(dryRun(t), `\`, "")
	images, rules := read(t, "deploy/images.json"), read(t, "deploy/lifecycle.json")
	for _, both := range []struct{ file, text, in, want string }{
		{"terraform/letters.tf", `ack_deadline_seconds       = 60`, printed, " --ack-deadline=60 "},
		{"terraform/letters.tf", `message_retention_duration = "604800s"`, printed, " --message-retention-duration=7d "},
		{"terraform/letters.tf", `ttl = ""`, printed, " --expiration-period=never "},
		{"terraform/stores.tf", `uniform_bucket_level_access = true`, printed, " --uniform-bucket-level-access "},
		{"terraform/stores.tf", `public_access_prevention    = "enforced"`, printed, " --public-access-prevention "},
		{"terraform/stores.tf", `retention_duration_seconds = 86400 * var.soft_delete_days`, printed, " --soft-delete-duration=0 "},
		{"terraform/stores.tf", `days = var.retention_days, suffixes`, rules, `"age": 7, "matchesSuffix": ["/events/SOURCE"]`},
		{"terraform/stores.tf", `days = var.retention_days + 1, suffixes = ["/claim"]`, rules, `"age": 8, "matchesSuffix": ["/claim"]`},
		{"terraform/stores.tf", `days = var.retention_days + 2, suffixes = null, prefixes`, rules, `"age": 9, "matchesPrefix"`},
		{"terraform/variables.tf", `default     = 7`, rules, `"age": 7`},
		{"terraform/variables_function.tf", `default     = "ALLOW_INTERNAL_ONLY"`, printed, " --ingress-settings=internal-only "},
		{"terraform/variables_function.tf", `default     = "EventDriver"`, printed, " --entry-point=EventDriver "},
		{"terraform/variables_function.tf", `default     = 60`, printed, "+ sleep 60\n"},
		{"terraform/variables_function.tf", `default     = 60`, printed, " --timeout=60s "},
		{"terraform/variables_function.tf", `default     = 20`, images, `"keepCount": 20`},
		{"terraform/function.tf", `older_than = "2592000s"`, images, `"olderThan": "30d"`},
		{"terraform/function.tf", `tag_state  = "ANY"`, images, `"tagState": "any"`},
		{"terraform/sweep.tf", `attempt_deadline = "${max(15, var.timeout_seconds)}s"`, printed, " --attempt-deadline=60s\n"},
	} {
		if !strings.Contains(read(t, both.file), both.text) || !strings.Contains(both.in, both.want) {
			t.Errorf("%s has %s: %t; gcloud.sh has %s: %t", both.file, both.text, strings.Contains(read(t, both.file), both.text), both.want, strings.Contains(both.in, both.want))
		}
	}
	for api := range strings.FieldsSeq(regexp.MustCompile(`services enable (.*) --project`).FindStringSubmatch(printed)[1]) {
		if !strings.Contains(read(t, "terraform/main.tf"), `"`+api+`"`) {
			t.Errorf("Terraform does not enable %s", api)
		}
	}
}
