// Package sample holds what was measured in the rounds of one run, and compares it.
package sample

import (
	"fmt"
	"math"
	"strconv"

	"golang.org/x/perf/benchmath"
)

// Sample has a value of each round, in their order.
type Sample []float64

// Rounds is how many values it takes for an interval of the median at 95 % confidence.
const Rounds = 6

// Ratio is the sample of a's values by b's. What is compared ran beside each other in each round, so
// that what else the machine does has no part in the ratio.
func Ratio(a, b Sample) Sample {
	ratios := make(Sample, min(len(a), len(b)))
	for i := range ratios {
		ratios[i] = a[i] / b[i]
	}
	return ratios
}

// Summary is the median, and the interval in which it is with 95 % confidence; or the least
// and the greatest value, if there are fewer than [Rounds].
func (s Sample) Summary() (median, low, high float64) {
	summary := benchmath.AssumeNothing.Summary(benchmath.NewSample(s, &benchmath.DefaultThresholds), 0.95)
	low, high = summary.Lo, summary.Hi
	if len(s) < Rounds {
		low, high = math.Inf(1), math.Inf(-1)
		for _, v := range s {
			low, high = min(low, v), max(high, v)
		}
	}
	return summary.Center, low, high
}

// Median is the median.
func (s Sample) Median() float64 {
	median, _, _ := s.Summary()
	return median
}

// String is the median with its interval, "4.2 (4.0–4.7)", or the median alone if it varies by
// less than is shown.
func (s Sample) String() string {
	if len(s) == 0 {
		return "–"
	}
	median, low, high := s.Summary()
	m, l, h := Number(median), Number(low), Number(high)
	if l == m && h == m {
		return m
	}
	return fmt.Sprintf("%s (%s–%s)", m, l, h)
}

// Number writes three digits, or all of those before the point, with commas.
func Number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	digits := 0
	if v != 0 {
		digits = max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	}
	text := strconv.FormatFloat(v, 'f', min(digits, 4), 64)
	for at := len(text) - 3; digits == 0 && at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
