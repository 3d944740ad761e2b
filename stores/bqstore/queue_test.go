package bqstore_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	fake "example.com/eventdriver/internal/fake/bigquery"
	"example.com/eventdriver/stores/bqstore"
)

// on returns a store on a server of the test's own, whose tables exist.
func on(t *testing.T) (*fake.Server, *bqstore.Store) {
	t.Helper()
	server := fake.New(t)
	store, err := bqstore.New(t.Context(), bqstore.Config("project", "orders").WithLocation("EU"),
		option.WithEndpoint("http://"+server.Host()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if err := store.EnsureTables(t.Context()); err != nil {
		t.Fatal(err)
	}
	return server, store
}

// TestRefusedWriterWaits: the job that has the slot still runs when another writer is
// refused. Only once it has ended can be read who holds the key.
func TestRefusedWriterWaits(t *testing.T) {
	server, store := on(t)
	hold := make(chan struct{})
	looked := sync.OnceFunc(func() { close(hold) })
	server.OnJob(func(j fake.Job) fake.Fate {
		if strings.HasPrefix(j.Statement, "INSERT") {
			return fake.Fate{Hold: hold}
		}
		return fake.Fate{}
	})
	server.OnRequest(func(r fake.Request) fake.Fault {
		if r.Method == "jobs.get" { // the one who was refused asks whose job it is
			looked()
		}
		return fake.Fault{}
	})
	errs := make([]error, 2)
	var wait sync.WaitGroup
	for i := range errs {
		wait.Go(func() { _, errs[i] = store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour) })
	}
	wait.Wait()
	if errs[0] != nil {
		errs[0], errs[1] = errs[1], errs[0]
	}
	if errs[0] != nil || !errors.Is(errs[1], driver.ErrHeld) {
		t.Errorf("%v and %v; want a claim and ErrHeld", errs[0], errs[1])
	}
}

// TestInsertsThatQueue: a table takes one statement at a time. Claims of one key and of
// others, and events, wait for their turn.
func TestInsertsThatQueue(t *testing.T) {
	server, store := on(t)
	server.LimitInserts(1, 100)
	server.OnJob(func(fake.Job) fake.Fate { return fake.Fate{Delay: time.Millisecond} })
	const keys, callers = 5, 4
	var won [keys]int
	var mu sync.Mutex
	var wait sync.WaitGroup
	for i := range keys * callers {
		key := fmt.Sprint("order-", i%keys)
		wait.Go(func() {
			m := driver.Message{Key: key, Source: "event1", Content: []byte("1")}
			if err := store.Persist(t.Context(), m); err != nil {
				t.Error(err)
			}
			_, err := store.Acquire(t.Context(), driver.NewClaim(key), time.Hour)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won[i%keys]++
			} else if !errors.Is(err, driver.ErrHeld) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for i, n := range won {
		if n != 1 {
			t.Errorf("key %d was claimed %d times", i, n)
		}
	}
}

// TestFullQueue: a statement that BigQuery does not even queue fails, so its slot is
// burned, and the next caller takes the next.
func TestFullQueue(t *testing.T) {
	server, store := on(t)
	server.LimitInserts(1, 0)
	hold, running := make(chan struct{}), make(chan struct{}, 2)
	server.OnJob(func(j fake.Job) fake.Fate {
		running <- struct{}{}
		return fake.Fate{Hold: hold}
	})
	var first error
	var wait sync.WaitGroup
	wait.Go(func() { _, first = store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour) })
	<-running
	if _, err := store.Acquire(t.Context(), driver.NewClaim("order-2"), time.Hour); err == nil || errors.Is(err, driver.ErrHeld) {
		t.Errorf("order-2: %v; want the queue's failure", err)
	}
	close(hold)
	wait.Wait()
	if first != nil {
		t.Error(first)
	}
	server.LimitInserts(0, 0)
	server.OnJob(nil)
	if c, err := store.Acquire(t.Context(), driver.NewClaim("order-2"), time.Hour); err != nil || c.Token != 2 || c.Takeover {
		t.Errorf("order-2 again: %+v, %v; want the slot behind the burned one", c, err)
	}
}

// TestAnswersThatAreLost: an insert's answer is lost, and the claim is the caller's when it
// asks again, by the same owner.
func TestAnswersThatAreLost(t *testing.T) {
	server, store := on(t)
	var lost atomic.Bool
	server.OnRequest(func(r fake.Request) fake.Fault {
		return fake.Fault{Drop: r.Method == "jobs.insert" && lost.CompareAndSwap(false, true)}
	})
	asked := driver.NewClaim("order-1")
	c, err := store.Acquire(t.Context(), asked, time.Hour)
	if err != nil {
		c, err = store.Acquire(t.Context(), asked, time.Hour)
	}
	if err != nil || !lost.Load() || c.Takeover {
		t.Errorf("%+v, %v, lost %v; want the claim", c, err, lost.Load())
	}
	if err := store.Complete(t.Context(), c, driver.OutcomeProcessed); err != nil {
		t.Error(err)
	}
}
