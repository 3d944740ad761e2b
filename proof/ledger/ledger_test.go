package ledger_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"example.com/eventdriver/proof/ledger"
)

const lease = 2 * time.Second

// fates are the instances that were killed or paused.
type fates struct{ killed, paused string }

func (f fates) Killed(instance string) bool              { return instance == f.killed }
func (f fates) Paused(instance string, _ time.Time) bool { return instance == f.paused }

// step is a run of the business on the one order. Its claim was asked for this long after
// the beginning.
type step struct {
	instance string
	token    int64
	at       time.Duration
	takeover bool
	told     ledger.Answer // to begin; empty: to go on
	acts     ledger.Answer // what acting is answered; empty: it does not act
	refused  bool          // it must not even begin
}

func TestRunsAreJudged(t *testing.T) {
	first := step{instance: "a", token: 1, acts: ledger.Applied}
	for _, c := range []struct {
		name  string
		fates fates
		steps []step
		want  ledger.Counts
	}{
		{"once", fates{}, []step{first}, ledger.Counts{Runs: 1, Applied: 1}},
		{"again after a failure", fates{}, []step{{instance: "a", token: 1, told: ledger.Fail}, {instance: "b", token: 2, acts: ledger.Applied}},
			ledger.Counts{Runs: 2, Applied: 1}},
		{"the one window, by a kill", fates{killed: "a"}, []step{first, {instance: "b", token: 2, at: lease, takeover: true, acts: ledger.Again}},
			ledger.Counts{Runs: 2, Applied: 1, Repeats: 1, AfterKill: 1}},
		{"the one window, by a pause", fates{paused: "a"}, []step{first, {instance: "b", token: 2, at: lease, takeover: true, acts: ledger.Again}},
			ledger.Counts{Runs: 2, Applied: 1, Repeats: 1, AfterPause: 1}},
		{"the one window, by a lease that was not renewed", fates{}, []step{first, {instance: "b", token: 2, at: lease, takeover: true, acts: ledger.Again}},
			ledger.Counts{Runs: 2, Applied: 1, Repeats: 1, AfterLease: 1}},
		{"after a takeover that failed", fates{killed: "a"}, []step{first, {instance: "b", token: 2, at: lease, takeover: true, told: ledger.Panic},
			{instance: "c", token: 3, at: lease, acts: ledger.Again}}, ledger.Counts{Runs: 3, Applied: 1, Repeats: 1, AfterKill: 1}},
		{"after a takeover that nobody saw", fates{killed: "a"}, []step{first, {instance: "c", token: 3, at: lease, acts: ledger.Again}},
			ledger.Counts{Runs: 2, Applied: 1, Repeats: 1, AfterKill: 1}},
		{"a zombie acts", fates{paused: "a"}, []step{{instance: "a", token: 1}, {instance: "b", token: 2, at: lease, takeover: true, acts: ledger.Applied},
			{instance: "a", token: 1, acts: ledger.Stale, told: "began before"}}, ledger.Counts{Runs: 2, Applied: 1, Stale: 1}},
		{"a zombie begins", fates{paused: "a"}, []step{{instance: "b", token: 2, at: lease, takeover: true, acts: ledger.Applied},
			{instance: "a", token: 1, refused: true}}, ledger.Counts{Runs: 2, Applied: 1, Stale: 1}},

		{"a repeat without a takeover", fates{killed: "a"}, []step{first, {instance: "b", token: 2, at: lease, acts: ledger.Again}},
			ledger.Counts{Runs: 2, Applied: 1, Repeats: 1, Unexcused: 1}},
		{"a takeover before the lease has run out", fates{killed: "a"}, []step{{instance: "a", token: 1},
			{instance: "b", token: 2, at: lease / 2, takeover: true, acts: ledger.Applied}}, ledger.Counts{Runs: 2, Applied: 1, Unexcused: 1}},
		{"the same token twice", fates{killed: "a"}, []step{first, {instance: "b", token: 1, at: lease, takeover: true, acts: ledger.Again}},
			ledger.Counts{Runs: 2, Applied: 1, Doubled: 1}},
		{"an older token twice", fates{}, []step{{instance: "a", token: 1, told: ledger.Fail}, {instance: "b", token: 2, acts: ledger.Applied},
			{instance: "c", token: 1, refused: true}}, ledger.Counts{Runs: 3, Applied: 1, Stale: 1, Doubled: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := play(t, c.fates, c.steps).Counts(); got != c.want {
				t.Errorf("counted %+v\nwant    %+v", got, c.want)
			}
		})
	}
}

var beginning = time.Now()

// play sends runs to a ledger over HTTP, one after another.
func play(t *testing.T, fates fates, steps []step) *ledger.Ledger {
	t.Helper()
	told := ledger.GoOn
	l := ledger.New(ledger.Config{Lease: lease, Fates: fates, OnBegin: func(ledger.Run) ledger.Answer { return told },
		OnApplied: func(ledger.Run) {}, OnStale: func(ledger.Run) {}})
	server := httptest.NewServer(l)
	defer server.Close()
	l.Expect("order", map[string]string{"event2": `{"n":1}`})
	for _, s := range steps {
		run := ledger.Run{Instance: s.instance, Order: "order", Token: s.token, Takeover: s.takeover,
			Expires: beginning.Add(s.at + lease), Content: json.RawMessage(`{"event1":null,"event2":{"n":1}}`)}
		if s.told != "began before" {
			told = ledger.GoOn
			want := ledger.GoOn
			if s.told != "" {
				told, want = s.told, s.told
			}
			if s.refused {
				want = ledger.Stale
			}
			if got, err := run.Begin(t.Context(), server.URL); got != want || err != nil {
				t.Errorf("%s begins: %q, %v; want %q", s.instance, got, err, want)
			}
		}
		if s.acts != "" {
			if got, err := run.Act(t.Context(), server.URL); got != s.acts || err != nil {
				t.Errorf("%s acts: %q, %v; want %q", s.instance, got, err, s.acts)
			}
		}
	}
	return l
}

func TestRunsAfterCompletionAreFound(t *testing.T) {
	l := play(t, fates{killed: "a"}, []step{{instance: "a", token: 1, acts: ledger.Applied}, {instance: "b", token: 2, at: 2 * lease, takeover: true}})
	l.Completed("order", beginning.Add(lease*3/2))
	if got := l.Counts().Doubled; got != 0 {
		t.Errorf("%d doubled: the claim was asked for within a second, and could miss the completion", got)
	}
	l.Completed("order", beginning.Add(time.Millisecond))
	if got := l.Counts().Doubled; got != 1 || len(l.Violations()) != 1 {
		t.Errorf("%d doubled, %q; want the run that began after the completion", got, l.Violations())
	}
}

func TestMissingAndWrongOrdersAreFound(t *testing.T) {
	l := play(t, fates{}, []step{{instance: "a", token: 1, told: ledger.Fail}})
	if got := l.Missing(); len(got) != 1 || got[0] != "order" {
		t.Errorf("missing %q, want the order that nobody acted upon", got)
	}
	server := httptest.NewServer(l)
	defer server.Close()
	for _, run := range []ledger.Run{
		{Order: "unknown", Token: 1, Content: json.RawMessage(`{}`)},
		{Order: "order", Token: 2, Content: json.RawMessage(`{"event2":{"n":2}}`)},
		{Order: "order", Token: 3, Content: json.RawMessage(`"none"`)},
	} {
		before := l.Counts().Wrong
		if _, err := run.Begin(t.Context(), server.URL); err != nil || l.Counts().Wrong != before+1 {
			t.Errorf("%+v: %v, not counted as wrong", run, err)
		}
	}
	if got, err := (ledger.Run{Order: "order", Token: 9}).Act(t.Context(), server.URL); got != ledger.Stale || err != nil {
		t.Errorf("an act without a beginning: %q, %v", got, err)
	}
}
