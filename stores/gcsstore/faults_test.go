package gcsstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

// scenario is an operation on a store that has been prepared, and what must be
// true afterwards however often its requests were lost or refused.
type scenario struct {
	name    string
	prepare func(t *testing.T, s *gcsstore.Store) driver.Claim
	run     func(ctx context.Context, s *gcsstore.Store, c driver.Claim) error
}

func acquired(t *testing.T, s *gcsstore.Store) driver.Claim {
	t.Helper()
	c, err := s.Acquire(t.Context(), driver.Claim{Key: "order-1", Owner: "me"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func nothing(*testing.T, *gcsstore.Store) driver.Claim { return driver.Claim{} }

func stored(t *testing.T, s *gcsstore.Store) driver.Claim {
	t.Helper()
	if err := s.Persist(t.Context(), driver.Message{Key: "order-1", Source: "event1", Content: []byte("first")}); err != nil {
		t.Fatal(err)
	}
	return driver.Claim{}
}

// reopened leaves a key that was reopened, and is claimed.
func reopened(t *testing.T, s *gcsstore.Store) driver.Claim {
	t.Helper()
	if err := s.Reopen(t.Context(), completed(t, s)); err != nil {
		t.Fatal(err)
	}
	return acquired(t, s)
}

// oneLetter is a letter that its key finds.
var oneLetter = driver.DeadLetter{ID: "1", Key: "order-1", Reason: driver.ReasonConflict}

func expectToken(c driver.Claim, err error, token int64, takeover bool) error {
	if err == nil && (c.Token != token || c.Takeover != takeover || c.Owner != "me") {
		return fmt.Errorf("claim %+v, want token %d, takeover %v", c, token, takeover)
	}
	return err
}

// firstToken returns an error unless c is the claim of a key that was never claimed.
func firstToken(ctx context.Context, s *gcsstore.Store, _ driver.Claim) error {
	c, err := s.Acquire(ctx, driver.Claim{Key: "order-1", Owner: "me"}, time.Hour)
	if now := time.Now().UnixMilli(); err == nil && (c.Token <= now-time.Minute.Milliseconds() || c.Token > now) {
		err = fmt.Errorf("the first token is %d, want the time in milliseconds, %d", c.Token, now)
	}
	return expectToken(c, err, c.Token, false)
}

// expired leaves the key with a lease that has run out. A lease of 1 ns has,
// whatever the time is: the server stored it before.
func expired(t *testing.T, s *gcsstore.Store) driver.Claim {
	t.Helper()
	c, err := s.Acquire(t.Context(), driver.NewClaim("order-1"), 1)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func released(t *testing.T, s *gcsstore.Store) driver.Claim {
	t.Helper()
	c := acquired(t, s)
	if err := s.Release(t.Context(), c, driver.Released{}); err != nil {
		t.Fatal(err)
	}
	return c
}

// myAcquire acquires, and wants a token that is greater by more than the one before.
func myAcquire(more int64, takeover bool) func(context.Context, *gcsstore.Store, driver.Claim) error {
	return func(ctx context.Context, s *gcsstore.Store, before driver.Claim) error {
		c, err := s.Acquire(ctx, driver.Claim{Key: "order-1", Owner: "me"}, time.Hour)
		return expectToken(c, err, before.Token+more, takeover)
	}
}

var scenarios = []scenario{
	{"Persist", nothing, func(ctx context.Context, s *gcsstore.Store, _ driver.Claim) error {
		return s.Persist(ctx, driver.Message{Key: "order-1", Source: "event1", Content: []byte("content")})
	}},
	{"Persist of much", nothing, func(ctx context.Context, s *gcsstore.Store, _ driver.Claim) error {
		return s.Persist(ctx, driver.Message{Key: "order-1", Source: "event1", Content: make([]byte, 1<<20)})
	}},
	{"Replace", stored, func(ctx context.Context, s *gcsstore.Store, _ driver.Claim) error {
		m, err := s.Replace(ctx, driver.Message{Key: "order-1", Source: "event1", Content: []byte("second"), Time: time.Unix(1, 0)})
		if err == nil && string(m.Content) != "second" {
			err = fmt.Errorf("Replace kept %q", m.Content)
		}
		return err
	}},
	{"Replace of nothing", nothing, func(ctx context.Context, s *gcsstore.Store, _ driver.Claim) error {
		_, err := s.Replace(ctx, driver.Message{Key: "order-1", Source: "event1"})
		return err
	}},
	{"Decide", stored, func(ctx context.Context, s *gcsstore.Store, _ driver.Claim) error {
		decided, err := s.Decide(ctx, "order-1", "join", []string{"event1"})
		if err == nil && !slices.Equal(decided, []string{"event1"}) {
			err = fmt.Errorf("decided %q", decided)
		}
		return err
	}},
	{"ListDecided", stored, func(ctx context.Context, s *gcsstore.Store, _ driver.Claim) error {
		sources, decided, err := s.ListDecided(ctx, "order-1", "join")
		if err == nil && (len(sources) != 1 || decided != nil) {
			err = fmt.Errorf("listed %q, decided %q", sources, decided)
		}
		return err
	}},
	{"Seal", stored, func(ctx context.Context, s *gcsstore.Store, _ driver.Claim) error {
		sealed, err := s.Seal(ctx, "order-1", "event2")
		if err == nil && !sealed {
			err = errors.New("an absent event was not sealed")
		}
		return err
	}},
	{"Seal of an event", stored, func(ctx context.Context, s *gcsstore.Store, _ driver.Claim) error {
		sealed, err := s.Seal(ctx, "order-1", "event1")
		if err == nil && sealed {
			err = errors.New("an event was sealed")
		}
		return err
	}},
	{"Correct", stored, func(ctx context.Context, s *gcsstore.Store, _ driver.Claim) error {
		m := driver.Message{Key: "order-1", Source: "event1", Content: []byte("corrected")}
		if err := s.Correct(ctx, m, correction); err != nil {
			return err
		}
		if kept, err := s.LookUp(ctx, "order-1", "event1"); err != nil || string(kept.Content) != "corrected" {
			return fmt.Errorf("%q is kept: %w", kept.Content, err)
		}
		k, err := s.Inspect(ctx, "order-1")
		if err == nil && len(k.Events[0].Corrections) != 1 {
			err = fmt.Errorf("corrected %d times", len(k.Events[0].Corrections))
		}
		if err != nil {
			return err
		}
		_, err = s.ReadCorrected(ctx, k.Events[0].Corrections[0].Ref)
		return err
	}},
	{"Purge", fullKey, func(ctx context.Context, s *gcsstore.Store, _ driver.Claim) error {
		if err := s.PurgeEvents(ctx, "order-1"); err != nil {
			return err
		}
		if err := s.PurgeClaims(ctx, "order-1"); err != nil {
			return err
		}
		if _, err := s.Inspect(ctx, "order-1"); !errors.Is(err, driver.ErrNotFound) {
			return fmt.Errorf("what was purged: %w", err)
		}
		return nil
	}},
	{"LookUp", stored, func(ctx context.Context, s *gcsstore.Store, _ driver.Claim) error {
		_, err := s.LookUp(ctx, "order-1", "event1")
		return err
	}},
	{"LookUpByKey", stored, func(ctx context.Context, s *gcsstore.Store, _ driver.Claim) error {
		found, err := s.LookUpByKey(ctx, "order-1")
		if err == nil && len(found) != 1 {
			err = fmt.Errorf("found %d messages", len(found))
		}
		return err
	}},
	{"Acquire", nothing, firstToken},
	{"Acquire of an expired key", expired, myAcquire(1, true)},
	{"Acquire of a released key", released, myAcquire(1, false)},
	{"Acquire again", acquired, myAcquire(0, false)},
	{"Renew", acquired, func(ctx context.Context, s *gcsstore.Store, c driver.Claim) error {
		renewed, err := s.Renew(ctx, c, time.Hour)
		return expectToken(renewed, err, c.Token, false)
	}},
	{"Release", acquired, func(ctx context.Context, s *gcsstore.Store, c driver.Claim) error {
		return s.Release(ctx, c, driver.Released{})
	}},
	{"Complete", acquired, func(ctx context.Context, s *gcsstore.Store, c driver.Claim) error {
		return s.Complete(ctx, c, driver.OutcomeProcessed)
	}},
	{"Reopen", completed, func(ctx context.Context, s *gcsstore.Store, c driver.Claim) error {
		if err := s.Reopen(ctx, c); err != nil {
			return err
		}
		return myAcquire(1, false)(ctx, s, c)
	}},
	{"Complete, reopened", reopened, func(ctx context.Context, s *gcsstore.Store, c driver.Claim) error {
		return s.Complete(ctx, c, driver.OutcomeProcessed)
	}},
	{"letters", nothing, func(ctx context.Context, s *gcsstore.Store, _ driver.Claim) error {
		if err := s.AddDeadLetter(ctx, oneLetter); err != nil {
			return err
		}
		page, err := s.ListLetters(ctx, driver.LetterQuery{})
		if err == nil && len(page.Letters) != 1 {
			err = fmt.Errorf("%d letters are listed", len(page.Letters))
		}
		if err != nil {
			return err
		}
		if _, err := s.ReadLetter(ctx, page.Letters[0].Ref); err != nil {
			return err
		}
		return s.DeleteLetter(ctx, page.Letters[0].Ref)
	}},
	{"AddDeadLetter", nothing, func(ctx context.Context, s *gcsstore.Store, _ driver.Claim) error {
		if err := s.AddDeadLetter(ctx, driver.DeadLetter{ID: "1", Reason: driver.ReasonNoKey}); err != nil {
			return err
		}
		letters, err := s.DeadLetters(ctx)
		if err == nil && len(letters) != 1 {
			err = fmt.Errorf("%d letters are kept", len(letters))
		}
		return err
	}},
}

// TestEachRequestFailsOnce has request 0 of each operation fail, then request 1,
// and so on until none fails: once so that the work is done and the answer lost,
// and once so that it is refused with 503. The client repeats the request, is
// told perhaps that another was first, and the operation has to find out that
// this was itself.
func TestEachRequestFailsOnce(t *testing.T) {
	faults := map[string]gcs.Fault{
		"answer lost": {Drop: true},
		"503":         {Status: http.StatusServiceUnavailable},
		"429":         {Status: http.StatusTooManyRequests},
	}
	for faultName, fault := range faults {
		for _, sc := range scenarios {
			t.Run(faultName+"/"+sc.name, func(t *testing.T) {
				t.Parallel()
				for n, failed := 0, true; failed; n++ {
					failed = failRequest(t, sc, n, fault)
				}
			})
		}
	}
}

// failRequest has the n-th request of an operation fail, and says whether there
// was one.
func failRequest(t *testing.T, sc scenario, n int, fault gcs.Fault) bool {
	t.Helper()
	server := gcs.New(t, bucket)
	store := open(t, server)
	claim := sc.prepare(t, store)
	server.Reset()
	server.OnRequest(func(r gcs.Request) gcs.Fault {
		if r.N == n {
			return fault
		}
		return gcs.Fault{}
	})
	if err := sc.run(t.Context(), store, claim); err != nil {
		t.Errorf("request %d failed, and so did the operation: %v; %v", n, err, server.Requests())
	}
	return len(server.Requests()) > n
}

// TestCallerRetries has every answer of an operation lost until it gives up. Then
// the caller, with the same owner, calls again, at another instance.
func TestCallerRetries(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			server := gcs.New(t, bucket)
			store := open(t, server)
			claim := sc.prepare(t, store)
			server.OnRequest(func(gcs.Request) gcs.Fault { return gcs.Fault{Drop: true} })
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := sc.run(ctx, store, claim); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("with every answer lost: %v", err)
			}
			server.Reset()
			if err := sc.run(t.Context(), open(t, server), claim); err != nil {
				t.Errorf("called again elsewhere: %v", err)
			}
			if err := sc.run(t.Context(), store, claim); err != nil {
				t.Errorf("called again: %v", err)
			}
		})
	}
}

// TestTimeouts has the server answer nothing: each operation ends by its own
// timeout, or with the caller's context if that ends first.
func TestTimeouts(t *testing.T) {
	long, short := time.Hour, 20*time.Millisecond
	perOperation := make(map[gcsstore.Operation]time.Duration)
	for _, op := range []gcsstore.Operation{gcsstore.OpPersist, gcsstore.OpReplace, gcsstore.OpLookUp, gcsstore.OpLookUpByKey,
		gcsstore.OpDecide, gcsstore.OpListDecided, gcsstore.OpSeal, gcsstore.OpCorrect, gcsstore.OpReadCorrected, gcsstore.OpInspect,
		gcsstore.OpPurgeEvents, gcsstore.OpPurgeClaims,
		gcsstore.OpAcquire, gcsstore.OpRenew, gcsstore.OpRelease, gcsstore.OpComplete, gcsstore.OpReopen, gcsstore.OpAddDeadLetter,
		gcsstore.OpListLetters, gcsstore.OpReadLetter, gcsstore.OpDeleteLetter} {
		perOperation[op] = short
	}
	for name, timeout := range map[string]gcsstore.Timeout{
		"default":       {Default: &short},
		"per operation": {Default: &long, Operation: perOperation},
	} {
		for _, sc := range scenarios {
			t.Run(name+"/"+sc.name, func(t *testing.T) {
				t.Parallel()
				server := gcs.New(t, bucket)
				claim := sc.prepare(t, open(t, server))
				store := open(t, server, gcsstore.Config(bucket).WithTimeout(timeout))
				server.OnRequest(func(gcs.Request) gcs.Fault { return gcs.Fault{Hold: make(chan struct{})} })
				if err := sc.run(t.Context(), store, claim); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("no answer: %v", err)
				}
				cancelled, cancel := context.WithCancel(t.Context())
				server.OnRequest(func(gcs.Request) gcs.Fault { cancel(); return gcs.Fault{Hold: make(chan struct{})} })
				patient := open(t, server)
				if err := sc.run(cancelled, patient, claim); !errors.Is(err, context.Canceled) {
					t.Errorf("cancelled: %v", err)
				}
			})
		}
	}
}
