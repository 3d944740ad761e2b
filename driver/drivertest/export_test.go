package drivertest

import (
	"testing"

	"example.com/eventdriver/driver"
)

// EventFailures runs the checks of TestEventStore, and returns what each of them
// found wrong, by its sentence.
func EventFailures[S driver.EventStore](t *testing.T, h Harness[S]) map[string]error {
	return tryAll(t, h, asEventStore[S], eventChecks)
}

// ClaimFailures does the same for TestClaimStore.
func ClaimFailures[S driver.ClaimStore](t *testing.T, h Harness[S]) map[string]error {
	return tryAll(t, h, asClaimStore[S], claimChecks)
}

// LetterFailures does the same for TestDeadLetterStore.
func LetterFailures[S driver.DeadLetterStore](t *testing.T, h Harness[S], kept func(S) []driver.DeadLetter) map[string]error {
	as := func(s S) letterBox {
		return letterBox{s, func() []driver.DeadLetter { return kept(s) }}
	}
	return tryAll(t, h, as, letterChecks)
}

func tryAll[S, I any](t *testing.T, h Harness[S], as func(S) I, checks []check[I]) map[string]error {
	found := make(map[string]error)
	for _, c := range checks {
		found[c.says] = try(t, h, as, c)
	}
	return found
}

// DoesNotApply is what a check returns where a store lacks what it is about.
var DoesNotApply = errDoesNotApply
