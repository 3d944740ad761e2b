package eventdriver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/operate/change"
	"example.com/eventdriver/stores/memstore"
)

// overdue is a configuration in which each join is overdue when a sweep comes.
func overdue(c Config) Config {
	c.Sources, c.EraseSources, c.JoinDeadline = []string{"event1", "event2"}, nil, 1
	return c
}

// sweepOf calls /sweep, and returns its report.
func sweepOf(t *testing.T, url string) (r SweepReport) {
	t.Helper()
	response, err := http.Post(url+"/sweep", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&r); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v", response.StatusCode, err)
	}
	return r
}

// sweepable opens the function's stores, and takes a join that is complete for one that nobody acts upon.
func sweepable(t *testing.T, f *Function) *parts {
	t.Helper()
	parts, err := f.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	parts.sweeper.quiet = 0
	return parts
}

// leave keeps events of which nobody has heard.
func leave(t *testing.T, parts *parts, key string, sources ...string) {
	t.Helper()
	for _, source := range sources {
		m := driver.Message{ID: source + "-" + key, Key: key, Source: source, Content: []byte(`1`), MediaType: "application/json"}
		if err := parts.stores.events.Persist(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSweep(t *testing.T) {
	for name, config := range map[string]Config{"memory": DefaultConfig(), "gcs": onGCS(t)} {
		t.Run(name, func(t *testing.T) { sweepTwice(t, config, 4, 4) })
	}
}

// sweepTwice has sweeps, which see that many keys, end a join that waits and process one that nobody acts upon.
func sweepTwice(t *testing.T, config Config, firstSeen, thenSeen int) {
	business := count()
	f, server := serve(t, overdue(config), rejecting(business, `"bad"`))
	parts := sweepable(t, f)
	post(t, server.URL, "event1", "waiting", `1`)
	leave(t, parts, "forgotten", "event1", "event2")
	post(t, server.URL, "event1", "done", `1`)
	post(t, server.URL, "event2", "done", `2`)
	post(t, server.URL, "event1", "failed", `"bad"`)
	post(t, server.URL, "event2", "failed", `2`)

	for i, want := range []SweepReport{{Seen: firstSeen, Expired: 1, Processed: 1, LeftAlone: 1, Finished: true},
		{Seen: thenSeen, LeftAlone: 1, Finished: true}} {
		if got := sweepOf(t, server.URL); got != want {
			t.Errorf("sweep %d: %+v, want %+v", i+1, got, want)
		}
	}
	business.once(t, "forgotten", "done")
	if status, answer := post(t, server.URL, "event2", "waiting", `2`); status != http.StatusOK || !strings.Contains(answer, "too-late") {
		t.Errorf("an event that comes later: %d %s", status, answer)
	}
	if status, answer := post(t, server.URL, "event1", "waiting", `1`); !taken(status) {
		t.Errorf("a duplicate: %d %s", status, answer)
	}
	reasons := make(map[driver.Reason]int)
	for _, d := range letters(t, f) {
		reasons[d.Reason]++
	}
	if fmt.Sprint(reasons) != "map[incomplete:1 permanent-error:1 too-late:1]" {
		t.Errorf("dead letters: %v", reasons)
	}
}

func TestSweepHasTheBusinessProcessWhatIsThere(t *testing.T) {
	config := overdue(DefaultConfig())
	config.ProcessIncomplete = true
	var got []driver.Message
	f, server := serve(t, config, driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
		got = append(got, in)
		return nil
	}))
	post(t, server.URL, "event2", "k", `2`)
	if r := sweepOf(t, server.URL); r.Expired != 1 {
		t.Errorf("%+v", r)
	}
	if len(got) != 1 || string(got[0].Content) != `{"event2":2}` || fmt.Sprint(got[0].Missing) != "[event1]" || len(letters(t, f)) != 0 {
		t.Errorf("the business got %+v", got)
	}
}

// TestSweepTriesAgain has the business fail for now, and then for good.
func TestSweepTriesAgain(t *testing.T) {
	business := count()
	business.before = func(_ string, try int) error {
		if try == 1 {
			return errors.New("down")
		}
		return driver.Permanent(errors.New("no such customer"))
	}
	f, server := serve(t, overdue(DefaultConfig()), business)
	leave(t, sweepable(t, f), "k", "event1", "event2")
	for i, want := range []SweepReport{{Seen: 1, Failed: 1, Finished: true}, {Seen: 1, Failed: 1, Finished: true}, {Seen: 1, LeftAlone: 1, Finished: true}} {
		if got := sweepOf(t, server.URL); got != want {
			t.Errorf("sweep %d: %+v, want %+v", i+1, got, want)
		}
		if n := len(letters(t, f)); n != min(i, 1) {
			t.Errorf("sweep %d: %d letters", i+1, n)
		}
	}
	if business.tries["k"] != 2 {
		t.Errorf("the business was called %d times", business.tries["k"])
	}
}

// TestSweepLeavesWhatMayBeUnderWay: an event that completed a join just now is about to act.
func TestSweepLeavesWhatMayBeUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		business := count()
		f, err := New(overdue(DefaultConfig()), business)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := f.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		leave(t, parts, "k", "event1", "event2")
		crashed, err := parts.stores.claims.Acquire(t.Context(), driver.NewClaim("crashed"), cache.DefaultLease)
		if err != nil || crashed.Token == 0 {
			t.Fatal(err)
		}
		leave(t, parts, "crashed", "event1", "event2")
		for _, step := range []struct {
			after     time.Duration
			processed int
		}{{0, 0}, {sweepQuiet, 1}, {cache.DefaultLease - sweepQuiet, 0}, {sweepQuiet, 1}} {
			time.Sleep(step.after)
			if r, err := f.Sweep(t.Context(), ""); err != nil || r.Processed != step.processed || r.Failed != 0 {
				t.Errorf("after %v more: %+v, %v; want %d processed", step.after, r, err, step.processed)
			}
		}
		business.once(t, "k", "crashed")
	})
}

// TestSweepRunsWhatAnOperatorOpened: at once, and not again at once if that run fails.
func TestSweepRunsWhatAnOperatorOpened(t *testing.T) {
	for name, config := range map[string]Config{"memory": DefaultConfig(), "gcs": onGCS(t)} {
		t.Run(name, func(t *testing.T) {
			business := count()
			business.before = func(key string, try int) error {
				if try == 2 {
					return errors.New("down")
				}
				return nil
			}
			f, server := serve(t, overdue(config), business)
			parts, err := f.open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"done", "failed", "crashed"} {
				leave(t, parts, key, "event1", "event2")
			}
			post(t, server.URL, "event1", "done", `1`)
			operator := change.Keys{Claims: parts.stores.claims, Store: parts.sweeper.keys, By: "me"}
			failed, err := parts.stores.claims.Acquire(t.Context(), driver.NewClaim("failed"), time.Hour)
			crashed, errCrashed := parts.stores.claims.Acquire(t.Context(), driver.NewClaim("crashed"), time.Hour)
			if err := errors.Join(err, parts.stores.claims.Release(t.Context(), failed, driver.Released{Mark: driver.MarkFailed}),
				operator.Rerun(t.Context(), "done", false), operator.Release(t.Context(), "failed", false),
				errCrashed, parts.stores.claims.Release(t.Context(), crashed, driver.Released{})); err != nil {
				t.Fatal(err)
			}
			for i, want := range []SweepReport{{Seen: 3, Processed: 1, Failed: 1, Finished: true}, {Seen: 3, Finished: true}} {
				if got := sweepOf(t, server.URL); got != want {
					t.Errorf("sweep %d: %+v, want %+v", i+1, got, want)
				}
			}
			if business.tries["done"] != 2 || business.tries["failed"] != 1 || business.tries["crashed"] != 0 {
				t.Errorf("runs: %v", business.tries)
			}
		})
	}
}

// TestSweepTellsOfQuarantine has an instance crash in a sweep, so that no event comes again.
func TestSweepTellsOfQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config, business := overdue(DefaultConfig()), count()
		config.QuarantineOnExpiry = true
		f, err := New(config, business)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := f.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		leave(t, parts, "k", "event1", "event2")
		if _, err := parts.stores.claims.Acquire(t.Context(), driver.NewClaim("k"), time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		for i, failed := range []int{1, 0, 0} {
			if r, err := f.Sweep(t.Context(), ""); err != nil || r.Failed != failed || r.LeftAlone != 1-failed || r.Processed != 0 {
				t.Errorf("sweep %d: %+v, %v", i+1, r, err)
			}
			if all := letters(t, f); len(all) != 1 || all[0].Reason != driver.ReasonOutcomeUnknown || all[0].Key != "k" {
				t.Errorf("sweep %d: letters %+v", i+1, all)
			}
		}
		business.once(t)
	})
}

// slowly takes most of a minute to list a key.
type slowly struct{ *memstore.Store }

func (s slowly) ListKeys(ctx context.Context, q driver.KeyQuery) (driver.KeyPage, error) {
	time.Sleep(50 * time.Second)
	q.Limit = 1
	return s.Store.ListKeys(ctx, q)
}

// TestSweepGoesOnWhereTheLastOneEnded: a sweep ends in time, and each key has its turn.
func TestSweepGoesOnWhereTheLastOneEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := overdue(DefaultConfig())
		f, err := New(config, count())
		if err != nil {
			t.Fatal(err)
		}
		parts, err := f.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		parts.sweeper.keys = slowly{parts.stores.events.(*memstore.Store)}
		for i := range 10 {
			leave(t, parts, fmt.Sprint("key", i), "event1")
		}
		time.Sleep(config.JoinDeadline)
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Minute)
		defer cancel()
		expired := 0
		for _, want := range []bool{false, false, true} {
			start := time.Now()
			r, err := f.Sweep(ctx, "")
			if err != nil || r.Finished != want || (r.Next == "") != want || time.Since(start) > sweepFor+time.Minute {
				t.Errorf("%+v after %v, %v", r, time.Since(start), err)
			}
			expired += r.Expired
			ctx = t.Context()
		}
		if expired != 10 || len(letters(t, f)) != 10 {
			t.Errorf("%d joins expired, %d letters; want 10", expired, len(letters(t, f)))
		}
	})
}

// TestSweepGetsBehindKeysThatHang has as many keys as a sweep has under way take all of its time.
func TestSweepGetsBehindKeysThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := driver.HandlerFunc(func(ctx context.Context, _ driver.Message, _ driver.Next) error {
			<-ctx.Done()
			return ctx.Err()
		})
		f, err := New(overdue(DefaultConfig()), hangs)
		if err != nil {
			t.Fatal(err)
		}
		parts := sweepable(t, f)
		for i := range sweepAtOnce {
			leave(t, parts, fmt.Sprint("hangs", i), "event1", "event2")
		}
		leave(t, parts, "waits", "event1")
		time.Sleep(time.Hour)
		for range 200 {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			r, err := f.Sweep(ctx, "")
			cancel()
			time.Sleep(time.Hour)
			if r.Expired == 1 && r.Finished && r.Failed == sweepAtOnce {
				return
			}
			if err != nil || r.Expired == 0 && r.Finished || r.Failed > sweepAtOnce || r.Next != "" {
				t.Fatalf("%+v, %v; want the key that had no turn left", r, err)
			}
		}
		t.Error("a key behind those that hang never has its turn")
	})
}

// TestSweepForgetsARefusedCursor: the next sweep begins anew.
func TestSweepForgetsARefusedCursor(t *testing.T) {
	for name, config := range map[string]Config{"memory": DefaultConfig(), "gcs": onGCS(t)} {
		f, server := serve(t, config, count())
		if got := statusOf(f, http.MethodPost, "/sweep?cursor=typo"); got != http.StatusBadRequest {
			t.Errorf("%s: status %d, want 400", name, got)
		}
		if r := sweepOf(t, server.URL); !r.Finished {
			t.Errorf("%s: the next sweep: %+v", name, r)
		}
	}
}

// TestDrainWaitsForSweeps that nobody has asked for by HTTP.
func TestDrainWaitsForSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, err := New(overdue(DefaultConfig()), count())
		if err != nil {
			t.Fatal(err)
		}
		parts := sweepable(t, f)
		parts.sweeper.keys = slowly{parts.stores.events.(*memstore.Store)}
		start := time.Now()
		go func() { _, _ = f.Sweep(t.Context(), "") }()
		synctest.Wait()
		if err := f.Drain(t.Context()); err != nil || time.Since(start) < 50*time.Second {
			t.Errorf("drained after %v, %v, and a sweep is under way", time.Since(start), err)
		}
	})
}

func TestSweepIsRefused(t *testing.T) {
	elsewhere := onGCS(t)
	elsewhere.ClaimStore = StoreMemory
	cannot, _ := serve(t, elsewhere, count())
	busy, _ := serve(t, DefaultConfig(), count())
	sweepable(t, busy).sweeper.one.Lock()
	any, _ := serve(t, DefaultConfig(), count())
	for name, c := range map[string]struct {
		f      *Function
		method string
		want   int
	}{
		"claims are elsewhere":  {cannot, http.MethodPost, http.StatusNotImplemented},
		"another is under way":  {busy, http.MethodPost, http.StatusTooManyRequests},
		"it is no POST":         {any, http.MethodGet, statusOf(any, http.MethodGet, "/")},
		"it is a sweep at last": {any, http.MethodPost, http.StatusOK},
	} {
		if got := statusOf(c.f, c.method, "/sweep"); got != c.want {
			t.Errorf("%s: status %d, want %d", name, got, c.want)
		}
	}
	if _, err := busy.Sweep(t.Context(), "no cursor"); !errors.Is(err, errSweeping) {
		t.Error(err)
	}
	if _, err := any.Sweep(t.Context(), "no cursor"); !driver.IsPermanent(err) {
		t.Errorf("a cursor that no sweep had: %v", err)
	}
}

func statusOf(f *Function, method, path string) int {
	w := httptest.NewRecorder()
	f.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Code
}
