package docs

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver"
)

var (
	alertTitle   = regexp.MustCompile(`\btitle\s+= "(.+)"\n`)
	alertCommand = regexp.MustCompile(`\bcommand\s+= "(.+)"\n`)
	alertLines   = regexp.MustCompile(`\blines\s+= "(.+)"\n`)
	loggedText   = regexp.MustCompile(`\\"(.+?)\\"`)
	loggedField  = regexp.MustCompile(`jsonPayload\.report\.(\w+)`)
)

// alerts returns which alerts of the module lead nowhere: they have no section in the guide, their
// first command is not the section's, or the function does not log what they look for.
func alerts(m module) (problems []string) {
	source, guide := m.source["terraform/alerts.tf"]+m.source["terraform/telemetry.tf"], read(m.t, "docs/operations.md")
	titles, commands := alertTitle.FindAllStringSubmatch(source, -1), alertCommand.FindAllStringSubmatch(source, -1)
	if len(titles) < 9 || len(titles) != len(commands) {
		problems = append(problems, fmt.Sprintf("there are %d titles and %d commands", len(titles), len(commands)))
	}
	for i, title := range titles {
		_, section, found := strings.Cut(guide, "\n### "+title[1]+"\n")
		section, _, _ = strings.Cut(section, "\n#")
		words := len(strings.Fields(section))
		switch {
		case !found:
			problems = append(problems, "no section is called "+title[1])
		case !strings.Contains(section, "`"+commands[i][1]+"`"):
			problems = append(problems, title[1]+": the section lacks `"+commands[i][1]+"`")
		case words > 60:
			problems = append(problems, fmt.Sprintf("%s: the section has %d words, for somebody who was woken", title[1], words))
		}
	}
	return append(problems, neverLogged(m, source)...)
}

// neverLogged returns what the alerts look for in logs and the function never logs.
func neverLogged(m module, source string) (problems []string) {
	logs := read(m.t, "driver/cache/cache.go") + read(m.t, "driver/convert/log.go") + read(m.t, "sweep.go")
	report, err := json.Marshal(eventdriver.SweepReport{})
	if err != nil {
		m.t.Fatal(err)
	}
	for _, lines := range alertLines.FindAllStringSubmatch(source, -1) {
		texts := loggedText.FindAllStringSubmatch(lines[1], -1)
		if len(texts) == 0 {
			problems = append(problems, lines[1]+" looks for nothing")
		}
		for _, text := range texts {
			if !slices.ContainsFunc([]string{`Context(ctx, "`, `Context(r.Context(), "`, `slog.LevelError, "`}, func(call string) bool {
				return strings.Contains(logs, call+text[1])
			}) {
				problems = append(problems, "the function never logs "+text[1])
			}
		}
		for _, field := range loggedField.FindAllStringSubmatch(lines[1], -1) {
			if !strings.Contains(string(report), `"`+field[1]+`":`) {
				problems = append(problems, "the report of a sweep has no "+field[1])
			}
		}
	}
	return problems
}

// TestAlertsCanBeActedUpon compares the module's alerts with their sections in the guide, and with
// what the function logs.
func TestAlertsCanBeActedUpon(t *testing.T) {
	for _, problem := range alerts(terraform(t, false)) {
		t.Error(problem)
	}
	const file = "terraform/alerts.tf"
	tells(t, false, alerts, []lie{
		{[3]string{file, `"Sweeps fail"`, `"Sweeps break"`}, "no section is called Sweeps break"},
		{[3]string{file, `"why KEY"`, `"tail"`}, "A run vanished: the section lacks `tail`"},
		{[3]string{file, "took over an", "takes over an"}, "never logs takes over an"},
		{[3]string{file, "report.expired", "report.overdue"}, "has no overdue"},
		{[3]string{file, `\"the sweep failed\"`, `\"the sweep has failed\"`}, "never logs the sweep has failed"},
		{[3]string{file, `\"event dead-lettered\"`, `\"event given up\"`}, "never logs event given up"},
		{[3]string{file, `title   = "Sweeps fail"`, ``}, "there are 9 titles and 10 commands"},
	})
}
