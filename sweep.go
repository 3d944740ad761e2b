package eventdriver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/admission"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/joiner"
)

// sweepPath is where Cloud Scheduler calls the function, by POST.
const sweepPath = "/sweep"

const (
	// sweepAtOnce is how many keys a sweep has under way.
	sweepAtOnce = 8
	// sweepPage is how many keys are listed at once.
	sweepPage = 1000
	// sweepFor is how long a sweep starts to process keys, or half of the request's time if
	// that is less.
	sweepFor = 4 * time.Minute
	// sweepQuiet is how long nothing has happened to a join that is complete when a sweep takes it
	// for one that nobody acts upon. Until then an event may be under way that does. What an operator
	// has released or reopened is due at once.
	sweepQuiet = 5 * time.Minute
	// sweepMemory is what a run holds before it has read its events.
	sweepMemory = 64 << 10
)

// SweepReport says what a sweep has found and done.
type SweepReport struct {
	Seen      int `json:"seen"`      // keys
	Expired   int `json:"expired"`   // joins that were not complete at their deadline
	Processed int `json:"processed"` // joins that were complete, and nobody acted upon
	Failed    int `json:"failed"`    // of both; the log says why, and the next sweep tries again
	LeftAlone int `json:"leftAlone"` // because they failed for good, or are in quarantine
	// Finished says that no key is left. Otherwise the time was up. The next sweep of this
	// instance, or one that is given Next, goes on from there, or begins again where there is no
	// Next. It finds a key that had no turn when it comes around.
	Finished bool   `json:"finished"`
	Next     string `json:"next,omitempty"`
}

// sweeper goes through the keys of the store and has the pipeline process those that are due.
type sweeper struct {
	keys     driver.Inspector // nil: the stores can't list keys
	join     joiner.Join
	deadline time.Duration // 0: none
	quiet    time.Duration
	pipeline convert.Processor
	gate     *admission.Gate
	logger   *slog.Logger
	waiting  waitingJoins

	one  sync.Mutex // a sweep is under way
	next string     // where it goes on
}

func newSweeper(
	c Config, s stores, pipeline convert.Processor, gate *admission.Gate, logger *slog.Logger, waiting waitingJoins,
) *sweeper {
	sw := &sweeper{
		join:     joiner.Join{Condition: joiner.MatchAll(c.Sources...)},
		deadline: c.JoinDeadline,
		quiet:    sweepQuiet,
		pipeline: pipeline,
		gate:     gate,
		logger:   logger,
		waiting:  waiting,
	}
	if !c.forgetsClaims() {
		sw.keys = s.inspector()
	}
	return sw
}

var (
	errCannotSweep = errors.New("this function can't sweep: the keys in EVENT_STORE and CLAIM_STORE can't be listed, or claims are in memory and events are not")
	errSweeping    = errors.New("a sweep is under way at this instance")
)

// Sweep goes through the keys and processes those that are due: joins whose deadline has passed,
// and those that are complete and that nobody acts upon. It begins at cursor, which is the Next
// of a report, or where the last sweep of this Function has ended. Several sweeps at once, of
// several functions, do no harm.
func (f *Function) Sweep(ctx context.Context, cursor string) (SweepReport, error) {
	f.active.Add(1)
	defer f.active.Add(-1)
	if f.draining.Load() {
		return SweepReport{}, errDraining
	}
	parts, err := f.open(ctx)
	if err != nil {
		return SweepReport{}, err
	}
	return parts.sweeper.sweep(ctx, cursor)
}

func (s *sweeper) sweep(ctx context.Context, cursor string) (r SweepReport, err error) {
	if s.keys == nil {
		return r, errCannotSweep
	}
	if !s.one.TryLock() {
		return r, errSweeping
	}
	defer s.one.Unlock()
	listing, cancel := context.WithTimeout(ctx, timeToSweep(ctx))
	defer cancel()
	if r.Next = cmp.Or(cursor, s.next); r.Next == "" {
		s.waiting.Begin()
	}
	for !r.Finished && listing.Err() == nil && err == nil {
		err = s.sweepPage(ctx, listing, &r)
	}
	if driver.IsPermanent(err) {
		r.Next = "" // the cursor was refused
	}
	if r.Finished {
		s.waiting.End()
	}
	if s.next = r.Next; listing.Err() != nil && ctx.Err() == nil {
		err = nil // the time was up
	}
	return r, err
}

// timeToSweep leaves half of the request's time to those that are under way then.
func timeToSweep(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return min(time.Until(end)/2, sweepFor)
	}
	return sweepFor
}

// sweepPage lists some keys and processes those that are due, in any order: so keys that take up
// all of the time don't stand before the same others in each sweep. The report goes on to the next
// page all the same.
func (s *sweeper) sweepPage(ctx, listing context.Context, r *SweepReport) error {
	page, err := s.keys.ListKeys(listing, driver.KeyQuery{Cursor: r.Next, Limit: sweepPage, Open: true})
	now := time.Now()
	r.Seen += page.Seen
	var group errgroup.Group
	group.SetLimit(sweepAtOnce)
	var mu sync.Mutex // of the report, and this
	cut := false
	rand.Shuffle(len(page.Keys), func(i, j int) { page.Keys[i], page.Keys[j] = page.Keys[j], page.Keys[i] })
	for _, k := range page.Keys {
		standing := s.join.StandingOf(k, now)
		if standing.State == joiner.Failed || standing.State == joiner.Quarantined {
			mu.Lock()
			r.LeftAlone++
			mu.Unlock()
			continue
		}
		if standing.State == joiner.Waiting && len(k.Events) > 0 {
			s.waiting.Add(standing.Missing, now.Sub(k.FirstKept()))
		}
		count := s.due(k, standing, now, r)
		if count == nil {
			continue
		}
		group.Go(func() error { // it may have waited for long
			late := listing.Err() != nil
			mu.Lock()
			cut = cut || late
			mu.Unlock()
			if late {
				return nil
			}
			err, waits := s.process(ctx, k)
			mu.Lock()
			defer mu.Unlock()
			s.note(ctx, k.Key, err, waits, count, r)
			return nil
		})
	}
	_ = group.Wait()
	r.Next, r.Finished = page.Next, page.Next == "" && err == nil && !cut
	return err
}

// due returns the number in the report that a key counts for once it is processed; nil: it is not
// due.
func (s *sweeper) due(k driver.KeyState, standing joiner.Standing, now time.Time, r *SweepReport) *int {
	switch {
	case len(k.Events) == 0:
		return nil
	case standing.State == joiner.Waiting && s.deadline > 0 && now.Sub(k.FirstKept()) >= s.deadline:
		return &r.Expired
	case standing.State != joiner.Complete && standing.State != joiner.Expired:
		return nil
	case now.Sub(lastChange(k)) < s.quiet && !k.Claim(s.join.Scope).ByOperator():
		return nil
	case len(standing.Missing) > 0: // a sweep has sealed it and not come to its end
		return &r.Expired
	}
	return &r.Processed
}

// lastChange is when something happened to a key last.
func lastChange(k driver.KeyState) (last time.Time) {
	for _, e := range k.Events {
		last = later(last, e.Kept)
	}
	for _, c := range k.Claims {
		last = later(last, later(c.Changed, later(c.Expires, c.NotBefore)))
	}
	return last
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// process has the pipeline process a key. It says whether the join waits nonetheless.
func (s *sweeper) process(ctx context.Context, k driver.KeyState) (err error, waits bool) {
	grant, err := s.gate.Admit(ctx, sweepMemory)
	if err != nil {
		return err, false
	}
	defer grant.Release()
	ctx, run := driver.WithRun(driver.WithMemory(ctx, grant))
	err = s.pipeline.Process(driver.WithSweep(ctx, k.FirstKept()), driver.Message{Key: k.Key})
	return err, run.Waiting()
}

// note counts what became of a key.
func (s *sweeper) note(ctx context.Context, key string, err error, waits bool, count *int, r *SweepReport) {
	switch {
	case errors.Is(err, driver.ErrHeld): // somebody acts upon it now
	case errors.Is(err, driver.ErrMarked):
		r.LeftAlone++
	case err != nil:
		r.Failed++
		driver.Logger(s.logger).ErrorContext(ctx, "a key that was swept failed", "key", key, "error", err)
	case !waits:
		*count++
	}
}

// isSweep says whether a request is a call of Cloud Scheduler, or one like it, without a body. An event that comes to
// this path, of a trigger that names it by mistake, counts as one of the path /. Taken for a sweep, it would be lost.
func isSweep(r *http.Request) bool {
	if r.Method != http.MethodPost || r.URL.EscapedPath() != sweepPath {
		return false
	}
	isEvent := !decode.IsPush(r.Header) || r.Header.Get("X-Goog-Pubsub-Message-Id") != ""
	return !isEvent && (r.ContentLength == 0 || r.Header.Get("X-CloudScheduler") != "")
}

// serveSweep answers Cloud Scheduler.
func (s *sweeper) serveSweep(w http.ResponseWriter, r *http.Request) {
	report, err := s.sweep(r.Context(), r.URL.Query().Get("cursor"))
	log := driver.Logger(s.logger)
	switch {
	case errors.Is(err, errSweeping):
		turnAway(w, http.StatusTooManyRequests, err.Error())
		return
	case errors.Is(err, errCannotSweep):
		turnAway(w, http.StatusNotImplemented, err.Error())
		return
	case driver.IsPermanent(err) && r.URL.Query().Has("cursor"):
		turnAway(w, http.StatusBadRequest, err.Error())
		return
	case err != nil:
		log.ErrorContext(r.Context(), "the sweep failed", "error", err, "report", report)
		turnAway(w, http.StatusInternalServerError, fmt.Sprintf("the sweep failed: %v", err))
		return
	}
	log.InfoContext(r.Context(), "sweep", "report", report)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(report) // the client may be gone
}
