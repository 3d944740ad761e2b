package docs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"example.com/eventdriver"
)

// ofThePlatform are variables that the module sets for others than the function.
var ofThePlatform = []string{"CLOUD_RUN_TIMEOUT_SECONDS", "GOOGLE_CLOUD_PROJECT", "LOG_EXECUTION_ID", "GOMEMLIMIT"}

// unreachable returns which settings nobody can set by the module, and which variables
// it sets for nobody.
func unreachable(m module) (problems []string) {
	before, after := m.environment()
	var refused []string // as names of the input environment
	reserved := regexp.MustCompile("$^")
	for _, b := range m.block("variable", "environment").Body.Blocks {
		condition := m.attribute(b, "condition")
		for _, call := range calls(condition, "setintersection") {
			refused = m.words(call.Args[1])
		}
		for _, call := range calls(condition, "regex") {
			if pattern := m.value(call.Args[0]).AsString(); strings.Contains(pattern, "K_") {
				reserved = regexp.MustCompile(pattern)
			}
		}
	}
	known := slices.Clone(ofThePlatform)
	for _, s := range eventdriver.Settings() {
		known = append(known, s.Name)
		if reserved.MatchString(s.Name) && !slices.Contains(after, s.Name) {
			problems = append(problems, s.Name+" can't be set: its name is reserved")
		}
	}
	for _, name := range after {
		if !slices.Contains(refused, name) {
			problems = append(problems, fmt.Sprintf("environment can set %s, which the module sets", name))
		}
	}
	for _, name := range refused {
		if !slices.Contains(after, name) {
			problems = append(problems, name+" can't be set: environment must not, and the module does not")
		}
	}
	for _, name := range append(before, after...) {
		if !slices.Contains(known, name) {
			problems = append(problems, fmt.Sprintf("the module sets %s, which nothing reads", name))
		}
	}
	return problems
}

// environment returns the variables that the module sets before var.environment, which may
// set them otherwise, and after it.
func (m module) environment() (before, after []string) {
	m.t.Helper()
	merge := m.onlyCall(m.local("environment"), "merge")
	given := slices.IndexFunc(merge.Args, func(e hclsyntax.Expression) bool { return m.text(e) == "var.environment" })
	if given < 0 {
		m.t.Fatal("terraform/function.tf does not take var.environment")
	}
	for i, e := range merge.Args {
		if i < given {
			before = append(before, m.keys(e)...)
		} else {
			after = append(after, m.keys(e)...)
		}
	}
	return before, after
}

// TestModuleReachesEverySetting: each setting can be set by an input of the module or by
// environment, and what the module sets is read.
func TestModuleReachesEverySetting(t *testing.T) {
	for _, problem := range unreachable(terraform(t, false)) {
		t.Error(problem)
	}
	tells(t, false, unreachable, []lie{
		{[3]string{"terraform/function.tf", "{ KEY_POINTER = ", "{ KEY_POINTERS = "}, "sets KEY_POINTERS, which nothing reads"},
		{[3]string{"terraform/function.tf", "{ KEY_POINTER = ", "{ KEY_POINTERS = "}, "KEY_POINTER can't be set"},
		{[3]string{"terraform/function.tf", "BIGQUERY_RETENTION = ", "LOG_LEVEL = "}, "environment can set LOG_LEVEL"},
		{[3]string{"terraform/variables_function.tf", `"MAX_EVENT_AGE",`, `"MAX_EVENT_AGE", "LEASE",`}, "LEASE can't be set"},
		{[3]string{"terraform/variables_function.tf", "^(X_GOOGLE_|K_|", "^(X_GOOGLE_|K_|LOG_|"}, "LOG_LEVEL can't be set"},
	})
}

// otherDefaults returns which defaults of the module are not those of the function, beside
// those that are meant to differ: the store, MAX_EVENT_AGE and DEAD_LETTER_TOPIC.
func otherDefaults(m module) (problems []string) {
	byDefault := make(map[string]string)
	for _, s := range eventdriver.Settings() {
		byDefault[s.Name] = s.Default
	}
	days, _ := m.value(m.attribute(m.block("variable", "retention_days"), "default")).AsBigFloat().Int64()
	retention, err := time.ParseDuration(byDefault["BIGQUERY_RETENTION"])
	if err != nil {
		m.t.Fatal(err)
	}
	if retention != time.Duration(days)*24*time.Hour {
		problems = append(problems, fmt.Sprintf("retention_days is %d, BIGQUERY_RETENTION %v", days, retention))
	}
	limit := m.onlyCall(m.local("body_limit"), "try").Args[1]
	for name, is := range map[string]string{
		"EVENT_SOURCES": strings.Join(m.words(m.attribute(m.block("variable", "sources"), "default")), ","),
		"BODY_LIMIT":    m.text(limit),
		"ON_DEADLINE":   m.value(m.attribute(m.block("variable", "on_deadline"), "default")).AsString(),
	} {
		if is != byDefault[name] {
			problems = append(problems, fmt.Sprintf("%s is %s, and %s for the function", name, is, byDefault[name]))
		}
	}
	for _, variable := range []string{"store", "claim_store"} { // the memory store is none for the cloud
		allowed := m.words(m.onlyCall(m.block("variable", variable).Body, "contains").Args[0])
		if !slices.Equal(slices.Sorted(slices.Values(append(allowed, eventdriver.StoreMemory))), slices.Sorted(slices.Values(eventdriver.Stores()))) {
			problems = append(problems, fmt.Sprintf("%s may be %q, and the function's stores are %q", variable, allowed, eventdriver.Stores()))
		}
	}
	return problems
}

func TestModuleHasTheDefaultsOfTheFunction(t *testing.T) {
	for _, problem := range otherDefaults(terraform(t, false)) {
		t.Error(problem)
	}
	tells(t, false, otherDefaults, []lie{
		{[3]string{"terraform/variables_sources.tf", "    event3 = {}\n", "    event4 = {}\n"}, "EVENT_SOURCES is event1,event2,event4"},
		{[3]string{"terraform/function.tf", "14000000", "15000000"}, "BODY_LIMIT is 15000000"},
		{[3]string{"terraform/variables.tf", `default     = "letter"`, `default     = "process"`}, "ON_DEADLINE is process"},
		{[3]string{"terraform/variables.tf", "default     = 7", "default     = 8"}, "retention_days is 8"},
		{[3]string{"terraform/variables.tf", `["gcs", "bigquery"]`, `["gcs", "redis"]`}, `claim_store may be ["gcs" "redis"]`},
	})
}

// TestBothWaysSetTheSame: where the deployments have a default of their own, it is the same.
func TestBothWaysSetTheSame(t *testing.T) {
	m, script := terraform(t, false), gcloudScript(t)
	for variable, want := range map[string]string{
		"max_event_age": "all+=(MAX_EVENT_AGE=%s)",
		"memory":        " memory=%s ",
		"region":        " region=%s ",
		"name":          " name=%s ",
		"runtime":       " --runtime=%s ",
		"cpu":           " --cpu=%s ",
		"max_instances": " --max-instances=%s ",
	} {
		is := strings.Trim(m.text(m.attribute(m.block("variable", variable), "default")), `"`)
		if want = fmt.Sprintf(want, is); !strings.Contains(script, want) {
			t.Errorf("%s is %s in Terraform, but deploy/gcloud.sh lacks %q", variable, is, want)
		}
	}
	for _, schedule := range []string{"17 * * * *", "*/15 * * * *"} {
		if !strings.Contains(read(t, "terraform/sweep.tf"), `"`+schedule+`"`) || !strings.Contains(script, "default_schedule='"+schedule+"'") {
			t.Errorf("Terraform and deploy/gcloud.sh don't both sweep at %s by default", schedule)
		}
	}
}

// TestBothWaysBuildTheSame: terraform test says that the module's flags are those of this test, and
// deploy/build.sh --check starts what they build.
func TestBothWaysBuildTheSame(t *testing.T) {
	const tags, tables = "-tags=disable_grpc_modules,nobigquery,notelemetry", "-s -w"
	for name, want := range map[string]string{
		"deploy/build.sh":                   "GOFLAGS=${GOFLAGS-" + tags + "} GOOGLE_GOLDFLAGS=${GOOGLE_GOLDFLAGS-" + tables + "}",
		"terraform/tests/wiring.tftest.hcl": `tomap({ GOFLAGS = "` + tags + `", GOOGLE_GOLDFLAGS = "` + tables + `" })`,
	} {
		if text := read(t, name); !strings.Contains(text, want) {
			t.Errorf("%s lacks %s", name, want)
		}
	}
	for env, want := range map[string]string{
		"LOG_LEVEL=debug":                   tags,
		"TELEMETRY=off":                     tags,
		"TELEMETRY=google":                  strings.TrimSuffix(tags, ",notelemetry"),
		"OTEL_EXPORTER_OTLP_ENDPOINT=https": strings.TrimSuffix(tags, ",notelemetry"),
	} {
		printed := strings.ReplaceAll(dryRun(t, "--env="+env), `\`, "")
		if !strings.Contains(printed, " --set-build-env-vars=^;^GOFLAGS="+want+";GOOGLE_GOLDFLAGS="+tables) {
			t.Errorf("with --env=%s gcloud.sh does not build with %s:\n%s", env, want, printed)
		}
	}
}

// gcloudScript returns gcloud.sh with its parts.
func gcloudScript(t *testing.T) string {
	t.Helper()
	all := read(t, "deploy/gcloud.sh")
	for _, part := range []string{"ask", "check", "accounts", "make", "remove"} {
		all += read(t, "deploy/gcloud/"+part+".sh")
	}
	return all
}
