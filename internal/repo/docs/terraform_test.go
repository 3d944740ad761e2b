package docs

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/driver/convert"
)

var (
	defined   = regexp.MustCompile(`(?m)^(?:variable|output) "(\w+)" \{\n  description = "(.*)"$`)
	linked    = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
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
	// Each description is in the README, in the same words.
	readme := "\n" + strings.ReplaceAll(linked.ReplaceAllString(read(t, "terraform/README.md"), "$1"), "`", "")
	for _, match := range defined.FindAllStringSubmatch(module.String(), -1) {
		row := regexp.MustCompile(`\n\| ` + match[1] + ` \|.* ` + regexp.QuoteMeta(match[2]) + ` \|\n`)
		if !row.MatchString(readme) {
			t.Errorf("terraform/README.md doesn't say of %s: %s", match[1], match[2])
		}
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
	_, environment, _ = strings.Cut(environment, "var.environment,") // what comes before are defaults
	known := append(variablesDocumented(t, "docs/configuration.md"), "CLOUD_RUN_TIMEOUT_SECONDS", "LOG_EXECUTION_ID")
	set := regexp.MustCompile(`\b([A-Z][A-Z_]+[A-Z]) += `).FindAllStringSubmatch(environment, -1)
	if len(set) < 10 {
		t.Fatalf("found %q only", set)
	}
	_, taken, _ := strings.Cut(read(t, "terraform/variables_function.tf"), "setintersection(keys(var.environment), [")
	taken, _, _ = strings.Cut(taken, "])")
	for _, match := range set {
		if !strings.Contains(taken, `"`+match[1]+`"`) {
			t.Errorf("terraform/variables_function.tf lets environment set %s, which the module sets", match[1])
		}
		if !slices.Contains(known, match[1]) && !strings.HasPrefix(match[1], "BIGQUERY_") {
			t.Errorf("terraform/function.tf sets %s, which nothing reads", match[1])
		}
	}
}

// TestTriggersCallPathsThatTheFunctionKnows compares the paths of both deployments with
// those by which the function knows a source, and the names that they allow.
func TestTriggersCallPathsThatTheFunctionKnows(t *testing.T) {
	for file, c := range map[string]struct{ path, variable, names string }{
		"terraform/triggers.tf": {`(?m)^ +path +=( ".*")$`, "${each.key}", "terraform/variables_sources.tf"},
		"deploy/gcloud.sh":      {`(?m) path=(\S+)$`, "${events[i]}", "deploy/gcloud.sh"},
	} {
		path := regexp.MustCompile(c.path).FindStringSubmatch(read(t, file))
		allowed := regexp.MustCompile(`\^\[[A-Za-z-]+\]\[-[_A-Za-z0-9-]+\]\{0,38\}\$`).FindString(read(t, c.names))
		if path == nil || allowed == "" {
			t.Errorf("%s: paths %q, names %q", file, path, allowed)
			continue
		}
		for _, name := range []string{"event1", "a", "order-created", "Paid_2", "1st", "a.b", "", "-a", "é", "a/b"} {
			want := strings.Trim(strings.ReplaceAll(path[1], c.variable, name), ` "`)
			if regexp.MustCompile(allowed).MatchString(name) && convert.SourcePath(name) != want {
				t.Errorf("%s: the trigger of %q calls %s, and the function knows it by %q", file, name, want, convert.SourcePath(name))
			}
		}
	}
}

// TestModuleGrantsTheseAndNoMore lists every grant that the module makes, so that
// none is added, and no role widened, without a look at this list. Those on the
// project are the ones for which Google has nothing smaller.
func TestModuleGrantsTheseAndNoMore(t *testing.T) {
	want := map[string]string{
		"google_artifact_registry_repository_iam_member.build_writer": "roles/artifactregistry.writer",
		"google_bigquery_dataset_iam_member.run":                      "roles/bigquery.dataEditor",
		"google_cloud_run_v2_service_iam_member.trigger_invoker":      "roles/run.invoker",
		"google_kms_crypto_key_iam_member.this":                       "roles/cloudkms.cryptoKeyEncrypterDecrypter",
		"google_project_iam_member.build_copied_source":               "roles/storage.objectViewer",
		"google_project_iam_member.build_logs":                        "roles/logging.logWriter",
		"google_project_iam_member.run_jobs":                          "roles/bigquery.jobUser",
		"google_project_iam_member.storage_publisher":                 "roles/pubsub.publisher",
		"google_project_iam_member.trigger_receiver":                  "roles/eventarc.eventReceiver",
		"google_pubsub_topic_iam_member.run_publisher":                "roles/pubsub.publisher",
		"google_service_account_iam_member.pubsub_token":              "roles/iam.serviceAccountTokenCreator",
		"google_storage_bucket_iam_member.build_source":               "roles/storage.objectViewer",
		"google_storage_bucket_iam_member.run":                        "roles/storage.objectUser",
	}
	// Whatever else gives access: to a dataset, by a policy, by a list of one's own.
	other := regexp.MustCompile(`\ballUsers\b|\ballAuthenticatedUsers\b|_iam_(?:binding|policy|audit_config)"|_(?:acl|access_control)"|_dataset_access"|^\s+access \{`)
	grant := regexp.MustCompile(`(?ms)^resource "(google_\w+_iam_\w+)" "(\w+)" \{$(.*?)^\}$`)
	role := regexp.MustCompile(`(?m)^  role +=(.*)$`)
	got := make(map[string]string)
	for _, name := range files(t, func(name string) bool { return strings.HasPrefix(name, "terraform/") && path.Ext(name) == ".tf" }) {
		text := read(t, name)
		if found := other.FindString(text); found != "" {
			t.Errorf("%s: %s", name, found)
		}
		for _, block := range grant.FindAllStringSubmatch(text, -1) {
			for _, value := range role.FindAllStringSubmatch(block[3], -1) {
				got[block[1]+"."+block[2]] += strings.Trim(value[1], ` "`)
			}
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("the module grants\n%q\nwant\n%q", got, want)
	}
}
