package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// head is the beginning of the page.
func (r *run) head() string {
	how := "`make bench`"
	if r.quick || r.rounds < 6 {
		how = "a quick run of bench, which says nothing about performance"
	}
	return fmt.Sprintf(`# Performance

Reference, for people who decide whether this is fast and cheap enough. All figures and charts are of one run of
%s, which writes this page anew: on %s, %d cores, %s/%s, %s. What is compared ran in turn within each of %d
rounds. A figure is the median of the rounds, and in brackets the interval in which the median is with 95 %%
confidence, or the least and the greatest where rounds take long and are fewer. Ratios are of the same round:
they tell more than times, which another machine does not repeat. [Cost](how-to/cost.md) says what a whole
deployment costs.

`, how, processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), r.rounds)
}

// processor is the name of the processor, where Linux tells it.
func processor() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "an unknown processor"
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "an unknown processor"
}
