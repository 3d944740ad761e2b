package sim_test

import (
	"slices"
	"testing"

	"example.com/eventdriver/proof/sim"
)

// A schedule that is read is written as it was, but for white space and leading
// zeros, and read again it is the same; its places grow.
func FuzzParseSchedule(f *testing.F) {
	for _, text := range []string{"", "3=1 7=12", "3=1x", "3=1=1", "=", "1=", "2=1 1=1", "0=0", "007=01", "-1=1", "+1=1", "99999999999=1", "3=1\n4=1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := sim.ParseSchedule(text)
		if err != nil {
			return
		}
		again, err := sim.ParseSchedule(s.String())
		if err != nil || !slices.Equal(again, s) {
			t.Errorf("%q is %v, written %q, is %v, %v", text, s, s.String(), again, err)
		}
		if len(s.String()) > len(text) {
			t.Errorf("%q is more than was said: %q", s.String(), text)
		}
		for i, c := range s {
			if c.At < 0 || c.Number < 0 || i > 0 && c.At <= s[i-1].At {
				t.Errorf("%q has the place %d, choice %d", text, c.At, c.Number)
			}
		}
	})
}

// What is left over behind a choice is not overlooked.
func TestParseScheduleRefuses(t *testing.T) {
	for _, text := range []string{"3=1x", "3=1=2", "3", "=1", "3=", "-1=1", "+1=1", "3=1 3=2", "4=1 3=1", "3=2147483648"} {
		if s, err := sim.ParseSchedule(text); err == nil {
			t.Errorf("%q is read as %v", text, s)
		}
	}
}
