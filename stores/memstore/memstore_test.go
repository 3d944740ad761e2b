package memstore_test

import (
	"testing"

	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/stores/memstore"
)

func TestStore(t *testing.T) {
	h := drivertest.Harness[*memstore.Store]{
		Open:      func(*testing.T) *memstore.Store { return memstore.New() },
		FakeTime:  true,
		Exclusive: true,
	}
	drivertest.TestEventStore(t, h)
	drivertest.TestClaimStore(t, h)
	drivertest.TestDeadLetterStore(t, h, (*memstore.Store).DeadLetters)
	drivertest.TestInspector(t, h)
	drivertest.TestLetterBox(t, h)
	drivertest.TestReopener(t, h)
	drivertest.TestCorrector(t, h)
	drivertest.TestPurger(t, h)
}
