// Package prove decides which tests a plain go test leaves to make prove: those that take
// minutes, or need what a clone does not have. There is one switch, the environment variable
// PROVE: make prove sets it to 1, and to long for runs of an hour.
package prove

import (
	"os"
	"testing"
)

// Variable is the switch's name.
const Variable = "PROVE"

// Left begins the reason of a test that is left out; make test lists the tests by it.
const Left = "left to make prove: "

// Set says whether the whole proof is asked for.
func Set() bool { return os.Getenv(Variable) != "" }

// Long says whether the proof may take an hour or more.
func Long() bool { return os.Getenv(Variable) == "long" }

// Only skips a test unless the whole proof is asked for. why says what makes it one to
// leave out.
func Only(t testing.TB, why string) {
	t.Helper()
	if !Set() {
		t.Skip(Left + why)
	}
}
