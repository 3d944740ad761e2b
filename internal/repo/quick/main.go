// Command quick is make test: it runs go test on all packages, prints what go test prints,
// and at the end the tests that were left out, with what they wait for. Its arguments go
// to go test.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"time"

	"example.com/eventdriver/internal/repo/prove"
)

func main() {
	begun := time.Now()
	s, err := run(os.Args[1:])
	if s != nil {
		s.report(os.Stdout, time.Since(begun))
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "quick:", err)
		os.Exit(1)
	}
}

// run runs the tests and prints their results while they come.
func run(args []string) (*summary, error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := newSummary()
	if err := s.read(out, os.Stdout); err != nil {
		return s, err
	}
	return s, cmd.Wait()
}

// event is a line of go test -json.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

// summary is what became of the tests.
type summary struct {
	passed, failed int
	skipped        []string            // a line each: the test and why
	slow           []event             // the ends of tests that are not within others
	outputs        map[string][]string // of tests that have not ended, by package and name
}

func newSummary() *summary { return &summary{outputs: make(map[string][]string)} }

// read reads the results to their end, and prints those of packages and of failures.
func (s *summary) read(from io.Reader, to io.Writer) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(to, lines.Text()) // go test itself says something
			continue
		}
		s.take(e, to)
	}
	return lines.Err()
}

func (s *summary) take(e event, to io.Writer) {
	name := e.Package + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		switch {
		case e.Test == "":
			printPackage(e.Output, to)
		case !strings.HasPrefix(e.Output, "==="): // no news
			s.outputs[name] = append(s.outputs[name], e.Output)
		}
		return
	case "pass":
		s.passed += one(e.Test)
		if e.Test != "" && !strings.Contains(e.Test, "/") {
			s.slow = append(s.slow, e)
		}
	case "fail":
		s.failed += one(e.Test)
		fmt.Fprint(to, strings.Join(s.outputs[name], ""))
	case "skip":
		if e.Test != "" {
			s.skipped = append(s.skipped, e.Test+": "+reason(s.outputs[name]))
		}
	default:
		return
	}
	delete(s.outputs, name)
}

func one(test string) int {
	if test == "" {
		return 0
	}
	return 1
}

// printPackage prints what is said of a package, but that it has no tests or passed.
func printPackage(line string, to io.Writer) {
	if line != "PASS\n" && !strings.Contains(line, "[no test files]") {
		fmt.Fprint(to, line)
	}
}

// reason finds in a test's output why it was skipped.
func reason(output []string) string {
	for _, line := range slices.Backward(output) {
		if _, why, found := strings.Cut(line, ".go:"); found {
			_, why, _ = strings.Cut(why, ": ")
			return strings.TrimSpace(why)
		}
	}
	return "no reason given"
}

// notApplicable ends the reason of a check of the conformance suite that is about more than
// a store offers.
const notApplicable = "does not apply to this store"

// report prints the end: how many tests ran, and which did not.
func (s *summary) report(to io.Writer, took time.Duration) {
	var left, missing []string
	for _, line := range s.skipped {
		test, why, isLeft := strings.Cut(line, prove.Left)
		switch {
		case isLeft:
			left = append(left, test+why)
		case !strings.HasSuffix(line, notApplicable):
			missing = append(missing, line)
		}
	}
	fmt.Fprintf(to, "\n%d tests passed, %d failed, in %v\n", s.passed, s.failed, took.Round(time.Second))
	s.printSlowest(to)
	printList(to, "left to make prove, beside the explorer's larger bound, chaos, soak, fuzzing and the race detector", left)
	printList(to, "skipped here", missing)
}

// printSlowest prints the ten tests that took longest, if they took a second.
func (s *summary) printSlowest(to io.Writer) {
	slices.SortStableFunc(s.slow, func(a, b event) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	var all []string
	for _, e := range s.slow[:min(10, len(s.slow))] {
		if e.Elapsed >= 1 {
			all = append(all, fmt.Sprintf("%s in %s %.0fs", e.Test, path.Base(e.Package), e.Elapsed))
		}
	}
	if len(all) > 0 {
		fmt.Fprintf(to, "slowest: %s\n", strings.Join(all, ", "))
	}
}

func printList(to io.Writer, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	slices.Sort(lines)
	fmt.Fprintf(to, "%s:\n", title)
	for _, line := range slices.Compact(lines) {
		fmt.Fprintf(to, "  %s\n", line)
	}
}
