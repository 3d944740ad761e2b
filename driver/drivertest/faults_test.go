package drivertest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/stores/memstore"
)

// A caller that lost an answer calls again.
func ExampleFaults() {
	store := memstore.New()
	faults := drivertest.NewFaults(store)
	faults.FailAfter(drivertest.OpPersist, 1)

	m := driver.Message{Key: "order-1", Source: "event1", Content: []byte(`{}`)}
	fmt.Println(faults.Persist(context.Background(), m))
	fmt.Println(faults.Persist(context.Background(), m))
	fmt.Println(faults.Count(drivertest.OpPersist))
	// Output:
	// drivertest: after Persist 1, key "order-1", source "event1": injected fault
	// <nil>
	// 2
}

func TestFailBeforeAndAfter(t *testing.T) {
	ctx := t.Context()
	for _, test := range []struct {
		name string
		fail func(*drivertest.Faults)
		kept bool
	}{
		{"before", func(f *drivertest.Faults) { f.FailBefore(drivertest.OpPersist, 2) }, false},
		{"after", func(f *drivertest.Faults) { f.FailAfter(drivertest.OpPersist, 2) }, true},
		{"before any", func(f *drivertest.Faults) { f.FailBefore(drivertest.OpAny, 3) }, false},
		{"after any", func(f *drivertest.Faults) { f.FailAfter(drivertest.OpAny, 3) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := memstore.New()
			faults := drivertest.NewFaults(store)
			test.fail(faults)
			first := faults.Persist(ctx, driver.Message{Key: "order-1", Source: "event1"})
			_, look := faults.LookUp(ctx, "order-1", "event1")
			second := faults.Persist(ctx, driver.Message{Key: "order-1", Source: "event2"})
			if first != nil || look != nil || !errors.Is(second, drivertest.ErrInjected) || driver.IsPermanent(second) {
				t.Errorf("got errors %v, %v, %v, want the third to be injected", first, look, second)
			}
			_, err := store.LookUp(ctx, "order-1", "event2")
			if kept := err == nil; kept != test.kept {
				t.Errorf("kept: %v, want %v", kept, test.kept)
			}
		})
	}
}

func TestFaultsCountsAndForgets(t *testing.T) {
	ctx := t.Context()
	faults := drivertest.NewFaults(memstore.New())
	faults.FailBefore(drivertest.OpComplete, 1)
	c, _ := faults.Acquire(ctx, driver.NewClaim("order-1"), time.Minute)
	failed := faults.Complete(ctx, c, driver.OutcomeProcessed)
	_ = faults.AddDeadLetter(ctx, driver.DeadLetter{Key: "order-2", Source: "event1"})
	_, _ = faults.Acquire(ctx, driver.NewClaim("order-3"), time.Minute)

	want := []drivertest.Call{
		{Op: drivertest.OpAcquire, Key: "order-1", N: 1, Seq: 1},
		{Op: drivertest.OpComplete, Key: "order-1", N: 1, Seq: 2},
		{Op: drivertest.OpAddDeadLetter, Key: "order-2", Source: "event1", N: 1, Seq: 3},
		{Op: drivertest.OpAcquire, Key: "order-3", N: 2, Seq: 4},
	}
	if got := faults.Calls(); !slices.Equal(got, want) || !errors.Is(failed, drivertest.ErrInjected) {
		t.Errorf("calls %+v, want %+v; Complete: %v", got, want, failed)
	}
	if n, all := faults.Count(drivertest.OpAcquire), faults.Count(drivertest.OpAny); n != 2 || all != 4 {
		t.Errorf("counted %d and %d, want 2 and 4", n, all)
	}
	faults.Reset()
	if n, err := faults.Count(drivertest.OpAny), faults.Complete(ctx, c, driver.OutcomeProcessed); n != 0 || err != nil {
		t.Errorf("after Reset: %d calls, Complete: %v", n, err)
	}
}

func TestHooksSeeKeysAndHonourTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := drivertest.NewFaults(memstore.New())
		opened := make(chan struct{})
		faults.Hook(func(c drivertest.Call) drivertest.Fault {
			switch c.Key {
			case "slow":
				return drivertest.Fault{Before: drivertest.Delay(time.Minute), After: drivertest.Delay(time.Minute)}
			case "blocked":
				return drivertest.Fault{Before: drivertest.Block(opened)}
			}
			return drivertest.Fault{}
		})
		took := func(key string, limit time.Duration) (time.Duration, error) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			start := time.Now()
			_, err := faults.LookUpByKey(ctx, key)
			return time.Since(start), err
		}
		for _, test := range []struct {
			key         string
			limit, took time.Duration
			err         error
		}{
			{"quick", time.Hour, 0, nil},
			{"slow", time.Hour, 2 * time.Minute, nil},
			{"slow", time.Second, time.Second, context.DeadlineExceeded},
			{"blocked", time.Second, time.Second, context.DeadlineExceeded},
		} {
			if took, err := took(test.key, test.limit); took != test.took || !errors.Is(err, test.err) {
				t.Errorf("%s: %v after %v, want %v after %v", test.key, err, took, test.err, test.took)
			}
		}
		close(opened)
		if took, err := took("blocked", time.Second); took != 0 || err != nil {
			t.Errorf("opened: %v after %v", err, took)
		}
	})
}

func TestFaultsOfWhatTheStoreLacks(t *testing.T) {
	type claimsOnly struct{ driver.ClaimStore }
	faults := drivertest.NewFaults(claimsOnly{memstore.New()})
	_, errReplace := faults.Replace(t.Context(), driver.Message{Key: "order-1", Source: "event1"})
	for _, err := range []error{errReplace, faults.AddDeadLetter(t.Context(), driver.DeadLetter{})} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("got error %v, want one that is errors.ErrUnsupported", err)
		}
	}
	if n := faults.Count(drivertest.OpAny); n != 0 {
		t.Errorf("counted %d calls, want 0", n)
	}
	if _, err := faults.Acquire(t.Context(), driver.NewClaim("order-1"), time.Minute); err != nil {
		t.Error(err)
	}
}
