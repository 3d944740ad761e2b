package soak

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"example.com/eventdriver/proof/charts"
)

// Report is the result of a run.
type Report struct {
	Options Options `json:"-"`

	Curves  []Curve  `json:"curves"`
	Samples []Sample `json:"samples"`

	Rate       float64 `json:"orders_a_second"` // that came and were answered
	Orders     int     `json:"orders"`
	Processed  int     `json:"processed"` // of them
	Doubled    int     `json:"doubled"`   // processed more than once
	Deliveries int     `json:"deliveries"`

	EndedAfter float64 `json:"ended_after_seconds"` // from SIGTERM
	ExitCode   int     `json:"exit_code"`
	OpenClaims int     `json:"open_claims"` // that it left

	OK bool `json:"passed"`
}

// held is the share of the rate that a run must have kept. A process that mostly waits
// takes little, and its figures say nothing.
const held = 0.9

// Passed says whether the rate was kept, nothing grew, nothing was left, and each order
// was processed once.
func (r *Report) Passed() bool {
	if r.Rate < held*r.Options.Rate {
		return false
	}
	for _, c := range r.Curves {
		if !c.OK {
			return false
		}
	}
	return r.Processed == r.Orders && r.Doubled == 0 && r.ExitCode == 0 && r.OpenClaims == 0
}

// WriteText prints the report for people.
func (r *Report) WriteText(w io.Writer) {
	fmt.Fprintf(w, "%d orders, %d processed, %d doubled; %d deliveries, %d looks at the process\n",
		r.Orders, r.Processed, r.Doubled, r.Deliveries, len(r.Samples))
	verdict := "kept"
	if r.Rate < held*r.Options.Rate {
		verdict = "NOT KEPT: this machine is too busy or too slow for it; try a lower -rate"
	}
	fmt.Fprintf(w, "rate         %8.1f orders a second, of %v: %s\n", r.Rate, r.Options.Rate, verdict)
	for _, c := range r.Curves {
		fmt.Fprintln(w, c)
	}
	fmt.Fprintf(w, "after SIGTERM: ended after %.1f s with exit code %d, %d open claims\n", r.EndedAfter, r.ExitCode, r.OpenClaims)
	verdict = "FAILED"
	if r.Passed() {
		verdict = "passed"
	}
	fmt.Fprintf(w, "soak: %s: %v at %v orders a second, store %s\n", verdict, r.Options.For, r.Options.Rate, r.Options.Store)
}

// WriteJSON prints the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Chart draws the run.
func (r *Report) Chart() charts.Chart {
	line := func(of int, color string) charts.Line {
		l := charts.Line{Name: curves[of].Name, Color: color}
		for _, s := range r.Samples {
			l.Points = append(l.Points, charts.Point{At: s.At, Value: curves[of].of(s)})
		}
		return l
	}
	span := func(from, to time.Duration) charts.Span { return charts.Span{From: from, To: to} }
	length := r.Options.For
	return charts.Chart{
		Title:  fmt.Sprintf("%v at %v orders a second: what the function takes", length, r.Options.Rate),
		Length: length,
		Panels: []charts.Panel{
			{Label: "MiB", Height: 180, Lines: []charts.Line{line(0, "#1f6fb4"), line(1, "#2a8c4a")}},
			{Label: "number", Height: 180, Lines: []charts.Line{line(2, "#d62728"), line(3, "#e07b00"), line(4, "#7a4fb5")}},
		},
		Strips: []charts.Strip{{Name: "compared quarters", Color: "#999999",
			Spans: []charts.Span{span(length/4, length/2), span(length*3/4, length)}}},
	}
}
