//go:build unix

package main

import (
	"strings"
	"testing"

	"example.com/eventdriver/driver/drivertest"
)

// TestStore holds the store against the contracts: this is all that a store's author writes.
func TestStore(t *testing.T) {
	h := drivertest.Harness[*Store]{
		Open:      func(t *testing.T) *Store { return open(t, t.TempDir()) },
		Again:     func(t *testing.T, s *Store) *Store { return open(t, s.folder) },
		FakeTime:  true,
		Exclusive: true,
	}
	drivertest.TestEventStore(t, h)
	drivertest.TestClaimStore(t, h)
}

func open(t *testing.T, folder string) *Store {
	t.Helper()
	s, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestProgram(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	const want = `  ship order-1: {"event1":{"item":"book"},"event2":{"street":"Main St"},"event3":{"paid":12}}`
	got := out.String()
	if strings.Count(got, want) != 1 || strings.Count(got, "events/") != 3 || strings.Count(got, "claims/") != 2 {
		t.Errorf("got\n%swant once\n%s\nand three events and a claim with its lock", got, want)
	}
}
