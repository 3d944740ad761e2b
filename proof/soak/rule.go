package soak

import (
	"fmt"
	"math"
	"slices"
	"time"

	"example.com/eventdriver/proof/instances"
)

// Sample is what the process used at a moment.
type Sample struct {
	At time.Duration `json:"at"` // since the start
	instances.Usage
}

// Curve is a figure over time, with the rule that it must keep: the median of its last
// quarter exceeds the median of its second quarter by no more than the tolerance. The
// first quarter is left out, since the process warms up in it.
type Curve struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Second float64 `json:"second_quarter"` // median
	Last   float64 `json:"last_quarter"`   // median
	Most   float64 `json:"most"`           // the greatest allowed value of Last
	OK     bool    `json:"flat"`

	of func(Sample) float64
}

const mib = 1 << 20

// curves are the figures, each with the share and the amount by which it may grow.
// The heap in use after a garbage collection shows a leak of memory first: a leak of a
// hundred bytes an event, at a hundred events a second, is seen in five minutes. The
// last three may grow by what atOnce deliveries need: each has a connection, three to the
// store, and their goroutines.
var curves = []struct {
	Curve
	share, amount float64
}{
	{Curve{Name: "memory", Unit: "MiB", of: func(s Sample) float64 { return float64(s.RSS) / mib }}, 0.15, 8},
	{Curve{Name: "heap in use", Unit: "MiB", of: func(s Sample) float64 { return float64(s.Heap) / mib }}, 0.1, 0.5},
	{Curve{Name: "goroutines", of: func(s Sample) float64 { return float64(s.Goroutines) }}, 0, 10 * atOnce},
	{Curve{Name: "open files", of: func(s Sample) float64 { return float64(s.Files) }}, 0, 4 * atOnce},
	{Curve{Name: "connections", of: func(s Sample) float64 { return float64(s.Connections) }}, 0, 4 * atOnce},
}

// Judge returns the curves of the samples, which span the time length.
func Judge(samples []Sample, length time.Duration) (judged []Curve) {
	for _, c := range curves {
		curve := c.Curve
		curve.Second = median(samples, curve.of, length/4, length/2)
		curve.Last = median(samples, curve.of, length*3/4, length)
		curve.Most = curve.Second*(1+c.share) + c.amount
		curve.OK = !math.IsNaN(curve.Second) && curve.Last <= curve.Most
		judged = append(judged, curve)
	}
	return judged
}

func median(samples []Sample, of func(Sample) float64, from, to time.Duration) float64 {
	var values []float64
	for _, s := range samples {
		if s.At >= from && s.At < to {
			values = append(values, of(s))
		}
	}
	if len(values) == 0 {
		return math.NaN() // is not flat
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// String returns the curve on a line.
func (c Curve) String() string {
	verdict := "flat"
	if !c.OK {
		verdict = "GROWS"
	}
	return fmt.Sprintf("%-12s %8.1f in the second quarter, %8.1f in the last, %8.1f allowed  %-4s %s", c.Name, c.Second, c.Last, c.Most, c.Unit, verdict)
}
