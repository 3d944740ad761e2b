package joiner_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

// A store that fails says nothing about what it keeps, whatever its error is: also that of
// a context of its own.
func TestStoreFailureIsReturnedForRedelivery(t *testing.T) {
	for _, down := range []error{errors.New("store is down"), context.DeadlineExceeded, context.Canceled} {
		for kind, condition := range bothConditions {
			for _, policy := range []joiner.ConflictPolicy{joiner.KeepFirst, joiner.KeepLast, joiner.Reject} {
				for name := range bothStores() {
					failing := failEach(t, condition, policy, down, func() drivertest.Store { return bothStores()[name] })
					want := map[string]int{"needed": 2, "decided": 4}[kind]
					if name == "one call" && kind == "needed" && policy != joiner.KeepLast {
						want = 1
					}
					if failing < want {
						t.Errorf("%s, %s, policy %d: %d operations of a join were failed, want %d or more", kind, name, policy, failing, want)
					}
				}
			}
		}
	}
}

// failEach has the first operation of the event that completes a join fail, then the
// second, and so on, and says how many there are.
func failEach(t *testing.T, condition joiner.Condition, policy joiner.ConflictPolicy, down error, open func() drivertest.Store) int {
	t.Helper()
	for n := 1; ; n++ {
		store := open()
		run(t, joiner.New(condition, store, joiner.OnConflict(policy)), event("event2", "2"))
		faults := drivertest.NewFaults(store)
		faults.Hook(func(c drivertest.Call) drivertest.Fault {
			if c.Seq == n {
				return drivertest.Fault{Before: drivertest.FailWith(down)}
			}
			return drivertest.Fault{}
		})
		went := false
		last := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { went = true; return nil })
		err := driver.New(joiner.New(condition, faults, joiner.OnConflict(policy)), last).Process(t.Context(), event("event1", "1"))
		failed := faults.Count(drivertest.OpAny) >= n
		switch {
		case !failed && went && err == nil:
			return n - 1
		case !failed || !went && (!errors.Is(err, down) || driver.IsPermanent(err)):
			t.Errorf("operation %d fails: error %v, went on: %v; want the store's own, to be delivered again", n, err, went)
		}
		if n > 20 {
			t.Fatal("there is no end")
		}
	}
}

func TestStorePanicIsAnError(t *testing.T) {
	w := &watched{EventStore: memstore.New(), before: func(call string) error {
		if call == "LookUp event2" {
			panic("bug in a store")
		}
		return nil
	}}
	err := driver.New(joiner.New(joiner.MatchAll("event1", "event2"), w)).Process(t.Context(), event("event1", "1"))
	var p *driver.PanicError
	if !errors.As(err, &p) {
		t.Errorf("error %v; want the panic", err)
	}
}

func TestStorePanicInOneCallIsAnError(t *testing.T) {
	faults := drivertest.NewFaults(memstore.New())
	faults.Hook(func(drivertest.Call) drivertest.Fault {
		return drivertest.Fault{After: func(context.Context) error { panic("bug in a store") }}
	})
	err := driver.New(joiner.New(joiner.MatchAll("event1", "event2"), faults)).Process(t.Context(), event("event1", "1"))
	var p *driver.PanicError
	if !errors.As(err, &p) || faults.Count(drivertest.OpKeepAndLook) != 1 {
		t.Errorf("error %v; want the panic", err)
	}
}

// other is a store that returns another event for one that it does not keep.
type other struct {
	driver.EventStore
	event driver.Message
}

func (s other) LookUp(ctx context.Context, key, source string) (driver.Message, error) {
	m, err := s.EventStore.LookUp(ctx, key, source)
	if errors.Is(err, driver.ErrNotFound) {
		return s.event, nil
	}
	return m, err
}

// otherInOne does so in one call.
type otherInOne struct{ other }

func (s otherInOne) KeepAndLook(_ context.Context, m driver.Message, _ []string) ([]driver.Message, []string, error) {
	return []driver.Message{m, s.event}, nil, nil
}

// TestNothingForAbsence: an order is not processed in part where a store returns nothing for an event that it does
// not keep, as those of honestbank/event-driver 1.0 do, or another event.
func TestNothingForAbsence(t *testing.T) {
	for name, found := range map[string]driver.Message{
		"nothing":           {},
		"of another key":    {Key: "order-2", Source: "event2"},
		"of another source": {Key: "order-1", Source: "event3"},
	} {
		several := other{memstore.New(), found}
		for calls, store := range map[string]driver.EventStore{"several calls": several, "one call": otherInOne{several}} {
			went := false
			last := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { went = true; return nil })
			j := joiner.New(joiner.MatchAll("event1", "event2"), store)
			err := driver.New(j, last).Process(t.Context(), event("event1", "1"))
			if err == nil || driver.IsPermanent(err) || went || !strings.Contains(err.Error(), "driver.ErrNotFound") {
				t.Errorf("%s, %s: error %v, went on: %v; want one that says what the store must return", name, calls, err, went)
			}
		}
	}
}
