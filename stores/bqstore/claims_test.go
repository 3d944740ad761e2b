package bqstore_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore"
)

// client is BigQuery without the store.
func client(t *testing.T, s bqstore.Settings) *bigquery.Client {
	t.Helper()
	c, err := bigquery.NewClient(t.Context(), s.Project(), option.WithEndpoint("http://"+emulator()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestLateCompleteAgainstTakeovers: the old holder completes while 20 take over.
func TestLateCompleteAgainstTakeovers(t *testing.T) {
	s := settings(t)
	store := ready(t, s)
	old, err := store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	errs := make([]error, 21)
	for i := range errs {
		wait.Go(func() {
			if i == 10 {
				errs[i] = open(t, s).Complete(t.Context(), old, driver.OutcomeProcessed)
				return
			}
			_, errs[i] = open(t, s).Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
		})
	}
	wait.Wait()
	winners := 0
	for _, err := range errs {
		switch {
		case err == nil:
			winners++
		case !errors.Is(err, driver.ErrHeld) && !errors.Is(err, driver.ErrDone) && !errors.Is(err, driver.ErrLost):
			t.Error(err)
		}
	}
	if winners != 1 {
		t.Errorf("%d won, want 1", winners)
	}
}

// recreate drops the table of claims and makes another, which a store that knew the old one
// is not told of.
func recreate(t *testing.T, s bqstore.Settings) {
	t.Helper()
	if err := client(t, s).Dataset("orders").Table("claims").Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	ready(t, s)
}

// TestRecreatedTable: another table of the same name is one whose rows are gone. Keys can be
// claimed anew there, behind the slots that were used, by all stores with one winner.
func TestRecreatedTable(t *testing.T) {
	s := settings(t)
	knows := ready(t, s)
	for _, key := range []string{"order-1", "order-2"} {
		c, err := knows.Acquire(t.Context(), driver.NewClaim(key), time.Hour)
		if err == nil {
			err = knows.Complete(t.Context(), c, driver.OutcomeProcessed)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	recreate(t, s)
	other := open(t, s)
	won, err := other.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
	if err != nil || won.Token != 3 || won.Takeover {
		t.Errorf("Acquire: %+v, %v; want the third slot, of a key that nobody holds", won, err)
	}
	if _, err := knows.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour); !errors.Is(err, driver.ErrHeld) {
		t.Errorf("the store that knew the old table: %v, want ErrHeld", err)
	}
	if _, err := knows.Acquire(t.Context(), driver.NewClaim("order-2"), time.Hour); err != nil {
		t.Errorf("the store that knew the old table: %v", err)
	}
	if err := other.Complete(t.Context(), won, driver.OutcomeProcessed); err != nil {
		t.Error(err)
	}
}

// TestOldHolderInARecreatedTable: a claim that was handed out in a table that is gone is
// good in the next one, until somebody else has claimed the key there.
func TestOldHolderInARecreatedTable(t *testing.T) {
	s := settings(t)
	store := ready(t, s)
	claim := func(store *bqstore.Store, key string) driver.Claim {
		t.Helper()
		c, err := store.Acquire(t.Context(), driver.NewClaim(key), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first, second := claim(store, "order-1"), claim(store, "order-2")
	recreate(t, s)
	if err := store.Complete(t.Context(), first, driver.OutcomeProcessed); err != nil {
		t.Errorf("Complete, before anybody else has claimed the key: %v", err)
	}
	other := open(t, s)
	if _, err := other.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour); !errors.Is(err, driver.ErrDone) {
		t.Errorf("Acquire of what the old holder has completed: %v, want ErrDone", err)
	}
	next := claim(other, "order-2")
	if err := store.Complete(t.Context(), second, driver.OutcomeProcessed); !errors.Is(err, driver.ErrLost) {
		t.Errorf("Complete, after another has claimed the key: %v, want ErrLost", err)
	}
	if err := other.Complete(t.Context(), next, driver.OutcomeProcessed); err != nil {
		t.Error(err)
	}
}

// TestTableThatForgetsTooSoon: what is completed would be forgotten, and run again.
func TestTableThatForgetsTooSoon(t *testing.T) {
	s := settings(t)
	ready(t, s.WithRetention(7*24*time.Hour))
	store := open(t, s.WithRetention(30*24*time.Hour))
	if _, err := store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour); err == nil || !strings.Contains(err.Error(), "partitions expire after 192h") {
		t.Errorf("Acquire: %v; want it to say that partitions expire too soon", err)
	}
	if err := store.Persist(t.Context(), driver.Message{Key: "order-1", Source: "event1"}); err == nil {
		t.Error("Persist goes on")
	}
}

// TestLeaseBeyondTheRetention: the row would be forgotten while its claim is held.
func TestLeaseBeyondTheRetention(t *testing.T) {
	nowhere(t)
	store := open(t, bqstore.Config("project", "dataset").WithRetention(2*time.Hour))
	_, acquired := store.Acquire(t.Context(), driver.NewClaim("order-1"), 3*time.Hour)
	_, renewed := store.Renew(t.Context(), driver.Claim{Key: "order-1", Token: 1}, 3*time.Hour)
	for _, err := range []error{acquired, renewed} {
		if err == nil || !strings.Contains(err.Error(), "longer than rows are kept") {
			t.Errorf("%v; want a lease of 3h to be refused", err)
		}
	}
}

// TestExpiredRows: without its rows, a key can be claimed again, behind the slots
// that were used.
func TestExpiredRows(t *testing.T) {
	s := settings(t)
	store := ready(t, s)
	first, err := store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
	if err == nil {
		err = store.Complete(t.Context(), first, driver.OutcomeProcessed)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Persist(t.Context(), driver.Message{Key: "order-1", Source: "event1"}); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"claims", "events"} {
		_, err := client(t, s).Query("DELETE FROM `" + s.Project() + ".orders." + table + "` WHERE TRUE").Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
	}
	again, err := store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
	if err != nil || again.Token <= first.Token {
		t.Errorf("got token %d, %v; want one greater than %d", again.Token, err, first.Token)
	}
	if err := store.Persist(t.Context(), driver.Message{Key: "order-1", Source: "event1", Content: []byte("new")}); err != nil {
		t.Error(err)
	}
	if m, err := store.LookUp(t.Context(), "order-1", "event1"); err != nil || string(m.Content) != "new" {
		t.Errorf("%q, %v", m.Content, err)
	}
}

// TestBurnedSlot: a job with the slot's ID has failed, so there is no row, and
// never will be.
func TestBurnedSlot(t *testing.T) {
	s := settings(t)
	store := ready(t, s)
	q := client(t, s).Query("INSERT INTO `" + s.Project() + ".orders.claims` (nothing) VALUES (1)")
	q.JobID, q.Location = store.JobID("claims", 1, "order-1"), "EU"
	if job, err := q.Run(t.Context()); err == nil && job.LastStatus().Err() == nil {
		t.Fatal("the job did not fail")
	}
	c, err := store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
	if err != nil || c.Token != 2 {
		t.Errorf("token %d, %v; want the next slot", c.Token, err)
	}
	if err := store.Complete(t.Context(), c, driver.OutcomeProcessed); err != nil {
		t.Error(err)
	}
}

// TestManyUsedSlots: a key comes again after its rows, of which there were many, have
// expired. The free slot is searched for, and not tried for.
func TestManyUsedSlots(t *testing.T) {
	s := settings(t)
	const used = 12
	store := ready(t, s)
	for n := range int64(used) {
		q := client(t, s).Query("SELECT 1")
		q.JobID, q.Location = store.JobID("claims", n+1, "order-1"), "EU"
		if _, err := q.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var inserts atomic.Int64
	proxy := counting(t, func(kind string) {
		if kind == "POST jobs" {
			inserts.Add(1)
		}
	})
	late, err := bqstore.New(t.Context(), s, option.WithEndpoint(proxy.URL), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	c, err := late.Acquire(t.Context(), driver.NewClaim("order-1"), time.Hour)
	if err != nil || c.Token != used+1 {
		t.Errorf("token %d, %v; want %d", c.Token, err, used+1)
	}
	if n := inserts.Load(); n != 2 {
		t.Errorf("%d inserts were tried, want that of the first slot and that of the free one", n)
	}
}

func TestNewRefuses(t *testing.T) {
	for want, s := range map[string]bqstore.Settings{
		`project ""`:      bqstore.Config("", "d"),
		"dataset \"a`b\"": bqstore.Config("project", "a`b"),
		`location "a b"`:  bqstore.Config("project", "d").WithLocation("a b"),
		`timeout 0s`:      bqstore.Config("project", "d").WithTimeout(0),
		`retention 1m0s`:  bqstore.Config("project", "d").WithRetention(time.Minute),
	} {
		if _, err := bqstore.New(t.Context(), s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to name %s", err, want)
		}
	}
}
