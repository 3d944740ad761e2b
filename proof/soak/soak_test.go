package soak_test

import (
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/internal/repo/prove"
	"example.com/eventdriver/proof/instances"
	"example.com/eventdriver/proof/soak"
)

// samples are 400 seconds of a process whose usage is as the function usage says.
func samples(usage func(second int) instances.Usage) (s []soak.Sample) {
	for second := range 400 {
		s = append(s, soak.Sample{At: time.Duration(second) * time.Second, Usage: usage(second)})
	}
	return s
}

func TestRuleTellsGrowthFromNoise(t *testing.T) {
	flat := func(second int) instances.Usage {
		u := instances.Usage{RSS: 60 << 20, Files: 20, Connections: 12}
		u.Heap, u.Goroutines = 8<<20, 40
		if second < 100 { // it warms up
			u.RSS, u.Heap = 30<<20, 2<<20
		}
		if second%7 == 0 { // a burst
			u.Goroutines, u.Files, u.Connections = 90, 60, 50
		}
		return u
	}
	for _, c := range []struct {
		grows string
		by    func(u *instances.Usage, second int)
	}{
		{"", func(*instances.Usage, int) {}},
		{"memory", func(u *instances.Usage, second int) { u.RSS += int64(second) * 100 << 10 }},
		{"heap in use", func(u *instances.Usage, second int) { u.Heap += uint64(second) * 10 << 10 }},
		{"goroutines", func(u *instances.Usage, second int) { u.Goroutines += second / 4 }},
		{"open files", func(u *instances.Usage, second int) { u.Files += second / 10 }},
		{"connections", func(u *instances.Usage, second int) { u.Connections += second / 10 }},
	} {
		judged := soak.Judge(samples(func(second int) instances.Usage {
			u := flat(second)
			c.by(&u, second)
			return u
		}), 400*time.Second)
		for _, curve := range judged {
			if curve.OK != (curve.Name != c.grows) {
				t.Errorf("%q grows: %v", c.grows, curve)
			}
		}
		if len(judged) != 5 {
			t.Errorf("%d curves are judged", len(judged))
		}
	}
}

// TestShortSoak is too short for the rule. It shows that a run works, and that the function
// leaves nothing.
func TestShortSoak(t *testing.T) {
	prove.Only(t, "measures processes for seconds")
	if err := instances.CanMeasure(); err != nil {
		t.Skip(err)
	}
	for _, store := range []string{soak.GCS, soak.Memory} {
		t.Run(store, func(t *testing.T) {
			o := soak.Default()
			o.For, o.Every, o.Store, o.Rate = 4*time.Second, 100*time.Millisecond, store, 20
			report, err := soak.Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if report.Rate <= 0 || report.Orders == 0 || report.Processed != report.Orders || report.Doubled != 0 || report.ExitCode != 0 || report.OpenClaims != 0 {
				t.Errorf("%d orders, %d processed, %d doubled, exit code %d, %d open claims",
					report.Orders, report.Processed, report.Doubled, report.ExitCode, report.OpenClaims)
			}
			for _, s := range report.Samples {
				if s.RSS == 0 || s.Heap == 0 || s.Goroutines == 0 || s.Files < s.Connections || s.Connections == 0 {
					t.Errorf("sample %+v", s)
				}
			}
		})
	}
}

// TestRateThatIsNotKept: a run that was slower than asked for tells too little.
func TestRateThatIsNotKept(t *testing.T) {
	for _, c := range []struct {
		rate   float64
		passes bool
	}{{10, true}, {9.1, true}, {6, false}, {0, false}} {
		r := soak.Report{Options: soak.Default(), Rate: c.rate, Orders: 1, Processed: 1}
		var text strings.Builder
		r.WriteText(&text)
		if r.Passed() != c.passes || strings.Contains(text.String(), "NOT KEPT") == c.passes {
			t.Errorf("%v orders a second: passed %v\n%s", c.rate, r.Passed(), &text)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for flag, spoil := range map[string]func(*soak.Options){
		"-for":   func(o *soak.Options) { o.For = time.Second },
		"-rate":  func(o *soak.Options) { o.Rate = 0 },
		"-every": func(o *soak.Options) { o.Every = time.Minute },
		"-store": func(o *soak.Options) { o.Store = "redis" },
	} {
		o := soak.Default()
		spoil(&o)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), flag+" must be") {
			t.Errorf("%s: %v", flag, err)
		}
	}
}
