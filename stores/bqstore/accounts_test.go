package bqstore_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	fake "example.com/eventdriver/internal/fake/bigquery"
	"example.com/eventdriver/stores/bqstore"
)

// account sends requests in the name of a service account.
type account string

func (a account) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(a))
	return http.DefaultTransport.RoundTrip(r)
}

// as returns a store of a service account on the server. What it waits for at most is short.
func as(t *testing.T, server *fake.Server, name string) *bqstore.Store {
	t.Helper()
	store, err := bqstore.New(t.Context(), bqstore.Config("project", "orders").WithLocation("EU"), option.WithEndpoint("http://"+server.Host()),
		option.WithHTTPClient(&http.Client{Transport: account(name)}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	store.StartWithin(300 * time.Millisecond)
	return store
}

func acquire(t *testing.T, store *bqstore.Store, key string, lease time.Duration) driver.Claim {
	t.Helper()
	c, err := store.Acquire(t.Context(), driver.NewClaim(key), lease)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAnotherAccount: a function's service account is changed. The jobs of the old one can't be
// asked for, and the log tells what they did.
func TestAnotherAccount(t *testing.T) {
	server, _ := on(t)
	before, now := as(t, server, "before"), as(t, server, "now")
	acquire(t, before, "held", time.Hour)
	acquire(t, before, "expired", time.Millisecond)
	handedOver := acquire(t, before, "handed over", time.Hour)
	done := acquire(t, before, "done", time.Hour)
	if err := before.Complete(t.Context(), done, driver.OutcomeProcessed); err != nil {
		t.Fatal(err)
	}

	if err := now.Complete(t.Context(), handedOver, driver.OutcomeProcessed); err != nil {
		t.Errorf("a claim that was handed over: %v", err)
	}
	if _, err := now.Acquire(t.Context(), driver.NewClaim("held"), time.Hour); !errors.Is(err, driver.ErrHeld) {
		t.Errorf("a key that is held: %v, want ErrHeld", err)
	}
	if _, err := now.Acquire(t.Context(), driver.NewClaim("done"), time.Hour); !errors.Is(err, driver.ErrDone) {
		t.Errorf("a key that is done: %v, want ErrDone", err)
	}
	if c := acquire(t, now, "expired", time.Hour); c.Token != 2 || !c.Takeover {
		t.Errorf("a key whose lease ran out: %+v, want a takeover", c)
	} else if err := now.Complete(t.Context(), c, driver.OutcomeProcessed); err != nil {
		t.Error(err)
	}
}

// TestRowsOfAnotherAccountThatAreGone: neither the job nor the log tells what became of a
// slot. It is taken for used once its job can't write any more.
func TestRowsOfAnotherAccountThatAreGone(t *testing.T) {
	server, _ := on(t)
	before, now := as(t, server, "before"), as(t, server, "now")
	if err := before.Complete(t.Context(), acquire(t, before, "order-1", time.Hour), driver.OutcomeProcessed); err != nil {
		t.Fatal(err)
	}
	if err := deleteRows(t, server, "claims"); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	c := acquire(t, now, "order-1", time.Hour)
	if c.Token != 3 || c.Takeover || time.Since(begun) < 400*time.Millisecond {
		t.Errorf("%+v after %v; want the slot behind the two that were used, after the job's time", c, time.Since(begun))
	}
}

// TestJobOfAnotherAccountThatRuns: the other account's statement is under way, so that it has the
// slot and no row yet.
func TestJobOfAnotherAccountThatRuns(t *testing.T) {
	server, _ := on(t)
	before, now := as(t, server, "before"), as(t, server, "now")
	before.StartWithin(time.Minute)
	now.StartWithin(time.Minute)
	hold, running := make(chan struct{}), make(chan struct{})
	server.OnJob(func(j fake.Job) fake.Fate {
		if strings.HasPrefix(j.Statement, "INSERT") {
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
	server.OnRequest(func(r fake.Request) fake.Fault {
		if r.Method == "jobs.get" { // it is asked for, in vain
			select {
			case <-hold:
			default:
				close(hold)
			}
		}
		return fake.Fault{}
	})
	if _, err := now.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour); !errors.Is(err, driver.ErrHeld) {
		t.Errorf("%v, want ErrHeld", err)
	}
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// TestQuotaIsNoAccount: a request about a slot is refused for want of a quota, by the same status
// as the job of another account. The slot may be free, so nothing is written behind it.
func TestQuotaIsNoAccount(t *testing.T) {
	server, _ := on(t)
	store := as(t, server, "account")
	if err := store.Complete(t.Context(), acquire(t, store, "order-1", time.Hour), driver.OutcomeProcessed); err != nil {
		t.Fatal(err)
	}
	if err := deleteRows(t, server, "claims"); err != nil {
		t.Fatal(err)
	}
	server.OnRequest(func(r fake.Request) fake.Fault {
		if r.Method == "jobs.get" && r.ID == store.JobID("claims", 4, "order-1") { // which is free
			return fake.Fault{Status: http.StatusForbidden, Reason: "quotaExceeded"}
		}
		return fake.Fault{}
	})
	if c, err := store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour); err == nil {
		t.Errorf("%+v; want a failure", c)
	}
	server.OnRequest(nil)
	if c := acquire(t, store, "order-1", time.Hour); c.Token != 3 {
		t.Errorf("%+v; want the slot behind the two that were used", c)
	}
}
