package bqstore_test

import (
	"crypto/rand"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/drivertest"
	fake "example.com/eventdriver/internal/fake/bigquery"
	"example.com/eventdriver/stores/bqstore"
)

// The tests run on the stand-in of internal/fake/bigquery, and in make prove on
// bigquery-emulator.
func TestMain(m *testing.M) { os.Exit(fake.Main(m)) }

// settings returns those of a store in a project that no other test has.
func settings(testing.TB) bqstore.Settings {
	return bqstore.Config("p"+strings.ToLower(rand.Text()), "orders").WithLocation("EU").
		WithTimeout(10 * time.Minute) // the emulator is slow
}

func open(t testing.TB, s bqstore.Settings) *bqstore.Store {
	t.Helper()
	store, err := bqstore.New(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if fake.OnEmulator() { // it does one thing at a time
		store.StartWithin(10 * time.Minute)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func ready(t testing.TB, s bqstore.Settings) *bqstore.Store {
	t.Helper()
	store := open(t, s)
	if err := store.EnsureTables(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store
}

// TestConformance runs the suite. Each check has a project of its own, since the emulator
// slows down with what a project has done.
func TestConformance(t *testing.T) {
	drivertest.TestEventStore(t, harness(t))
}

func TestConformanceOfClaims(t *testing.T) {
	h := harness(t)
	drivertest.TestClaimStore(t, h)
	drivertest.TestReopener(t, h)
	drivertest.TestDeadLetterStore(t, h, func(s *bqstore.Store) []driver.DeadLetter {
		letters, err := s.DeadLetters(t.Context())
		if err != nil {
			t.Error(err)
		}
		return letters
	})
}

func TestConformanceOfInspector(t *testing.T) {
	drivertest.TestInspector(t, harness(t))
}

func TestConformanceOfPurger(t *testing.T) {
	drivertest.TestPurger(t, harness(t))
}

func TestConformanceOfLetterBox(t *testing.T) {
	drivertest.TestLetterBox(t, harness(t))
}

func harness(t *testing.T) drivertest.Harness[*bqstore.Store] {
	var of sync.Map
	h := drivertest.Harness[*bqstore.Store]{
		Open: func(t *testing.T) *bqstore.Store {
			s := settings(t)
			store := ready(t, s)
			of.Store(store, s)
			return store
		},
		Again: func(t *testing.T, s *bqstore.Store) *bqstore.Store {
			of, _ := of.Load(s)
			return open(t, of.(bqstore.Settings))
		},
		Exclusive: true,
		Parallel:  true,
	}
	if fake.OnEmulator() { // it does one thing at a time
		h.Parallel, h.Lease, h.Callers, h.FewNames = false, 2*time.Second, 20, true
	}
	return h
}

func emulator() string { return os.Getenv("BIGQUERY_EMULATOR_HOST") }
