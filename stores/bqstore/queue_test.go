package bqstore_test

import (
	"context"
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
	release := sync.OnceFunc(func() { close(hold) })
	first := store.JobID("claims", 1, "order-1")
	server.OnJob(func(j fake.Job) fake.Fate {
		if j.ID == first {
			return fake.Fate{Hold: hold}
		}
		if strings.HasPrefix(j.Statement, "INSERT") { // it did not wait
			release()
		}
		return fake.Fate{}
	})
	var waiting atomic.Int64
	server.OnRequest(func(r fake.Request) fake.Fault {
		if r.Method == "jobs.getQueryResults" && r.ID == first && waiting.Add(1) == 2 {
			release()
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
	var claim driver.Claim
	var wait sync.WaitGroup
	wait.Go(func() { claim, first = store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour) })
	<-running
	if _, err := store.Acquire(t.Context(), driver.NewClaim("order-2"), time.Hour); !errors.Is(err, driver.ErrHeld) {
		t.Errorf("order-2: %v; want an ErrHeld, so that the function answers 503", err)
	}
	close(hold)
	wait.Wait()
	if first != nil {
		t.Error(first)
	}
	// A run whose end can't be recorded is a failure that somebody should know of.
	server.OnJob(func(j fake.Job) fake.Fate { return fake.Fate{Failure: "quotaExceeded"} })
	if err := store.Complete(t.Context(), claim, driver.OutcomeProcessed); err == nil || errors.Is(err, driver.ErrHeld) {
		t.Errorf("Complete: %v; want a failure that is no ErrHeld", err)
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

// TestNoAnswerFromACache: an answer that BigQuery remembers of the same statement is not asked
// for.
func TestNoAnswerFromACache(t *testing.T) {
	server, store := on(t)
	var statements, cached atomic.Int64
	server.OnJob(func(j fake.Job) fake.Fate {
		statements.Add(1)
		if j.Cache {
			cached.Add(1)
		}
		return fake.Fate{}
	})
	m := driver.Message{Key: "order-1", Source: "event1"}
	if _, _, err := store.KeepAndLook(t.Context(), m, []string{"event1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour); err != nil {
		t.Fatal(err)
	}
	if statements.Load() != 3 || cached.Load() != 0 {
		t.Errorf("%d of %d statements may be answered from a cache", cached.Load(), statements.Load())
	}
}

// TestStatementThatIsQueuedTooLong: a statement waits behind others for longer than it may. The
// caller is told that the key can't be claimed now. The job is cancelled, and if that fails,
// it writes no row when its turn comes.
func TestStatementThatIsQueuedTooLong(t *testing.T) {
	for name, cancelled := range map[string]bool{"it is cancelled": true, "it can't be cancelled": false} {
		t.Run(name, func(t *testing.T) {
			server, store := on(t)
			store.StartWithin(200 * time.Millisecond)
			server.LimitInserts(1, 100)
			hold, running, cancels := make(chan struct{}), make(chan struct{}, 9), make(chan struct{}, 9)
			server.OnJob(func(j fake.Job) fake.Fate {
				if !strings.HasPrefix(j.Statement, "INSERT") {
					return fake.Fate{}
				}
				running <- struct{}{}
				return fake.Fate{Hold: hold}
			})
			server.OnRequest(func(r fake.Request) fake.Fault {
				if r.Method != "jobs.cancel" {
					return fake.Fault{}
				}
				defer func() { cancels <- struct{}{} }()
				if cancelled {
					return fake.Fault{}
				}
				return fake.Fault{Status: 400, Reason: "invalid"}
			})
			first := make(chan error, 1)
			go func() {
				_, err := store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
				first <- err
			}()
			<-running
			_, err := store.Acquire(t.Context(), driver.NewClaim("order-2"), time.Hour)
			if !errors.Is(err, driver.ErrHeld) || !strings.Contains(err.Error(), "queue") {
				t.Errorf("%v; want an ErrHeld that tells of the queue", err)
			}
			<-cancels
			if cancelled {
				awaitCancelled(t, server, store.JobID("claims", 1, "order-2")) // after the request for it
			}
			close(hold)
			if err := <-first; err != nil {
				t.Errorf("the first: %v", err) // it had begun in time
			}
			store.StartWithin(time.Minute) // nothing is before the next
			c, err := store.Acquire(t.Context(), driver.NewClaim("order-2"), time.Hour)
			if err != nil || c.Token != 2 || c.Takeover {
				t.Errorf("order-2 again: %+v, %v; want the slot behind the burned one, and nobody to have held the key", c, err)
			}
			if tried := len(running); tried != map[bool]int{true: 1, false: 2}[cancelled] {
				t.Errorf("%d more statements ran", tried)
			}
		})
	}
}

// awaitCancelled returns when the job has ended, since it was cancelled.
func awaitCancelled(t *testing.T, server *fake.Server, id string) {
	t.Helper()
	job, err := clientOf(t, server).JobFromIDLocation(t.Context(), id, "EU")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "cancelled") {
		t.Errorf("job %s: %v; want it to be cancelled", id, err)
	}
}

// TestCallerWhoGoesAway: the caller's time is up while its statement waits for its turn.
func TestCallerWhoGoesAway(t *testing.T) {
	server, store := on(t)
	hold, running, cancels := make(chan struct{}), make(chan struct{}, 9), make(chan string, 9)
	server.OnJob(func(j fake.Job) fake.Fate {
		running <- struct{}{}
		return fake.Fate{Hold: hold}
	})
	server.OnRequest(func(r fake.Request) fake.Fault {
		if r.Method == "jobs.cancel" {
			cancels <- r.ID
		}
		return fake.Fault{}
	})
	ctx, leave := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := store.Acquire(ctx, driver.NewClaim("order-1"), time.Hour)
		result <- err
	}()
	<-running
	leave()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's end", err)
	}
	if id := <-cancels; id != store.JobID("claims", 1, "order-1") {
		t.Errorf("job %s is cancelled", id)
	}
	server.OnJob(nil) // the first ends when it is cancelled, and only then
	if c, err := store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour); err != nil || c.Token != 2 || c.Takeover {
		t.Errorf("%+v, %v; want the slot behind the burned one, and nobody to have held the key", c, err)
	}
}

// TestRefusedWriterWaitsForTheQueue: another's statement for the same key is queued until the
// caller's time is up. That is no failure.
func TestRefusedWriterWaitsForTheQueue(t *testing.T) {
	server, store := on(t)
	store.StartWithin(time.Minute)
	server.LimitInserts(1, 100)
	hold, running := make(chan struct{}), make(chan struct{}, 9)
	defer close(hold)
	server.OnJob(func(j fake.Job) fake.Fate {
		if !strings.HasPrefix(j.Statement, "INSERT") {
			return fake.Fate{}
		}
		running <- struct{}{}
		return fake.Fate{Hold: hold}
	})
	ctx, end := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	defer wait.Wait()
	defer end()
	wait.Go(func() { _, _ = store.Acquire(ctx, driver.NewClaim("order-1"), time.Hour) })
	<-running
	// A caller waits for its results once its job is there.
	id, queued, refused := store.JobID("claims", 1, "order-2"), make(chan struct{}, 9), make(chan struct{}, 9)
	server.OnRequest(func(r fake.Request) fake.Fault {
		if r.Method == "jobs.getQueryResults" && r.ID == id {
			queued <- struct{}{}
		}
		if r.Method == "jobs.get" && r.ID == id {
			refused <- struct{}{}
		}
		return fake.Fault{}
	})
	wait.Go(func() { _, _ = store.Acquire(ctx, driver.NewClaim("order-2"), time.Hour) })
	<-queued
	soon, stop := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := store.Acquire(soon, driver.NewClaim("order-2"), time.Hour)
		result <- err
	}()
	<-refused
	<-queued // the refused one waits for the same job
	stop()
	if err := <-result; !errors.Is(err, driver.ErrHeld) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want an ErrHeld, and the context's end", err)
	}
}
