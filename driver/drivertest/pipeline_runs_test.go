package drivertest

import (
	"testing"

	"example.com/eventdriver/driver"
)

// TestRunsOfManyEvents: a pipeline of many events is tried in minutes, by fewer runs.
func TestRunsOfManyEvents(t *testing.T) {
	for events, want := range map[int]int{1: 2000, 3: 2000, 10: 2000, 11: 1652, 30: 222, 45: 100, 100: 100} {
		if got := newExplorer(Exploration{}, nil, make([]driver.Message, events)).Runs; got != want {
			t.Errorf("%d events: %d runs, want %d", events, got, want)
		}
	}
	if got := newExplorer(Exploration{Runs: 7}, nil, make([]driver.Message, 100)).Runs; got != 7 {
		t.Errorf("%d runs, want the 7 that were asked for", got)
	}
}
