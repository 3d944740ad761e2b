package eventdriver

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/operate/change"
)

// call serves an event, or a letter that is sent again, without a network.
func call(t *testing.T, f *Function, r *http.Request) (status int, header http.Header) {
	t.Helper()
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w.Code, w.Header()
}

// again is a letter that is sent again.
func again(d driver.DeadLetter) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(d.Body))
	r.Header = http.Header(d.Header).Clone()
	return r
}

// TestMaxAttempts: an order whose business keeps failing is dead-lettered with all its events, runs no
// more, and is processed once when its letter is sent again after a fix.
func TestMaxAttempts(t *testing.T) {
	for name, config := range map[string]Config{"memory": DefaultConfig(), "gcs": onGCS(t)} {
		t.Run(name, func(t *testing.T) {
			config = overdue(config)
			config.JoinDeadline, config.MaxAttempts = 0, 3
			business, broken := count(), true
			business.before = func(string, int) error {
				if broken {
					return errors.New("the customer is not found")
				}
				return nil
			}
			f, server := serve(t, config, business)
			post(t, server.URL, "event1", "k", `1`)
			for i, want := range []int{500, 500, 200, 200, 200} {
				if status, answer := post(t, server.URL, "event2", "k", `2`); status != want || want == 200 && !strings.Contains(answer, "too-many-attempts") {
					t.Errorf("delivery %d: %d %s, want %d", i+1, status, answer, want)
				}
			}
			if status, answer := post(t, server.URL, "event1", "k", `1`); status != 200 || business.tries["k"] != 3 {
				t.Errorf("a duplicate of the other event: %d %s, %d runs", status, answer, business.tries["k"])
			}
			all := letters(t, f)
			d := all[0]
			if d.Reason != driver.ReasonTooManyAttempts || d.Handler != "business" || !strings.Contains(d.Error, "attempt 3 of 3") ||
				!strings.Contains(string(d.Body), `"event1"`) || !strings.Contains(string(d.Body), `"event2"`) {
				t.Errorf("letter %+v, body %s", d, d.Body)
			}
			if status, _ := call(t, f, again(d)); status != 500 || business.tries["k"] != 4 {
				t.Errorf("sent again before the fix: %d, %d runs", status, business.tries["k"])
			}
			broken = false
			for range 2 {
				if status, _ := call(t, f, again(d)); status != 204 {
					t.Errorf("sent again after the fix: %d", status)
				}
			}
			business.once(t, "k")
		})
	}
}

// TestSweepGivesUpWhatKeepsFailing: where no event comes again, the letter is written before the mark.
func TestSweepGivesUpWhatKeepsFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config, business := overdue(DefaultConfig()), count()
		config.MaxAttempts = 2
		business.before = func(string, int) error { return errors.New("down") }
		f, err := New(config, business)
		if err != nil {
			t.Fatal(err)
		}
		parts := sweepable(t, f)
		leave(t, parts, "k", "event1", "event2")
		leave(t, parts, "vanished", "event1", "event2")
		for range 2 { // as many runs crash
			if _, err := parts.stores.claims.Acquire(t.Context(), driver.NewClaim("vanished"), time.Minute); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		for i, want := range []SweepReport{{Seen: 2, Failed: 2, Finished: true}, {Seen: 2, Failed: 1, LeftAlone: 1, Finished: true},
			{Seen: 2, LeftAlone: 2, Finished: true}} {
			if got, err := f.Sweep(t.Context(), ""); err != nil || got != want {
				t.Errorf("sweep %d: %+v, %v, want %+v", i+1, got, err, want)
			}
		}
		of := make(map[string]driver.Reason)
		for _, d := range letters(t, f) {
			of[d.Key] = d.Reason
		}
		if len(letters(t, f)) != 2 || of["k"] != driver.ReasonTooManyAttempts || of["vanished"] != driver.ReasonTooManyAttempts ||
			business.tries["k"] != 2 || business.tries["vanished"] != 0 {
			t.Errorf("letters %v, runs %v", of, business.tries)
		}
	})
}

// TestRetryAfter: a run that asks for a pause has the key's events answered 503, with the rest of the
// pause, and sweeps leave the key alone until it has passed. An operator ends the pause.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		business := count()
		business.before = func(key string, try int) error {
			if try == 1 {
				return driver.RetryAfter(errors.New("too many requests"), 20*time.Minute)
			}
			return nil
		}
		config := overdue(DefaultConfig())
		f, err := New(config, business)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := f.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		deliver := func(key, source string, status int, after string) {
			t.Helper()
			got, header := call(t, f, event(t, "/", source, key, `1`))
			if got != status || header.Get("Retry-After") != after {
				t.Errorf("%s of %s: %d, Retry-After %q; want %d, %q", source, key, got, header.Get("Retry-After"), status, after)
			}
		}
		for _, key := range []string{"delivered", "swept", "released"} {
			deliver(key, "event1", 202, "")
			deliver(key, "event2", 500, "1200")
		}
		time.Sleep(90*time.Second + 1)
		deliver("delivered", "event2", 503, "1110")
		deliver("delivered", "event1", 503, "1110")
		operator := change.Keys{Claims: parts.stores.claims, Store: parts.sweeper.keys, By: "me"}
		if err := operator.Release(t.Context(), "released", false); err != nil {
			t.Fatal(err)
		}
		deliver("released", "event2", 204, "")
		time.Sleep(18 * time.Minute)
		if r, err := f.Sweep(t.Context(), ""); err != nil || r != (SweepReport{Seen: 3, Finished: true}) {
			t.Errorf("a sweep in the pause: %+v, %v", r, err)
		}
		time.Sleep(time.Minute)
		deliver("delivered", "event1", 204, "")
		for _, want := range []int{0, 1} {
			if r, err := f.Sweep(t.Context(), ""); err != nil || r.Processed != want || r.Failed != 0 {
				t.Errorf("a sweep after the pause: %+v, %v; want %d processed", r, err, want)
			}
			time.Sleep(max(sweepQuiet, cache.DefaultClockSkew))
		}
		business.once(t, "delivered", "swept", "released")
	})
}
