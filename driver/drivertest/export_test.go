package drivertest

import (
	"testing"

	"example.com/eventdriver/driver"
)

// EventFailures runs the checks of TestEventStore, and returns what each of them
// found wrong, by its sentence.
func EventFailures[S driver.EventStore](t *testing.T, h Harness[S]) map[string]error {
	return tryAll(t, h, asEventStore[S], eventChecks)
}

// ClaimFailures does the same for TestClaimStore.
func ClaimFailures[S driver.ClaimStore](t *testing.T, h Harness[S]) map[string]error {
	return tryAll(t, h, asClaimStore[S], claimChecks)
}

// LetterFailures does the same for TestDeadLetterStore.
func LetterFailures[S driver.DeadLetterStore](t *testing.T, h Harness[S], kept func(S) []driver.DeadLetter) map[string]error {
	as := func(s S) letterBox {
		return letterBox{s, func() []driver.DeadLetter { return kept(s) }}
	}
	return tryAll(t, h, as, letterChecks)
}

// InspectorFailures does the same for TestInspector.
func InspectorFailures[S Inspected](t *testing.T, h Harness[S]) map[string]error {
	return tryAll(t, h, asInspected[S], inspectChecks)
}

// LetterBoxFailures does the same for TestLetterBox.
func LetterBoxFailures[S Lettered](t *testing.T, h Harness[S]) map[string]error {
	return tryAll(t, h, asLettered[S], letterBoxChecks)
}

// ReopenFailures does the same for TestReopener.
func ReopenFailures[S Reopening](t *testing.T, h Harness[S]) map[string]error {
	return tryAll(t, h, asReopening[S], reopenChecks)
}

// CorrectFailures does the same for TestCorrector.
func CorrectFailures[S Correcting](t *testing.T, h Harness[S]) map[string]error {
	return tryAll(t, h, asCorrecting[S], correctChecks)
}

// PurgeFailures does the same for TestPurger.
func PurgeFailures[S Purging](t *testing.T, h Harness[S]) map[string]error {
	return tryAll(t, h, asPurging[S], purgeChecks)
}

func tryAll[S, I any](t *testing.T, h Harness[S], as func(S) I, checks []check[I]) map[string]error {
	found := make(map[string]error)
	for _, c := range checks {
		found[c.says] = try(t, h, as, c)
	}
	return found
}

// Names are those that the checks of any string take, and FewNames the few of them.
var (
	Names    = names
	FewNames = fewNames
)

// DoesNotApply is what a check returns where a store lacks what it is about.
var DoesNotApply = errDoesNotApply

// ExplorePipeline runs [Pipeline], and returns what it would fail the test with, and the
// schedule; "" if nothing.
func ExplorePipeline(t *testing.T, x Exploration, build func(*Env) *driver.Pipeline, events ...driver.Message) (report, schedule string) {
	defer quiet()()
	e := newExplorer(x, build, events)
	failed := e.explore(t)
	if failed == nil {
		return "", ""
	}
	return failed.report(t.Name()), failed.plan.String()
}

// Stories makes the runs that all begin with, and returns the story of each.
func Stories(t *testing.T, build func(*Env) *driver.Pipeline, schedules []string, events ...driver.Message) [][]string {
	defer quiet()()
	e := newExplorer(Exploration{}, build, events)
	var stories [][]string
	for _, schedule := range schedules {
		p, err := parsePlan(schedule, len(events))
		if err != nil {
			t.Fatal(err)
		}
		if p.String() != schedule {
			t.Fatalf("schedule %q is written as %q", schedule, p)
		}
		r := e.execute(t, p)
		stories = append(stories, append(r.broken, r.story...))
	}
	return stories
}
