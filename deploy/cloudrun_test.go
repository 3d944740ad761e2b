package deploy

import (
	"os"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/internal/repo/markdown"
)

// TestCloudRunIsToldTheSame: docs/how-to/cloud-run-api.md gives a command for gcloud functions
// deploy, which sets what the script sets.
func TestCloudRunIsToldTheSame(t *testing.T) {
	const page = "../docs/how-to/cloud-run-api.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var given map[string][]string
	for _, block := range markdown.Parse(strings.NewReplacer("CLOUD_PROJECT", "CLOUD_PROJECT", "PROJECT", "my-project-123").Replace(string(text))).Blocks {
		if strings.HasPrefix(block.Text, "gcloud run deploy orders ") {
			given = flagsOf(strings.ReplaceAll(strings.ReplaceAll(block.Text, "\\\n", ""), "'", ""))
		}
	}
	printed, _ := script(t, "--dry-run", "--name=orders")
	deployed := flagsOf(strings.ReplaceAll(with(shown(printed), "functions deploy")[0], `\`, ""))
	for function, run := range map[string]string{"entry-point": "function", "runtime": "base-image", "run-service-account": "service-account", "update-labels": "labels", "project": "project",
		"region": "region", "source": "source", "memory": "memory", "cpu": "cpu", "timeout": "timeout", "concurrency": "concurrency", "max-instances": "max-instances",
		"build-service-account": "build-service-account", "set-build-env-vars": "set-build-env-vars"} {
		if len(deployed[function]) != 1 || !slices.Equal(deployed[function], given[run]) {
			t.Errorf("%s: --%s is %q, and the script has --%s %q", page, run, given[run], function, deployed[function])
		}
	}
	want := append(variables(deployed["set-env-vars"]), "LOG_EXECUTION_ID=true") // which Cloud Functions sets
	if got := variables(given["set-env-vars"]); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Errorf("%s sets\n%q\nwant\n%q", page, got, want)
	}
}

// flagsOf returns the values of the flags of a command, which have no double hyphen within.
func flagsOf(command string) map[string][]string {
	flags := make(map[string][]string)
	for _, flag := range strings.Split(strings.TrimSpace(command), " --")[1:] {
		name, value, _ := strings.Cut(strings.TrimSpace(flag), "=")
		flags[name] = append(flags[name], value)
	}
	return flags
}

// variables returns what lists as of --set-env-vars set.
func variables(lists []string) (all []string) {
	for _, list := range lists {
		separator := ","
		if strings.HasPrefix(list, "^") {
			separator, list = list[1:2], list[3:]
		}
		all = append(all, strings.Split(list, separator)...)
	}
	return all
}
