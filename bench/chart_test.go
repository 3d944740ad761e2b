package main

import (
	"strings"
	"testing"

	"example.com/eventdriver/bench/sample"
)

// TestChartShowsEachFigure as a point, with its interval.
func TestChartShowsEachFigure(t *testing.T) {
	c := chart{title: "t"}
	c.point("a", 1, sample.Sample{10, 20, 30})
	c.point("a", 2, sample.Sample{40})
	drawn := string(c.draw())
	if strings.Count(drawn, `<circle cx="`) != 2 || strings.Contains(drawn, "%!") {
		t.Errorf("drawn: %s", drawn)
	}
}
