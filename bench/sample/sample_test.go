package sample_test

import (
	"testing"

	"example.com/eventdriver/bench/sample"
)

func TestRatioIsOfEachRound(t *testing.T) {
	busy := sample.Sample{1, 1, 10, 1, 1, 1} // the machine was busy in the third round
	if got := sample.Ratio(sample.Sample{2, 2, 20, 2, 2, 2}, busy).String(); got != "2.00" {
		t.Errorf("ratio %s, want 2.00 with no spread", got)
	}
}

func TestString(t *testing.T) {
	for want, s := range map[string]sample.Sample{
		"3.00 (1.00–5.00)": {5, 1, 3},
		"12,345":           {12345.4},
		"0.0123":           {0.01234},
		"–":                nil,
	} {
		if got := s.String(); got != want {
			t.Errorf("%v is %q, want %q", []float64(s), got, want)
		}
	}
}
