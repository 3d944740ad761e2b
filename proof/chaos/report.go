package chaos

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"example.com/eventdriver/proof/charts"
	"example.com/eventdriver/proof/ledger"
)

// Report is the result of a run. proof/chaos.md says what the figures mean.
type Report struct {
	Options Options `json:"options"`
	Seconds float64 `json:"seconds"`
	Rounds  int     `json:"rounds"`

	Orders       int `json:"orders"`
	Events       int `json:"events"`       // published, duplicates included
	Acknowledged int `json:"acknowledged"` // of them
	Deliveries   int `json:"deliveries"`   // requests to the function
	Duplicates   int `json:"duplicates"`   // of the published events

	Kills        int          `json:"kills"`
	Pauses       int          `json:"pauses"`
	LongPauses   int          `json:"pauses_longer_than_the_lease"`
	Cuts         int          `json:"cut_connections"`
	Slowed       int          `json:"slow_connections"`
	LostAnswers  int          `json:"lost_answers"`
	Refused      int          `json:"refused_requests"`
	BusinessFail int          `json:"business_failures"`
	LongRuns     int          `json:"runs_longer_than_the_lease"`
	Deeds        map[deed]int `json:"deeds"` // all kinds of harm, with the place where they met a run

	ledger.Counts

	Lost        int `json:"lost"`         // orders without an effect, or not completed in the store
	DeadLetters int `json:"dead_letters"` // events; all of them can succeed
	Misbehaved  int `json:"misbehaved"`   // instances that ended by themselves, or not in good order
	Rested      int `json:"rested"`       // rounds whose harm was ended because they took too long

	Violations []string `json:"violations"` // the first of them, with reasons
	OK         bool     `json:"passed"`

	chronicle *chronicle
}

// Passed says whether nothing was lost, nothing was processed twice, and no instance
// misbehaved.
func (r *Report) Passed() bool {
	return r.Lost == 0 && r.Doubled == 0 && r.Unexcused == 0 && r.Wrong == 0 &&
		r.DeadLetters == 0 && r.Misbehaved == 0 && r.Acknowledged == r.Events
}

func (r *Report) violated(format string, args ...any) {
	if len(r.Violations) < 100 {
		r.Violations = append(r.Violations, fmt.Sprintf(format, args...))
	}
}

// add adds what a round's ledger has counted.
func (r *Report) add(c ledger.Counts, violations []string) {
	r.Counts = r.Counts.Plus(c)
	for _, v := range violations {
		r.violated("%s", v)
	}
}

func (r *Report) finish(c *chronicle) {
	r.chronicle, r.Deeds = c, c.counts
	r.Seconds = time.Since(c.start).Seconds()
	r.Duplicates = r.Events - len(events)*r.Orders
	r.Kills = c.count(killAnytime, killHolder, killActed)
	r.Pauses = c.count(stopAnytime, stopHolder, stopActed)
	r.LongPauses = c.longer(time.Duration(r.Options.Lease), stopAnytime, stopHolder, stopActed)
	r.Cuts, r.Slowed = c.count(cut), c.count(slow)
	r.LostAnswers, r.Refused = c.count(lost), c.count(refused)
	r.BusinessFail, r.LongRuns = c.count(failed), c.count(long)
	if r.Acknowledged != r.Events {
		r.violated("%d events were never acknowledged, though nothing had kept them from it for %v", r.Events-r.Acknowledged, patience)
	}
	r.OK = r.Passed()
}

// WriteText prints the report for people.
func (r *Report) WriteText(w io.Writer) {
	line := func(name string, n int, more string) { fmt.Fprintf(w, "%-28s %7d  %s\n", name, n, more) }
	in := func(deeds ...deed) string {
		var parts []string
		for _, d := range deeds {
			if n := r.Deeds[d]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n, d))
			}
		}
		return strings.Join(parts, ", ")
	}
	line("orders", r.Orders, fmt.Sprintf("in %d rounds and %.0f s, at %d instances, seed %d", r.Rounds, r.Seconds, r.Options.Instances, r.Options.Seed))
	line("events published", r.Events, fmt.Sprintf("%d of them duplicates", r.Duplicates))
	line("events acknowledged", r.Acknowledged, "")
	line("deliveries", r.Deliveries, "")
	line("kills", r.Kills, in(killAnytime, killHolder, killActed))
	line("pauses", r.Pauses, in(stopAnytime, stopHolder, stopActed))
	line("  longer than the lease", r.LongPauses, "")
	line("connections cut", r.Cuts, "")
	line("connections slow", r.Slowed, "")
	line("answers lost", r.LostAnswers, "of the store, after it had done what was asked")
	line("requests refused", r.Refused, "by the store")
	line("business failures", r.BusinessFail, "")
	line("runs beyond the lease", r.LongRuns, "")
	line("effects applied", r.Applied, fmt.Sprintf("by %d runs", r.Runs))
	line("repeats recognised", r.Repeats, fmt.Sprintf("the one window: %d after a kill, %d after a pause, %d after a lease lost otherwise", r.AfterKill, r.AfterPause, r.AfterLease))
	line("zombies refused", r.Stale, r.aboutZombies())
	if r.Rested > 0 {
		line("rested", r.Rested, "rounds ended in peace, since they took long under so much harm")
	}
	for _, failure := range []struct {
		name string
		n    int
	}{{"LOST", r.Lost}, {"DOUBLED", r.Doubled}, {"UNEXCUSED", r.Unexcused}, {"wrong content", r.Wrong},
		{"dead letters", r.DeadLetters}, {"misbehaved instances", r.Misbehaved}, {"not acknowledged", r.Events - r.Acknowledged}} {
		line(failure.name, failure.n, "")
	}
	for _, v := range r.Violations {
		fmt.Fprintln(w, "!", v)
	}
	fmt.Fprintln(w, r.verdict())
}

func (r *Report) verdict() string {
	word := "FAILED"
	if r.Passed() {
		word = "passed"
	}
	return fmt.Sprintf("chaos: %s: %d orders, %d lost, %d doubled, %d unexcused, %d zombies refused", word, r.Orders, r.Lost, r.Doubled, r.Unexcused, r.Stale)
}

func (r *Report) aboutZombies() string {
	switch {
	case r.Stale > 0:
		return "runs of holders that came back after another had taken over"
	case r.Options.Instances == 1:
		return "no zombie came: with one instance nobody takes over while it is paused"
	}
	return "no zombie reached the ledger in this run, so it does not show that they are refused"
}

// WriteJSON prints the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Chart draws the run.
func (r *Report) Chart() charts.Chart {
	c := r.chronicle
	strip := func(name, color string, deeds ...deed) charts.Strip {
		s := charts.Strip{Name: fmt.Sprintf("%s (%d)", name, c.count(deeds...)), Color: color}
		for _, d := range deeds {
			s.Spans = append(s.Spans, c.spans[d]...)
		}
		return s
	}
	return charts.Chart{
		Title:  fmt.Sprintf("%d orders, %d lost, %d doubled: %d kills, %d pauses", r.Orders, r.Lost, r.Doubled, r.Kills, r.Pauses),
		Length: time.Duration(r.Seconds * float64(time.Second)),
		Panels: []charts.Panel{{Label: "orders acted upon", Height: 280,
			Lines: []charts.Line{{Name: "effects applied, one for each order", Color: "#1f6fb4", Points: c.acted}}}},
		Strips: []charts.Strip{
			strip("kills", "#d62728", killAnytime, killHolder, killActed),
			strip("pauses", "#7a4fb5", stopAnytime, stopHolder, stopActed),
			strip("zombies refused", "#000000", stale),
			strip("cut", "#e07b00", cut),
			strip("slow", "#c9a500", slow),
			strip("answers lost", "#2a8c4a", lost),
		},
	}
}
