package subject_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"example.com/eventdriver/bench/subject"
)

// A process's memory is its own, not what its parent had when it started it.
func TestPeakIsOfTheProcessAlone(t *testing.T) {
	if os.Getenv("CHILD") != "" {
		_ = json.NewEncoder(os.Stdout).Encode(subject.Self())
		os.Exit(0)
	}
	const large = 300 << 20
	memory := make([]byte, large)
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	child := exec.Command(os.Args[0], "-test.run=TestPeakIsOfTheProcessAlone")
	child.Env = append(os.Environ(), "CHILD=1")
	out, err := child.Output()
	if err != nil {
		t.Fatal(err)
	}
	var its subject.Usage
	if err := json.Unmarshal(out, &its); err != nil {
		t.Fatal(err)
	}
	if own := subject.Self().PeakRSS; own < large || its.PeakRSS <= 0 || its.PeakRSS > large/2 {
		t.Errorf("this process had %d bytes at most, its child %d", own, its.PeakRSS)
	}
	memory[0]++ // still in use
}
