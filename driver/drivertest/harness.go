package drivertest

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Harness tells the suite how to open the store under test, an S. Only Open is
// required.
type Harness[S any] struct {
	// Open returns a handle on a new, empty store. It is called once for each
	// check; t.Cleanup is the place to close the handle and delete the data.
	Open func(t *testing.T) S

	// Again returns a second handle on the store that s is a handle on, as
	// another process would open it: it should share no client and no cache
	// with s. nil: s is used in its place.
	Again func(t *testing.T, s S) S

	// Lease is the length of the leases that are to run out; default 500 ms. A
	// check waits for one and a half times as long, so Lease must be more than
	// twice what the store allows for clocks that differ. A store need not be
	// faster than Lease: where a lease must last, the suite asks for an hour.
	Lease time.Duration

	// FakeTime runs each check in a bubble of testing/synctest, where leases run
	// out in no time. It is for stores that go by time.Now and do no I/O.
	FakeTime bool

	// Parallel runs the checks in parallel, each with a store of its own. It
	// helps where checks wait for real leases.
	Parallel bool

	// Callers is how many goroutines call at once where a sentence speaks of
	// concurrent use; default 50, at least 4.
	Callers int

	// FewNames has the checks of any string take some forty in place of all, at least one of each
	// kind. It is for a store that is slow where it runs, such as on an emulator, and that takes
	// all of them elsewhere.
	FewNames bool

	// Exclusive says that the store makes a takeover and the old holder's
	// Complete exclude each other even when they run at once, and has that
	// checked. Without it the suite allows what a completion in a record of its
	// own can't prevent: that Complete succeeds just after the taker's look.
	Exclusive bool
}

// subject is a new, empty store as a check sees it, through interface I.
type subject[I any] struct {
	store     I // one handle
	other     I // another on the same store
	lease     time.Duration
	callers   int
	exclusive bool
	names     []string // any strings
}

// check is one sentence of a contract, and how to find out whether a store
// keeps it.
type check[I any] struct {
	says string
	run  func(ctx context.Context, s subject[I]) error
}

// errDoesNotApply is a check's answer where the store lacks what the sentence is
// about.
var errDoesNotApply = errors.New("does not apply to this store")

// test runs every check as a subtest.
func test[S, I any](t *testing.T, h Harness[S], as func(S) I, checks []check[I]) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.says, func(t *testing.T) {
			if h.Parallel {
				t.Parallel()
			}
			err := try(t, h, as, c)
			switch {
			case errors.Is(err, errDoesNotApply):
				t.Skip(err)
			case err != nil:
				t.Error(err)
			}
		})
	}
}

// try runs one check on a store of its own, and returns what was wrong with it.
func try[S, I any](t *testing.T, h Harness[S], as func(S) I, c check[I]) error {
	var err error
	run := func(t *testing.T) {
		s := h.Open(t)
		other := s
		if h.Again != nil {
			other = h.Again(t, s)
		}
		err = c.run(t.Context(), subject[I]{
			store:     as(s),
			other:     as(other),
			lease:     cmp.Or(h.Lease, 500*time.Millisecond),
			callers:   max(4, cmp.Or(h.Callers, 50)),
			exclusive: h.Exclusive,
			names:     h.names(),
		})
	}
	if h.FakeTime {
		synctest.Test(t, run)
	} else {
		run(t)
	}
	return err
}

// names are the strings that the checks of any string take.
func (h Harness[S]) names() []string {
	if h.FewNames {
		return fewNames()
	}
	return names
}

// outlast returns when a lease of length s.lease, taken before, has run out. It
// is the one place where the suite waits: under FakeTime that takes no time, but
// the lease of a store behind a socket has to pass for real.
func (s subject[I]) outlast(ctx context.Context) error {
	select {
	case <-time.After(s.lease + s.lease/2):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// handle returns the store's handles in turn, for calls that are made at once.
func (s subject[I]) handle(i int) I {
	if i%2 == 1 {
		return s.other
	}
	return s.store
}

// atOnce makes n calls at once, waits for all, and returns what they returned.
func atOnce[R any](n int, call func(i int) (R, error)) ([]R, []error) {
	var (
		results  = make([]R, n)
		failures = make([]error, n)
		start    = make(chan struct{})
		wait     sync.WaitGroup
	)
	for i := range n {
		wait.Go(func() {
			<-start
			results[i], failures[i] = call(i)
		})
	}
	close(start)
	wait.Wait()
	return results, failures
}
