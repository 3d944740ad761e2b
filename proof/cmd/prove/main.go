// Command prove is make prove: it runs what make test leaves out, one step after the other,
// and prints a line for each with its figure and its time, and a table at the end. All
// steps run, also when one fails; then the exit code is 1. What a step printed is in
// bin/prove, and is shown where the step failed.
//
//	prove [STEP...]    these steps, or all
//
// The environment variable PROVE is set to 1 for the steps; with PROVE=long, those that
// explore, repeat or wait do so for about an hour each.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"example.com/eventdriver/internal/repo/prove"
)

const folder = "bin/prove"

func main() {
	chosen, err := choose(os.Args[1:])
	if err == nil {
		err = os.MkdirAll(folder, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "prove:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var results []result
	for _, s := range chosen {
		fmt.Printf("%-10s %s …\n", s.name, s.what)
		r := s.run(ctx, prove.Long())
		fmt.Println(r)
		if r.failed != nil {
			fmt.Printf("---- %s\n%s---- end of %s\n", r.log, r.output, r.log)
		}
		results = append(results, r)
	}
	if !report(os.Stdout, results) {
		os.Exit(1)
	}
}

// choose returns the steps of these names, or all.
func choose(names []string) ([]step, error) {
	if len(names) == 0 {
		return steps, nil
	}
	var chosen []step
	for _, name := range names {
		i := slices.IndexFunc(steps, func(s step) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no step %q", name)
		}
		chosen = append(chosen, steps[i])
	}
	return chosen, nil
}

// result is the outcome of a step.
type result struct {
	step    step
	took    time.Duration
	figure  string
	skipped string // why, if it was
	failed  error
	output  []byte
	log     string
}

func (r result) String() string {
	end := r.figure
	switch {
	case r.skipped != "":
		end = "SKIPPED: " + r.skipped
	case r.failed != nil:
		end = fmt.Sprintf("FAILED: %v", r.failed)
	}
	return fmt.Sprintf("%-10s %6.0fs  %s", r.step.name, r.took.Seconds(), end)
}

// skippedLine is what a command prints that can't run here.
var skippedLine = regexp.MustCompile(`(?m)^skipped: (.*)`)

// run runs the step's commands, until one fails.
func (s step) run(ctx context.Context, long bool) result {
	r := result{step: s, log: filepath.Join(folder, s.name+".log")}
	if s.needs != nil {
		if r.skipped = s.needs(); r.skipped != "" {
			return r
		}
	}
	commands := s.commands
	if long && s.long != nil {
		commands = s.long
	}
	begun := time.Now()
	var output bytes.Buffer
	for _, line := range commands {
		fmt.Fprintf(&output, "+ %s\n", line)
		cmd := exec.CommandContext(ctx, "bash", "-c", line)
		cmd.Env = os.Environ()
		if !prove.Set() {
			cmd.Env = append(cmd.Env, prove.Variable+"=1")
		}
		cmd.Stdout, cmd.Stderr = &output, &output
		if r.failed = cmd.Run(); r.failed != nil {
			break
		}
	}
	r.took, r.output = time.Since(begun), output.Bytes()
	if err := os.WriteFile(r.log, r.output, 0o644); err != nil && r.failed == nil {
		r.failed = err
	}
	r.figure = s.figure(output.String())
	if r.figure != "" || r.failed != nil {
		return r
	}
	if why := skippedLine.FindStringSubmatch(output.String()); why != nil {
		r.skipped = why[1]
		return r
	}
	r.failed = fmt.Errorf("the output has no figure: did anything run?")
	return r
}

// report prints the table, and says whether no step failed.
func report(to io.Writer, results []result) (passed bool) {
	passed = true
	var total time.Duration
	fmt.Fprintf(to, "\n%s\n", strings.Repeat("-", 100))
	for _, r := range results {
		fmt.Fprintln(to, r)
		total += r.took
		passed = passed && r.failed == nil
	}
	verdict := "proved, as far as this goes"
	if !passed {
		verdict = "NOT PROVED"
	}
	fmt.Fprintf(to, "%-10s %6.0fs  %s\n", "all", total.Seconds(), verdict)
	return passed
}
