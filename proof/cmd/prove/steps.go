package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// step is one kind of proof.
type step struct {
	name, what string
	commands   []string
	long       []string            // in their place with PROVE=long
	figure     func(string) string // from the output; empty: it has none, and the step has failed
	needs      func() string       // why the step can't run here; empty: it can
}

const emulated = "internal/fake/bqemulator/with go test -count=1 -v -timeout 40m "

// steps are all steps, the quickest to fail first. A test checks that every test which make
// test leaves out is in one of them.
var steps = []step{
	{name: "demo", what: "a story of orders through the whole thing",
		commands: []string{"make demo"}, figure: line(`demo: (.*)`)},
	{name: "race", what: "the tests under the race detector",
		commands: []string{"make race"}, figure: count(`(?m)^ok `, "packages without a race"), needs: compiler},
	{name: "explore", what: "every schedule of every scenario up to a bound, and others at random",
		commands: []string{"go test ./proof/sim -count=1 -v -timeout 1h -run 'TestExplore|TestRandom'"},
		long:     []string{"make explore"},
		figure:   line(`(\d+ schedules of \d+ scenarios)`)},
	{name: "mutants", what: "the code broken in one place after another, for the explorer to find",
		commands: []string{"go test ./proof/sim -count=1 -v -timeout 1h -run TestSourceMutants -sim.mutants -sim.every=10"},
		long:     []string{"make mutants"},
		figure:   line(`(\d+ of \d+ mutants were found, of \d+ in the list)`)},
	{name: "broken", what: "wrong protocols, for chaos to find", commands: []string{
		"go test ./proof/chaos ./proof/soak -count=1 -v -timeout 30m -run 'TestBrokenProtocolsAreFound|TestChaosLosesAndDoublesNothing|TestShortSoak'"},
		figure: tests},
	{name: "chaos", what: "instances killed, stopped and cut off while orders come",
		commands: []string{"make chaos-short"}, long: []string{"make chaos"}, figure: line(`(?m)^orders +(\d+ .*)`)},
	{name: "keys", what: "1,000 keys of 100,000 that wait for an event, found by the command",
		commands: []string{"go test ./cmd/eventdriver -count=1 -v -timeout 10m -run TestHundredThousandKeys"}, figure: line(`keys: (.*)`)},
	{name: "sweeps", what: "two that sweep, killed while the last events of orders come late",
		commands: []string{"go test . -count=1 -v -timeout 10m -run TestSweepsKilledAgainstLateEvents"}, figure: line(`sweeps: (.*)`)},
	{name: "telemetry", what: "counters of processes under load, compared with the answers; a run recorded for the dashboard",
		commands: []string{"go test . -count=1 -v -timeout 10m -run TestCountersAgreeWithTheLedger",
			"go test ./proof/dashboard -count=1 -v -timeout 10m -run TestRecord"}, figure: line(`telemetry: (.*)`)},
	{name: "local", what: "instances of the local run killed and frozen while orders come", commands: []string{
		"go test ./cmd/local/... -count=1 -v -timeout 10m -run 'TestNothingIsLostWhenInstancesDie'"},
		figure: line(`(\d+ orders, \d+ runs.*)`)},
	{name: "smoke", what: "trials of a deployment that fail in one way after another", commands: []string{
		"go test ./proof/smoke -count=1 -v -timeout 10m -run 'TestFailures|TestLeft|TestTerraformTakesTheFolder'"},
		figure: tests},
	{name: "soak", what: "a fixed rate, while all that the function takes must stay flat",
		commands: []string{"make soak ARGS='-for 60s -rate 5'"}, long: []string{"make soak ARGS='-for 1h'"}, figure: line(`(?m)^soak: (.*)`)},
	{name: "memory", what: "more large events at once than fit",
		commands: []string{"go test . -count=1 -v -timeout 20m -run TestMemoryOfLargeEvents"}, figure: line(`(peak RSS: .*)`)},
	{name: "fuzz", what: "all that parses input",
		commands: []string{"make fuzz FUZZTIME=5s"}, long: []string{"make fuzz FUZZTIME=2m"}, figure: count(`(?m)^Fuzz\w+ in `, "targets")},
	{name: "browser", what: "the local console driven in a real Chromium",
		commands: []string{"make browser"}, figure: tests},
	{name: "bench", what: "the comparisons of make bench, each once: do they work?",
		commands: []string{"make bench-quick"}, figure: tests},
	{name: "clone", what: "a copy of this tree, made somebody's own, a project that imports it, and the commands of the tutorial",
		commands: []string{"go test ./internal/repo/... ./cmd/eventdriver/... -count=1 -v -timeout 30m -run 'TestShownCommands|TestProjectElsewhere|TestRenamedCloneBuilds|TestAnotherBusinessInPlace|TestModuleAsALibrary|TestDeployedSourceIsTidied'"}, figure: tests},
	{name: "google", what: "gcloud and its Pub/Sub emulator take what is sent to them", commands: []string{
		"go test ./deploy ./publish ./cmd/local ./proof/smoke ./internal/repo/docs -count=1 -v -timeout 20m -run 'TestGcloudKnowsTheCommands|TestFakePrintsWhatGcloudPrints|GooglesEmulator'"},
		figure: tests, needs: installed("gcloud")},
	{name: "gcloud.sh", what: "gcloud.sh killed after each of its calls, and run again",
		commands: []string{"go test ./deploy -count=1 -v -run TestInterruptedRunsEnd"}, figure: tests},
	{name: "terraform", what: "the module formatted, validated, planned and tested",
		commands: []string{"make terraform"}, figure: line(`(?i)(success.*|.*passed.*)`), needs: terraform},
	{name: "provider", what: "Google's own provider applies the module to a stand-in for Google Cloud, change by change",
		commands: []string{"go test ./proof/terraform -count=1 -v -timeout 2h"}, figure: tests, needs: provider},
	{name: "buildpack", what: "the function built and started as Google's buildpack does",
		commands: []string{"make buildpack"}, figure: count(`(?m)^(--- PASS|ok )`, "checks")},
	{name: "bigquery", what: "the tests of BigQuery on its emulator, which takes minutes to build", commands: []string{
		// The emulator takes more memory with what it has done.
		emulated + "-skip 'TestConformance$|TestConformanceOf(Inspector|LetterBox|Purger)$' ./stores/bqstore",
		emulated + "-run 'TestConformanceOf(Inspector|LetterBox|Purger)$' ./stores/bqstore",
		emulated + "-run 'TestConformance$' ./stores/bqstore",
		emulated + "-run 'BigQuery|TestEvery' .",
		emulated + "-run TestDemo ./cmd/local"},
		figure: tests, needs: compiler},
}

// line is a figure that a pattern's group finds; the last match counts.
func line(pattern string) func(string) string {
	find := regexp.MustCompile(pattern)
	return func(output string) string {
		all := find.FindAllStringSubmatch(output, -1)
		if len(all) == 0 {
			return ""
		}
		return strings.TrimSpace(all[len(all)-1][1])
	}
}

// count is how often a pattern matches.
func count(pattern, of string) func(string) string {
	find := regexp.MustCompile(pattern)
	return func(output string) string {
		n := len(find.FindAllString(output, -1))
		if n == 0 {
			return ""
		}
		return fmt.Sprintf("%d %s", n, of)
	}
}

var (
	passed  = regexp.MustCompile(`(?m)^ *--- PASS`)
	skipped = regexp.MustCompile(`(?m)^ *--- SKIP`)
)

// tests counts the tests of go test -v, those within others as well.
func tests(output string) string {
	n := len(passed.FindAllString(output, -1))
	if n == 0 {
		return ""
	}
	figure := fmt.Sprintf("%d tests passed", n)
	if n := len(skipped.FindAllString(output, -1)); n > 0 {
		figure += fmt.Sprintf(", %d skipped", n)
	}
	return figure
}

func installed(program string) func() string {
	return func() string {
		if _, err := exec.LookPath(program); err != nil {
			return program + " is not installed"
		}
		return ""
	}
}

// compiler: the race detector is built with a C compiler.
func compiler() string {
	if cc := os.Getenv("CC"); cc != "" {
		return installed(cc)()
	}
	return installed("gcc")()
}

// terraform: also where TERRAFORM_CHECK names a checker of the module.
func terraform() string { return installed("terraform")() }

// provider: what terraform providers mirror has fetched. Nothing is fetched here.
func provider() string {
	if os.Getenv("TERRAFORM_PROVIDERS") == "" {
		return "TERRAFORM_PROVIDERS names no folder of Google's provider"
	}
	return terraform()
}
