package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
)

// TestReleaseAndComplete changes keys, asks before, and leaves a record.
func TestReleaseAndComplete(t *testing.T) {
	b := newBucket(t)
	for _, key := range []string{"failed", "quarantined", "held"} {
		b.persist(t, key, "event1", "event2", "event3")
	}
	for key, mark := range map[string]driver.Mark{"failed": driver.MarkFailed, "quarantined": driver.MarkQuarantined} {
		if err := b.store.Release(t.Context(), b.claim(t, key), driver.Released{Mark: mark}); err != nil {
			t.Fatal(err)
		}
	}
	held := b.claim(t, "held")

	expectCall(t, b, failed, []string{"nothing was changed", "quarantined: let the next delivery run"}, "release", "quarantined", "--as=me")
	expectCall(t, b, fine, []string{"would do this: quarantined: let the next"}, "release", "quarantined", "--as=me", "--dry-run")
	expectCall(t, b, found, []string{"quarantined: quarantined"}, "why", "quarantined")
	expectCall(t, b, fine, []string{`"action":"release"`, `"by":"me"`, `"key":"quarantined"`}, "release", "quarantined", "--as=me", "--yes")
	expectCall(t, b, found, []string{"quarantined: complete", "owner operator-me-"}, "why", "quarantined")
	expectCall(t, b, found, []string{"nothing to change"}, "release", "quarantined", "--as=me", "--yes")
	expectCall(t, b, found, []string{"nothing is kept"}, "complete", "unknown", "--as=me", "--yes")
	for _, flag := range []string{"--dry-run", "--reason=nobody is asked"} {
		expectCall(t, b, found, []string{"nothing is kept"}, "complete", "unknown", "--as=me", flag)
		expectCall(t, b, found, []string{"nothing to change"}, "release", "quarantined", "--as=me", flag)
		expectCall(t, b, found, []string{"is not completed"}, "rerun", "quarantined", "--as=me", flag)
		expectCall(t, b, failed, []string{"a run is under way"}, "release", "held", "--as=me", flag)
	}
	expectCall(t, b, found, []string{"nothing is kept"}, "complete", "unknown", "--as=me", "--dry-run", "--yes")

	expectCall(t, b, fine, []string{`"action":"complete"`}, "complete", "failed", "--as=me", "--yes")
	expectCall(t, b, fine, []string{"completed: operator", "owner operator-me-"}, "why", "failed")

	for _, command := range []string{"release", "complete"} {
		code, _, errs := call(t, b.environ, command, "held", "--as=me", "--yes")
		if code != failed || !strings.Contains(errs, "a run is under way") || !strings.Contains(errs, "held until") {
			t.Errorf("%s: exit code %d, %s", command, code, errs)
		}
		var line struct{ Error string }
		text, _, _ := strings.Cut(errs, "\n")
		if err := json.Unmarshal([]byte(text), &line); err != nil || line.Error == "" {
			t.Errorf("the audit line is %q, %v", text, err)
		}
	}
	expectCall(t, b, failed, []string{"may act again"}, "release", "held", "--as=me", "--force")
	expectCall(t, b, fine, []string{`"force":true`}, "release", "held", "--as=me", "--force", "--yes")
	if next := b.claim(t, "held"); next.Token <= held.Token {
		t.Errorf("the next run has token %d, after %d", next.Token, held.Token)
	}
	expectCall(t, b, usage, []string{"--as"}, "release", "held")
}

// silent is an input that never ends, and on which nothing comes. It tells of the first read.
type silent struct{ asked chan struct{} }

func (s silent) Read([]byte) (int, error) {
	close(s.asked)
	select {}
}

// TestCtrlCWhileAQuestionWaits: the command ends at once with an exit code of its own, and nothing
// is changed.
func TestCtrlCWhileAQuestionWaits(t *testing.T) {
	b := newBucket(t)
	b.persist(t, "order-1", "event1")
	letter := driver.DeadLetter{Key: "order-2", Reason: driver.ReasonPermanent, Body: []byte("{}")}
	if err := b.store.AddDeadLetter(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	ref := listed(t, b, found).Letters[0].Ref
	for _, args := range [][]string{
		{"complete", "order-1"}, {"letters", "drop", ref}, {"letters", "resend", ref, "--url=http://127.0.0.1:1"},
	} {
		ctx, interrupt := context.WithCancel(t.Context())
		in := silent{make(chan struct{})}
		go func() {
			<-in.asked
			interrupt()
		}()
		var out, errs bytes.Buffer
		code := run(ctx, append(args, "--as=me"), surroundings{in, &out, &errs, b.environ})
		if code != interrupted || !strings.Contains(errs.String(), "nothing was changed") || strings.Contains(errs.String(), "audit") {
			t.Errorf("%q: exit code %d: %s", args, code, errs.String())
		}
	}
	expectCall(t, b, found, []string{"order-1: waiting", "claim: none"}, "why", "order-1")
}

// TestARecordSaysWhy names who, what and why.
func TestARecordSaysWhy(t *testing.T) {
	b := newBucket(t)
	b.persist(t, "order-1", "event1")
	expectCall(t, b, fine, []string{`"by":"me"`, `"why":"the customer has gone"`, `"key":"order-1"`},
		"complete", "order-1", "--as=me", "--yes", "--reason=the customer has gone")
}

// TestRerun: a completed order is opened again, and one event again has it processed once more.
func TestRerun(t *testing.T) { onEachStore(t, testRerun) }

func testRerun(t *testing.T, b bucket) {
	function := serve(t, b.environ)
	function.fixed.Store(true)
	for source, want := range map[string]int{"event1": http.StatusAccepted, "event2": http.StatusAccepted} {
		function.send(t, "/events/"+source, "order-1", `{"n":1}`, want)
	}
	for range 2 { // the second is a duplicate
		function.send(t, "/events/event3", "order-1", `{"n":1}`, http.StatusNoContent)
	}
	expectCall(t, b, failed, []string{"nothing was changed", "is done again"}, "rerun", "order-1", "--as=me")
	expectCall(t, b, fine, []string{`"action":"rerun"`}, "rerun", "order-1", "--as=me", "--yes")
	expectCall(t, b, found, []string{"order-1: complete", "the next delivery or sweep runs it"}, "why", "order-1")
	expectCall(t, b, found, []string{"is not completed"}, "rerun", "order-1", "--as=me", "--yes")
	expectCall(t, b, found, []string{"1 of 1", "order-1"}, "waiting")
	for range 2 {
		function.send(t, "/events/event3", "order-1", `{"n":1}`, http.StatusNoContent)
	}
	if n := function.acted.Load(); n != 2 {
		t.Errorf("the business acted %d times, want twice", n)
	}
	expectCall(t, b, fine, []string{"completed: processed"}, "why", "order-1")
	expectCall(t, b, usage, []string{"--force"}, "rerun", "order-1", "--force")
}
