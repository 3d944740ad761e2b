package drivertest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"example.com/eventdriver/driver"
)

// Reopening is what [TestReopener] needs of a store: keys are completed, and opened again. Where
// it is a [driver.Inspector], it is looked at, too.
type Reopening interface {
	driver.ClaimStore
	driver.Reopener
}

// TestReopener checks every sentence of [driver.Reopener]'s contract.
func TestReopener[S Reopening](t *testing.T, h Harness[S]) {
	t.Helper()
	test(t, h, asReopening[S], reopenChecks)
}

type reopening = subject[Reopening]

func asReopening[S Reopening](s S) Reopening { return s }

var reopenChecks = []check[Reopening]{
	{"A reopened key is claimed at once, with a greater token, no mark and no takeover", reopenAcquire},
	{"A reopened key is completed by the next claim, and may be reopened again", reopenComplete},
	{"A completion by the old claim does not close the key again", reopenLateComplete},
	{"A completion by an older claim does not close the key again", reopenOlder},
	{"The old claim can't be renewed", reopenRenew},
	{"Completions and reopenings at once leave the key open, or are told", reopenAtOnce},
	{"Reopening again returns nil, and does not disturb the next holder", reopenAgain},
	{"A key that is not completed, or by a claim with another token, is not reopened", reopenLost},
	{"Other scopes stay completed", reopenScopes},
	{"A reopened key is described as one that was released", reopenInspect},
	{"A reopening names a key and an owner", reopenNames},
	{"A context that has ended is honoured by Reopen", reopenEndedContext},
}

// completed returns the claim that has completed order-1, which was released before.
func completed(ctx context.Context, s reopening) (driver.Claim, error) {
	first, errFirst := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	errRelease := s.store.Release(ctx, first, driver.Released{Mark: driver.MarkFailed, Pause: long, Attempts: 3})
	c, err := s.store.Acquire(ctx, early("order-1"), long)
	return c, errors.Join(errFirst, errRelease, err, s.store.Complete(ctx, c, driver.OutcomeProcessed))
}

// reopen reopens what c completed, by the other handle.
func reopen(ctx context.Context, s reopening, c driver.Claim) error {
	c.Owner = driver.NewOwner()
	return s.other.Reopen(ctx, c)
}

// reopened returns the claim that has completed order-1, and that is open again.
func reopened(ctx context.Context, s reopening) (driver.Claim, error) {
	c, err := completed(ctx, s)
	return c, errors.Join(err, reopen(ctx, s, c))
}

func reopenAcquire(ctx context.Context, s reopening) error {
	old, err := reopened(ctx, s)
	c, errAcquire := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	_, errOther := s.other.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(err, errAcquire, expectNewer(c, old, false), expectEqual("Mark", c.Mark, driver.MarkNone),
		expectEqual("Attempts", c.Attempts, 0), expectHeld(errOther, "order-1", c.Token))
}

func reopenComplete(ctx context.Context, s reopening) error {
	old, err := reopened(ctx, s)
	failures := []error{err}
	for range 3 {
		c, err := s.other.Acquire(ctx, driver.NewClaim("order-1"), long)
		failures = append(failures, err, expectNewer(c, old, false),
			expect("Complete", s.other.Complete(ctx, c, driver.OutcomeProcessed), nil),
			expect("Complete again", s.store.Complete(ctx, c, driver.OutcomeProcessed), nil))
		_, err = s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
		failures = append(failures, expect("Acquire of a completed key", err, driver.ErrDone), reopen(ctx, s, c))
		old = c
	}
	return errors.Join(failures...)
}

// expectOpen returns an error unless order-1 can be claimed after old.
func expectOpen(ctx context.Context, s reopening, old driver.Claim) error {
	c, err := s.other.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(expect("Acquire of a reopened key", err, nil), expectNewer(c, old, false))
}

func reopenLateComplete(ctx context.Context, s reopening) error {
	old, err := reopened(ctx, s)
	return errors.Join(err,
		expect("Complete by the old claim", s.store.Complete(ctx, old, driver.OutcomeProcessed), driver.ErrLost),
		expect("Complete elsewhere", s.other.Complete(ctx, old, driver.OutcomeProcessed), driver.ErrLost),
		expectOpen(ctx, s, old),
		expect("Complete beside the next holder", s.store.Complete(ctx, old, driver.OutcomeProcessed), driver.ErrLost),
		reopenUnderWay(ctx, s))
}

// reopenUnderWay has a handle that holds a key complete it, after it was completed elsewhere with the same
// claim, and reopened.
func reopenUnderWay(ctx context.Context, s reopening) error {
	c, err := s.store.Acquire(ctx, driver.NewClaim("order-2"), long)
	return errors.Join(err, s.other.Complete(ctx, c, driver.OutcomeOperator), reopen(ctx, s, c),
		expect("Complete by the handle that acquired it", s.store.Complete(ctx, c, driver.OutcomeProcessed), driver.ErrLost))
}

func reopenOlder(ctx context.Context, s reopening) error {
	first, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), s.lease)
	errWait := s.outlast(ctx)
	second, errSecond := s.other.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(err, errWait, errSecond, s.other.Complete(ctx, second, driver.OutcomeProcessed), reopen(ctx, s, second),
		expect("Complete by a claim that was taken over", s.store.Complete(ctx, first, driver.OutcomeProcessed), driver.ErrLost),
		expectOpen(ctx, s, second))
}

func reopenRenew(ctx context.Context, s reopening) error {
	old, err := reopened(ctx, s)
	_, errRenew := s.store.Renew(ctx, old, long)
	_, errOther := s.other.Renew(ctx, old, long)
	return errors.Join(err, expect("Renew", errRenew, driver.ErrLost), expect("Renew elsewhere", errOther, driver.ErrLost),
		expectOpen(ctx, s, old))
}

// reopenAtOnce: whatever the order, a call that returned nil has been done, and the last one counts.
func reopenAtOnce(ctx context.Context, s reopening) error {
	var failures []error
	for i := range 5 {
		key := fmt.Sprint("order-", i)
		c, err := s.store.Acquire(ctx, driver.NewClaim(key), long)
		failures = append(failures, err, s.store.Complete(ctx, c, driver.OutcomeProcessed))
		_, errs := atOnce(s.callers, func(i int) (any, error) {
			switch i % 4 {
			case 0, 1:
				return nil, reopen(ctx, s, c)
			default:
				return nil, s.handle(i/4).Complete(ctx, c, driver.OutcomeProcessed)
			}
		})
		for i, err := range errs {
			if i%4 < 2 {
				failures = append(failures, expect("Reopen", err, nil))
			} else if err != nil {
				failures = append(failures, expect("Complete", err, driver.ErrLost))
			}
		}
		next, err := s.store.Acquire(ctx, driver.NewClaim(key), long)
		failures = append(failures, expect("Acquire", err, nil), expectNewer(next, c, false))
	}
	return errors.Join(failures...)
}

func reopenAgain(ctx context.Context, s reopening) error {
	old, err := reopened(ctx, s)
	next, errNext := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	errAgain := reopen(ctx, s, old)
	_, errRenew := s.store.Renew(ctx, next, long)
	return errors.Join(err, errNext, expect("Reopen again", errAgain, nil), expect("Renew by the next holder", errRenew, nil),
		expect("Complete by the next holder", s.store.Complete(ctx, next, driver.OutcomeProcessed), nil),
		expect("Reopen of what another has completed since", reopen(ctx, s, old), driver.ErrLost))
}

func reopenLost(ctx context.Context, s reopening) error {
	failures := []error{expect("Reopen of an unknown key", reopen(ctx, s, driver.Claim{Key: "order-0", Token: 1}), driver.ErrLost)}
	held, err := s.store.Acquire(ctx, driver.NewClaim("order-2"), long)
	failures = append(failures, err, expect("Reopen of a held key", reopen(ctx, s, held), driver.ErrLost))
	_, err = s.store.Renew(ctx, held, long)
	failures = append(failures, expect("Renew by its holder", err, nil))
	done, err := completed(ctx, s)
	failures = append(failures, err)
	for _, token := range []int64{0, done.Token - 1, done.Token + 1} {
		c := done
		c.Token = token
		failures = append(failures, expect(fmt.Sprint("Reopen with token ", token), reopen(ctx, s, c), driver.ErrLost))
	}
	_, err = s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(append(failures, expect("Acquire", err, driver.ErrDone))...)
}

func reopenScopes(ctx context.Context, s reopening) error {
	var failures []error
	claims := make(map[string]driver.Claim)
	for _, scope := range []string{"", "a", "b"} {
		asked := driver.NewClaim("order-1")
		asked.Scope = scope
		c, err := s.store.Acquire(ctx, asked, long)
		failures = append(failures, err, s.store.Complete(ctx, c, driver.OutcomeProcessed))
		claims[scope] = c
	}
	failures = append(failures, reopen(ctx, s, claims["a"]))
	for scope, want := range map[string]error{"": driver.ErrDone, "a": nil, "b": driver.ErrDone} {
		asked := driver.NewClaim("order-1")
		asked.Scope = scope
		_, err := s.store.Acquire(ctx, asked, long)
		failures = append(failures, about(scope, expect("Acquire", err, want)))
	}
	return errors.Join(failures...)
}

func reopenInspect(ctx context.Context, s reopening) error {
	i, can := s.other.(driver.Inspector)
	if !can {
		return errDoesNotApply
	}
	old, err := completed(ctx, s)
	by := driver.NewOperator("me")
	errReopen := s.store.Reopen(ctx, driver.Claim{Key: "order-1", Token: old.Token, Owner: by})
	k, errInspect := i.Inspect(ctx, "order-1")
	page, errList := i.ListKeys(ctx, driver.KeyQuery{Open: true})
	c := k.Claim("")
	failures := []error{err, errReopen, errInspect, errList, expectTrue("it is not done", c.Done == nil), expectEqual("Held", c.Held, false),
		expectEqual("Mark", c.Mark, driver.MarkNone), expectEqual("Token", c.Token, old.Token),
		expectEqual("Owner", c.Owner, by), expectTrue("an operator reopened it", c.ByOperator()), expectNow("Changed", c.Changed),
		expectEqual("problems", len(k.Problems), 0), expectEqual("keys that are open", len(page.Keys), 1)}
	next, err := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	err = errors.Join(err, s.store.Release(ctx, next, driver.Released{}))
	k, errInspect = i.Inspect(ctx, "order-1")
	return errors.Join(append(failures, err, errInspect, about("claimed since", expectClaim(k.Claim(""), next)))...)
}

func reopenNames(ctx context.Context, s reopening) error {
	done, err := completed(ctx, s)
	noKey, noOwner := done, done
	noKey.Key, noOwner.Owner = "", ""
	errKey, errOwner := s.store.Reopen(ctx, noKey), s.store.Reopen(ctx, noOwner)
	_, errAcquire := s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(err, expect("Reopen without a key", errKey, driver.ErrNoKey),
		expect("Reopen without an owner", errOwner, driver.ErrNoOwner), expect("Acquire", errAcquire, driver.ErrDone))
}

func reopenEndedContext(ctx context.Context, s reopening) error {
	done, err := completed(ctx, s)
	failures := []error{err}
	for want, ended := range ended(ctx) {
		failures = append(failures, expect("Reopen", s.store.Reopen(ended, done), want))
	}
	_, err = s.store.Acquire(ctx, driver.NewClaim("order-1"), long)
	return errors.Join(append(failures, expect("Acquire", err, driver.ErrDone))...)
}
