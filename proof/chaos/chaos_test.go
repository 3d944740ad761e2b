package chaos_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/internal/repo/prove"
	"example.com/eventdriver/proof/chaos"
	"example.com/eventdriver/proof/instances"
)

// short is a run of seconds, with more harm than the long one has.
func short() chaos.Options {
	o := chaos.Default()
	o.Seed, o.Orders, o.Instances, o.Rate = 1, 24, 3, 20
	o.KillEvery, o.PauseEvery = chaos.Duration(800*time.Millisecond), chaos.Duration(time.Second)
	o.Duplicates = 2
	return o
}

func run(t *testing.T, o chaos.Options) *chaos.Report {
	t.Helper()
	report, err := chaos.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	report.WriteText(&text)
	t.Log("\n" + text.String())
	return report
}

func TestChaosLosesAndDoublesNothing(t *testing.T) {
	prove.Only(t, "waits for real leases")
	report := run(t, short())
	if !report.Passed() || report.Orders != 24 || report.Applied != 24 {
		t.Errorf("passed: %v; %d orders, %d effects", report.Passed(), report.Orders, report.Applied)
	}
	if report.Kills == 0 || report.Pauses == 0 {
		t.Errorf("%d kills, %d pauses: nothing was shown", report.Kills, report.Pauses)
	}
}

// brokenProtocols each change one line of the function.
var brokenProtocols = []struct {
	name, file, line, instead string
	harm                      func(*chaos.Options)
	found                     func(*chaos.Report) int
}{
	{"mark before processing", "driver/cache/lease.go",
		"	err = next.Call(l, in)\n",
		"	if err = l.cache.claims.Complete(l.Context, l.claim, driver.OutcomeProcessed); err == nil {\n		err = next.Call(l, in)\n	}\n",
		func(o *chaos.Options) { leaveAlone(o); o.Fail = 0.3 },
		func(r *chaos.Report) int { return r.Lost }},
	{"acknowledge while another holds the key", "driver/cache/cache.go",
		"		r.held = err\n		return err\n", "		r.held = err\n		return nil\n",
		// The lease outlasts the redelivery, however busy the machine is, and no events
		// come but those of the delivery in which the holder was killed.
		func(o *chaos.Options) { o.Lease, o.PauseEvery, o.Duplicates = chaos.Duration(20*time.Second), 0, 0 },
		func(r *chaos.Report) int { return r.Lost }},
	{"take over a lease that runs", "stores/gcsstore/acquire.go",
		"	case time.Now().Before(r.expires()):\n", "	case false:\n",
		func(o *chaos.Options) { leaveAlone(o); o.Long = 0.5 },
		func(r *chaos.Report) int { return r.Unexcused }},
	{"the same token after a takeover", "stores/gcsstore/acquire.go",
		"next.token, next.takeover, next.attempts = r.token+1, true", "next.token, next.takeover, next.attempts = r.token, true",
		func(o *chaos.Options) {},
		func(r *chaos.Report) int { return r.Doubled }},
	{"release instead of complete", "driver/cache/lease.go",
		"return l.cache.claims.Complete(ctx, l.claim, l.outcome)", "return l.cache.claims.Release(ctx, l.claim, driver.Released{})",
		leaveAlone,
		func(r *chaos.Report) int { return min(r.Unexcused, r.Lost) }},
}

// TestBrokenProtocolsApply: the lines are still there to be changed.
func TestBrokenProtocolsApply(t *testing.T) {
	for _, c := range brokenProtocols {
		change(t, c.file, c.line, c.instead)
	}
}

// TestBrokenProtocolsAreFound builds the function with one line of it changed, and chaos
// must find the fault.
func TestBrokenProtocolsAreFound(t *testing.T) {
	prove.Only(t, "builds and tries five broken protocols, for minutes")
	for _, c := range brokenProtocols {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // it mostly waits for leases
			o := short()
			o.Replace = change(t, c.file, c.line, c.instead)
			c.harm(&o)
			const tries = 5 // the moment of the harm depends on the machine
			for ; o.Seed <= tries; o.Seed++ {
				if report := run(t, o); !report.Passed() && c.found(report) > 0 {
					return
				}
			}
			t.Errorf("chaos did not find it in %d runs", tries)
		})
	}
}

// leaveAlone does no harm to instances, which would take time: duplicates and the
// business's own failures are enough to show the fault.
func leaveAlone(o *chaos.Options) { o.KillEvery, o.PauseEvery, o.CutEvery, o.SlowEvery = 0, 0, 0, 0 }

// change returns the replacement of a file in which one part is changed.
func change(t *testing.T, name, part, instead string) map[string]string {
	t.Helper()
	module, err := instances.Module(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(module, name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(source), part) != 1 {
		t.Fatalf("%s has %q %d times; the test has to follow it", name, part, strings.Count(string(source), part))
	}
	changed := filepath.Join(t.TempDir(), "changed.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(source), part, instead, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{name: changed}
}

func TestOptionsAreChecked(t *testing.T) {
	for flag, spoil := range map[string]func(*chaos.Options){
		"-orders":      func(o *chaos.Options) { o.Orders = 0 },
		"-per-round":   func(o *chaos.Options) { o.PerRound = 5001 },
		"-instances":   func(o *chaos.Options) { o.Instances = 0 },
		"-kill-every":  func(o *chaos.Options) { o.KillEvery = 1 },
		"-pause-every": func(o *chaos.Options) { o.PauseEvery = -1 },
		"-cut-every":   func(o *chaos.Options) { o.CutEvery = 1 },
		"-slow-every":  func(o *chaos.Options) { o.SlowEvery = 1 },
		"-rate":        func(o *chaos.Options) { o.Rate = -1 },
		"-for":         func(o *chaos.Options) { o.For = -1 },
		"-lease":       func(o *chaos.Options) { o.Lease = chaos.Duration(time.Second) },
		"-duplicates":  func(o *chaos.Options) { o.Duplicates = -1 },
		"-lose":        func(o *chaos.Options) { o.Lose = 1 },
		"-fail":        func(o *chaos.Options) { o.Fail = 1 },
		"-long":        func(o *chaos.Options) { o.Long = 1 },
	} {
		o := chaos.Default()
		spoil(&o)
		if _, err := chaos.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), flag+" must be") {
			t.Errorf("%s: %v", flag, err)
		}
	}
	if err := chaos.Default().Check(); err != nil {
		t.Error(err)
	}
}
