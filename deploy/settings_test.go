package deploy

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver"
)

// TestEverySettingCanBeDeployed gives the script all settings by --env. Those that it
// refuses it must set itself, or they follow from what it sets.
func TestEverySettingCanBeDeployed(t *testing.T) {
	printed, _ := script(t, "--dry-run", "--sources=placed:orders", "--output-topic=complete")
	itself := append(variablesOf(t, printed), "EVENT_STORE=", "CLAIM_STORE=") // which follow from GCS_BUCKET
	refusal := regexp.MustCompile(`--env: (\w+) is set by this script`)
	given := make(map[string]string) // the argument, by the setting
	for _, s := range eventdriver.Settings() {
		if strings.HasPrefix(s.Name, "BIGQUERY_") { // the script deploys no function with it
			continue
		}
		value := s.Default
		if value == "" {
			value = "x"
		}
		if s.Name == "JOIN_DEADLINE" { // the script looks at it
			value = "24h"
		}
		given[s.Name] = s.Name + "=" + value
	}
	for {
		args := []string{"--dry-run"}
		for _, variable := range given {
			args = append(args, "--env="+variable)
		}
		printed, _, err := try(t, args...)
		if err == nil {
			deployed := variablesOf(t, printed)
			for name, variable := range given {
				if !slices.Contains(deployed, variable) {
					t.Errorf("%s does not reach the function: %q", name, deployed)
				}
			}
			break
		}
		refused := refusal.FindStringSubmatch(printed)
		if refused == nil || given[refused[1]] == "" {
			t.Fatalf("%v\n%s", err, printed)
		}
		if !slices.ContainsFunc(itself, func(v string) bool { return strings.HasPrefix(v, refused[1]+"=") }) {
			t.Errorf("%s can't be set: --env must not, and the script does not", refused[1])
		}
		delete(given, refused[1])
	}
	if len(given) < 10 {
		t.Errorf("--env can set %d settings only", len(given))
	}
}

// TestDeployedDefaultsAreTheFunctions: what the script sets, beside names of its own and the
// age after which events are dead-lettered, is what the function takes by itself.
func TestDeployedDefaultsAreTheFunctions(t *testing.T) {
	printed, _ := script(t, "--dry-run")
	got, err := configOf(variablesOf(t, printed))
	if err != nil {
		t.Fatal(err)
	}
	want := eventdriver.DefaultConfig()
	if got.MaxEventAge == 0 || got.DeadLetterTopic == "" || got.Bucket == "" || got.Project == "" || len(got.SourceAliases) == 0 {
		t.Errorf("%+v lacks what the script sets", got)
	}
	want.MaxEventAge, want.DeadLetterTopic, want.Project, want.SourceAliases = got.MaxEventAge, got.DeadLetterTopic, got.Project, got.SourceAliases
	want.EventStore, want.ClaimStore, want.Bucket = eventdriver.StoreGCS, eventdriver.StoreGCS, got.Bucket
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the function gets\n%+v\nwant\n%+v", got, want)
	}
}

// configOf returns what the function makes of variables, each NAME=value.
func configOf(environ []string) (eventdriver.Config, error) {
	return eventdriver.ConfigFromEnv(func(name string) (string, bool) {
		for _, variable := range environ {
			if value, ok := strings.CutPrefix(variable, name+"="); ok {
				return value, true
			}
		}
		return "", false
	})
}
