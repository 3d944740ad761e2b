package bqstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	fake "example.com/eventdriver/internal/fake/bigquery"
)

// TestStatementThatEndsTooLate: a statement begins in time and runs for long. Meanwhile another
// account, which can't ask for its job, has taken the next slot. Only one may hold the key.
func TestStatementThatEndsTooLate(t *testing.T) {
	server, _ := on(t)
	before, now := as(t, server, "before"), as(t, server, "now")
	hold, running := make(chan struct{}), make(chan struct{})
	server.OnJob(func(j fake.Job) fake.Fate {
		if strings.HasPrefix(j.Statement, "INSERT") && j.ID == before.JobID("claims", 1, "order-1") {
			close(running)
			return fake.Fate{Hold: hold}
		}
		return fake.Fate{}
	})
	first := make(chan error, 1)
	go func() {
		_, err := before.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
		first <- err
	}()
	<-running
	if c := acquire(t, now, "order-1", time.Hour); c.Token != 2 {
		t.Errorf("%+v; want the slot behind the one that nobody is known to have", c)
	}
	close(hold)
	if err := <-first; !errors.Is(err, driver.ErrHeld) {
		t.Errorf("the first: %v; want ErrHeld, since the other holds the key", err)
	}
}

// TestOthersJobIsNotCancelled: a caller goes away before BigQuery has its request, for a slot that
// another has. The other's statement is not its own to cancel.
func TestOthersJobIsNotCancelled(t *testing.T) {
	server, _ := on(t)
	store, other := as(t, server, "account"), as(t, server, "account")
	store.StartWithin(time.Minute)
	hold, running := make(chan struct{}), make(chan struct{})
	server.OnJob(func(j fake.Job) fake.Fate {
		close(running)
		return fake.Fate{Hold: hold}
	})
	first := make(chan error, 1)
	go func() {
		_, err := store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
		first <- err
	}()
	<-running
	ctx, leave := context.WithCancel(t.Context())
	server.OnRequest(func(r fake.Request) fake.Fault {
		if r.Method != "jobs.insert" {
			return fake.Fault{}
		}
		leave()
		return fake.Fault{Hold: make(chan struct{})} // until the client has gone
	})
	if _, err := other.Acquire(ctx, driver.NewClaim("order-1"), time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("the other: %v, want the context's end", err)
	}
	if err := other.Close(); err != nil { // it waits for the requests that cancel
		t.Error(err)
	}
	close(hold)
	if err := <-first; err != nil {
		t.Errorf("the first: %v", err)
	}
}
