package telemetry_test

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/stores/memstore"
)

// store is a memory store, observed.
type store struct {
	driver.EventStore
	driver.ClaimStore
	driver.DeadLetterStore
	driver.Replacer
	driver.Decider
	driver.Sealer
	driver.KeepLooker
	memory *memstore.Store
}

// TestObservedStoreKeepsItsContract by the conformance suite of stores.
func TestObservedStoreKeepsItsContract(t *testing.T) {
	h := drivertest.Harness[store]{
		Open: func(t *testing.T) store {
			observed, _, _ := open(t)
			memory := memstore.New()
			events := observed.EventStore("memory", memory)
			return store{events, observed.ClaimStore("memory", memory), observed.DeadLetterStore("memory", memory),
				events.(driver.Replacer), events.(driver.Decider), events.(driver.Sealer), events.(driver.KeepLooker), memory}
		},
		FakeTime: true, Exclusive: true,
	}
	drivertest.TestEventStore(t, h)
	drivertest.TestClaimStore(t, h)
	drivertest.TestDeadLetterStore(t, h, func(s store) []driver.DeadLetter { return s.memory.DeadLetters() })
}

// TestObservedStoreCanWhatTheStoreCan, and nothing else.
func TestObservedStoreCanWhatTheStoreCan(t *testing.T) {
	observed, _, _ := open(t)
	memory := memstore.New()
	type (
		E = driver.EventStore
		R = driver.Replacer
		D = driver.Decider
		S = driver.Sealer
	)
	kinds := []reflect.Type{reflect.TypeFor[R](), reflect.TypeFor[D](), reflect.TypeFor[S]()}
	for _, s := range []E{
		struct{ E }{memory},
		struct {
			E
			R
		}{memory, memory},
		struct {
			E
			D
		}{memory, memory},
		struct {
			E
			S
		}{memory, memory},
		struct {
			E
			R
			D
		}{memory, memory, memory},
		struct {
			E
			R
			S
		}{memory, memory, memory},
		struct {
			E
			D
			S
		}{memory, memory, memory},
		memory,
	} {
		wrapped := observed.EventStore("memory", s)
		for _, kind := range kinds {
			if can, want := reflect.TypeOf(wrapped).Implements(kind), reflect.TypeOf(s).Implements(kind); can != want {
				t.Errorf("%T as %v: %v, want %v", s, kind, can, want)
			}
		}
		if _, _, err := wrapped.(driver.KeepLooker).KeepAndLook(t.Context(), driver.Message{Key: "k", Source: "s"}, []string{"s"}); errors.Is(err, errors.ErrUnsupported) != (s != E(memory)) {
			t.Errorf("%T: KeepAndLook: %v", s, err)
		}
	}
}

// TestOperationThatDoesNotReturn, since it panics or ends its goroutine, is counted as a failure, and its span is
// one.
func TestOperationThatDoesNotReturn(t *testing.T) {
	for name, leave := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			observed, spans, reader := open(t)
			events := observed.EventStore("memory", leaving{memstore.New(), leave})
			err := driver.Guard(func() error { return events.Persist(t.Context(), driver.Message{Key: "k", Source: "s"}) })
			if _, panicked := errors.AsType[*driver.PanicError](err); !panicked {
				t.Errorf("%v; want the failure", err)
			}
			if got := total(t, reader, "eventdriver.store.operation.duration", "eventdriver.outcome"); len(got) != 1 || got["panic"] != 1 {
				t.Errorf("operations: %v", got)
			}
			if ended := spans.GetSpans(); len(ended) != 1 || ended[0].Status.Code.String() != "Error" {
				t.Errorf("spans: %+v", ended)
			}
		})
	}
}

// leaving is a store whose Persist does not return.
type leaving struct {
	driver.EventStore
	leave func()
}

func (l leaving) Persist(context.Context, driver.Message) error {
	l.leave()
	return nil
}
