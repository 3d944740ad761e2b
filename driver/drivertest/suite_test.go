package drivertest_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/stores/memstore"
)

// The suite passes a store that is right. That it fails those that are wrong is
// shown below: each flaw is found by the check of the sentence that it breaks,
// and each check finds a flaw.

func fake[S any](open func() S) drivertest.Harness[S] {
	return drivertest.Harness[S]{Open: func(*testing.T) S { return open() }, FakeTime: true}
}

func TestMemoryStore(t *testing.T) {
	h := fake(memstore.New)
	h.Exclusive, h.Parallel = true, true
	drivertest.TestEventStore(t, h)
	drivertest.TestClaimStore(t, h)
	drivertest.TestDeadLetterStore(t, h, (*memstore.Store).DeadLetters)
	drivertest.TestInspector(t, h)
	drivertest.TestLetterBox(t, h)
	drivertest.TestReopener(t, h)
	drivertest.TestCorrector(t, h)
	drivertest.TestPurger(t, h)
}

func TestWrappedStore(t *testing.T) {
	h := fake(func() *drivertest.Faults { return drivertest.NewFaults(memstore.New()) })
	h.Exclusive = true
	drivertest.TestEventStore(t, h)
	drivertest.TestClaimStore(t, h)
	drivertest.TestDeadLetterStore(t, h, nil)
}

func TestCompletionInARecordOfItsOwn(t *testing.T) {
	drivertest.TestClaimStore(t, fake(func() *records { return newRecords(flawless) }))
}

// gate lets each test of flaws tick off the sentences for which it saw a check fail.
type gate map[string]bool

// caught demands that the checks of all sentences, which may be given by their
// beginnings, failed.
func (g gate) caught(t *testing.T, found map[string]error, sentences ...string) {
	t.Helper()
	for says, err := range found {
		g[says] = g[says] || err != nil && !errors.Is(err, drivertest.DoesNotApply)
	}
	for _, want := range sentences {
		known := false
		for says, err := range found {
			if strings.HasPrefix(says, want) {
				known = true
				if err == nil {
					t.Errorf("the flaw is not found by %q", says)
				}
			}
		}
		if !known {
			t.Errorf("no check begins with %q", want)
		}
	}
}

// complete demands that every check has failed for some flaw.
func (g gate) complete(t *testing.T) {
	t.Helper()
	for says, failed := range g {
		if !failed {
			t.Errorf("no flaw is found by %q: it may be a check that can't fail", says)
		}
	}
}

func TestFlawedEventStores(t *testing.T) {
	seen := gate{}
	for _, flaw := range slices.Concat(eventFlaws, lookFlaws, sealFlaws) {
		t.Run(flaw.name, func(t *testing.T) {
			found := drivertest.EventFailures(t, fake(func() *flawedEvents { return flaw.open(memstore.New()) }))
			seen.caught(t, found, flaw.breaks...)
		})
	}
	seen.complete(t)
}

// TestFewNamesFindFlaws: what confuses strings is found by few of them as well.
func TestFewNamesFindFlaws(t *testing.T) {
	tried := 0
	for _, flaw := range slices.Concat(eventFlaws, lookFlaws, sealFlaws) {
		if !slices.ContainsFunc(flaw.breaks, func(says string) bool { return strings.HasPrefix(says, "Any string") }) {
			continue
		}
		tried++
		t.Run(flaw.name, func(t *testing.T) {
			h := fake(func() *flawedEvents { return flaw.open(memstore.New()) })
			h.FewNames = true
			gate{}.caught(t, drivertest.EventFailures(t, h), flaw.breaks...)
		})
	}
	if tried < 4 {
		t.Errorf("%d flaws were tried", tried)
	}
	for _, name := range drivertest.FewNames() {
		if !slices.Contains(drivertest.Names, name) {
			t.Errorf("%q is not one of all names", name)
		}
	}
}

func TestFlawedClaimStores(t *testing.T) {
	seen := gate{}
	for _, flaw := range claimFlaws {
		t.Run(flaw.name, func(t *testing.T) {
			h := fake(func() *records { return newRecords(flaw.name) })
			h.Exclusive = flaw.exclusive
			seen.caught(t, drivertest.ClaimFailures(t, h), flaw.breaks...)
		})
	}
	seen.complete(t)
}

func TestFlawedDeadLetterStores(t *testing.T) {
	seen := gate{}
	for _, flaw := range letterFlaws {
		t.Run(flaw.name, func(t *testing.T) {
			h := fake(func() *flawedLetters { return &flawedLetters{Store: memstore.New(), flaw: flaw.name} })
			seen.caught(t, drivertest.LetterFailures(t, h, (*flawedLetters).kept), flaw.breaks...)
		})
	}
	seen.complete(t)
}

func TestFlawedInspectors(t *testing.T) {
	seen := gate{}
	for _, flaw := range inspectorFlaws {
		t.Run(flaw.name, func(t *testing.T) {
			h := fake(func() *flawedInspector {
				f := flaw.open()
				f.Store = memstore.New()
				return f
			})
			seen.caught(t, drivertest.InspectorFailures(t, h), flaw.breaks...)
		})
	}
	seen.complete(t)
}

func TestFlawedLetterBoxes(t *testing.T) {
	seen := gate{}
	for _, flaw := range letterBoxFlaws {
		t.Run(flaw.name, func(t *testing.T) {
			h := fake(func() *flawedBox {
				f := flaw.open()
				f.Store = memstore.New()
				return f
			})
			seen.caught(t, drivertest.LetterBoxFailures(t, h), flaw.breaks...)
		})
	}
	seen.complete(t)
}

func TestFlawedReopeners(t *testing.T) {
	seen := gate{}
	for _, flaw := range reopenFlaws {
		t.Run(flaw.name, func(t *testing.T) {
			h := fake(func() *flawedReopener { return &flawedReopener{Store: memstore.New(), flaw: flaw.name} })
			seen.caught(t, drivertest.ReopenFailures(t, h), flaw.breaks...)
		})
	}
	seen.complete(t)
}

func TestStoreThatCanDoNothingMore(t *testing.T) {
	type eventsOnly struct{ driver.EventStore }
	found := drivertest.EventFailures(t, fake(func() eventsOnly { return eventsOnly{memstore.New()} }))
	for says, err := range found {
		more := strings.HasPrefix(says, "Replace ") || strings.Contains(says, "Decide") || strings.Contains(says, "decision") ||
			strings.Contains(says, "KeepAndLook") || isOfSeals(says)
		if skipped := errors.Is(err, drivertest.DoesNotApply); skipped != more || err != nil && !skipped {
			t.Errorf("%q: %v", says, err)
		}
	}
}

func isOfSeals(says string) bool { return strings.Contains(strings.ToLower(says), "seal") }

func TestWrappedStoreThatIsNoKeepLookerAndNoSealer(t *testing.T) {
	type noLook struct{ drivertest.Store }
	found := drivertest.EventFailures(t, fake(func() *drivertest.Faults { return drivertest.NewFaults(noLook{memstore.New()}) }))
	for says, err := range found {
		if skipped := errors.Is(err, drivertest.DoesNotApply); skipped != (strings.Contains(says, "KeepAndLook") || isOfSeals(says)) || err != nil && !skipped {
			t.Errorf("%q: %v", says, err)
		}
	}
}
