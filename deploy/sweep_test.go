package deploy

import (
	"slices"
	"strings"
	"testing"
)

const (
	theURL      = "https://event-driver-abc-ew.a.run.app"
	urlOfDryRun = "https://event-driver-PROJECT_NUMBER.europe-west1.run.app"
)

// planned returns the commands of a dry run as those of a run, which asks for the service's URL and the project's number.
func planned(printed string) string {
	return strings.NewReplacer(urlOfDryRun, theURL, "PROJECT_NUMBER", "123456789012").Replace(strings.Join(shown(printed), ""))
}

// TestSweep: a job calls /sweep, as an account that may do nothing else.
func TestSweep(t *testing.T) {
	deadline := []string{"--env=JOIN_DEADLINE=36h", "--sweep-schedule=0 * * * *"}
	printed, _ := script(t, append(deadline, "--dry-run")...)
	_, calls := script(t, deadline...)
	if plan, did := planned(printed), strings.Join(changes(calls), ""); plan != did {
		t.Errorf("a dry run shows\n%s\nbut what is run is\n%s", plan, did)
	}
	const account = "event-driver-sweep@my-project-123.iam.gserviceaccount.com"
	jobs := with(calls, "scheduler jobs create http")
	if len(jobs) != 1 {
		t.Fatalf("the jobs are %q", jobs)
	}
	for _, want := range []string{
		"http event-driver-sweep ", "--location=europe-west1 ", `--schedule=0\ \*\ \*\ \*\ \* `, "--http-method=POST ",
		"--uri=https://event-driver-abc-ew.a.run.app/sweep ", "--oidc-token-audience=https://event-driver-abc-ew.a.run.app ",
		"--oidc-service-account-email=" + account + " ", "--attempt-deadline=60s",
	} {
		if !strings.Contains(jobs[0], want) {
			t.Errorf("%s lacks %s", jobs[0], want)
		}
	}
	grants := slices.DeleteFunc(slices.Clone(calls), func(c string) bool {
		return !strings.Contains(c, "iam-policy-binding") || !strings.Contains(c, account)
	})
	if len(grants) != 1 || !strings.HasPrefix(grants[0], "run services add-iam-policy-binding event-driver ") || !strings.Contains(grants[0], "--role=roles/run.invoker ") {
		t.Errorf("the sweep's account is granted %q, want run.invoker on the service alone", grants)
	}
	if enabled := with(calls, "services enable"); !strings.Contains(enabled[0], " cloudscheduler.googleapis.com ") {
		t.Errorf("%s lacks Cloud Scheduler", enabled[0])
	}
}

// TestSweepByDefault: every hour, and with a deadline every 15 minutes.
func TestSweepByDefault(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{`--schedule=17\ \*\ `: nil, `--schedule=\*/15\ \*\ `: {"--env=JOIN_DEADLINE=36h"}} {
		_, calls := script(t, args...)
		if jobs := with(calls, "scheduler jobs create http"); len(jobs) != 1 || !strings.Contains(jobs[0], want) {
			t.Errorf("%q: the jobs are %q, want %s", args, jobs, want)
		}
	}
}

// TestNoSweep: nothing of it is made, and what an earlier deployment has made is
// removed. Cloud Scheduler, which may not be enabled, is asked only where the account is there.
func TestNoSweep(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.script()
	c.script("--sweep-schedule=none")
	things, roles := c.things()
	for _, left := range slices.Concat(things, roles) {
		if strings.Contains(left, "sweep") {
			t.Errorf("without sweeps there is %s", left)
		}
	}
	printed, calls := c.script("--sweep-schedule=none")
	if all := printed + strings.Join(calls, ""); strings.Contains(all, "scheduler") || strings.Contains(strings.Join(changes(calls), ""), "sweep") {
		t.Error(all)
	}
}

func TestBadDeadlinesAreRefused(t *testing.T) {
	for want, args := range map[string][]string{
		"must be hours, minutes and seconds":    {"--env=JOIN_DEADLINE=1d"},
		"must be hours, minutes and seconds, ":  {"--env=JOIN_DEADLINE=24"},
		"more than 0 and less than 168h":        {"--env=JOIN_DEADLINE=168h"},
		"more than 0 and less than 168h, when ": {"--env=JOIN_DEADLINE=0h0m"},
		"must be the five fields of cron":       {"--sweep-schedule=hourly"},
		"must not be none with JOIN_DEADLINE":   {"--env=JOIN_DEADLINE=1h", "--sweep-schedule=none"},
	} {
		if printed, calls, err := try(t, args...); err == nil || len(calls) > 0 || !strings.Contains(printed, want) {
			t.Errorf("%q: %v, %d calls, and it said %s; want %s", args, err, len(calls), printed, want)
		}
	}
	if printed, _, err := try(t, "--dry-run", "--env=JOIN_DEADLINE=167h59m08s"); err != nil {
		t.Error(err, printed)
	}
}
