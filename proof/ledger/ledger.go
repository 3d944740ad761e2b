package ledger

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Fates tells what happened to instances.
type Fates interface {
	// Killed says whether the instance was killed.
	Killed(instance string) bool
	// Paused says whether the instance was stopped at some time since then.
	Paused(instance string, since time.Time) bool
}

// Config configures a ledger. All functions must be set, and are called
// from many goroutines at once, without a lock.
type Config struct {
	// Lease is the length of the leases that the instances ask for.
	Lease time.Duration
	// Fates tells what happened to instances.
	Fates Fates
	// OnBegin is called for each run that may go on, and returns the answer to it: GoOn,
	// Fail or Panic. OnApplied is called when an effect has been applied, before the run
	// is answered, and OnStale when a run has been refused.
	OnBegin   func(Run) Answer
	OnApplied func(Run)
	OnStale   func(Run)
}

// Counts are what has happened so far.
type Counts struct {
	Runs       int `json:"runs"`        // of the business
	Applied    int `json:"applied"`     // effects, one for each order
	Repeats    int `json:"repeats"`     // recognised: the one window
	AfterKill  int `json:"after_kill"`  // of the repeats: the holder before was killed
	AfterPause int `json:"after_pause"` // of the repeats: it was paused
	AfterLease int `json:"after_lease"` // of the repeats: it lost its lease for another reason
	Stale      int `json:"stale"`       // runs refused, since a newer token was seen: zombies
	Doubled    int `json:"doubled"`     // runs with a claim that another run has, or of a completed order
	Unexcused  int `json:"unexcused"`   // runs beside a holder whose lease had not run out, or after its effect
	Wrong      int `json:"wrong"`       // runs of an unknown order, or with other content than was sent
}

// Ledger applies effects and judges runs. Make one with [New]; its methods are safe
// for concurrent use.
type Ledger struct {
	config Config

	mu         sync.Mutex
	orders     map[string]*order
	counts     Counts
	violations []string
}

// order is what the ledger knows of an order.
type order struct {
	content map[string]string // what was sent, by event
	newest  int64             // token
	runs    map[int64]*record // by token
	applied int64             // the token of the run whose effect counts; 0: none
}

// record is a run and its outcome.
type record struct {
	Run
	began time.Time // when its claim was asked for
	ended bool      // it was told to fail, so its claim is released
}

// New returns an empty ledger.
func New(config Config) *Ledger { return &Ledger{config: config, orders: make(map[string]*order)} }

// Expect opens an order, with the content of its events as they are sent.
func (l *Ledger) Expect(key string, content map[string]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orders[key] = &order{content: content, runs: make(map[int64]*record)}
}

// begin answers a run that is about to act.
func (l *Ledger) begin(r Run) Answer {
	if !l.enter(r) {
		return Stale
	}
	answer := l.config.OnBegin(r)
	if answer != GoOn {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.orders[r.Order].runs[r.Token].ended = true
	}
	return answer
}

// enter notes a run and judges it; false: a newer token has been seen.
func (l *Ledger) enter(r Run) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Runs++
	o := l.orders[r.Order]
	if o == nil {
		o = &order{runs: make(map[int64]*record)}
		l.orders[r.Order] = o
		l.violated(&l.counts.Wrong, r, "nobody has sent such an order")
	}
	if wrong := o.differs(r.Content); wrong != "" {
		l.violated(&l.counts.Wrong, r, "%s", wrong)
	}
	twin := o.runs[r.Token]
	if twin != nil {
		l.violated(&l.counts.Doubled, r, "%s has a run with the same token", twin.Instance)
	}
	if r.Token < o.newest {
		l.counts.Stale++
		return false
	}
	me := &record{Run: r, began: r.Expires.Add(-l.config.Lease)}
	if before := o.runs[o.newest]; before != nil && before != twin && !before.ended && me.began.Add(clockError).Before(before.Expires) {
		l.violated(&l.counts.Unexcused, r, "it was claimed %v before the lease of token %d, at %s, could run out",
			before.Expires.Sub(me.began), before.Token, before.Instance)
	}
	o.runs[r.Token], o.newest = me, r.Token
	return true
}

// clockError is how far the clocks of two processes of one machine may differ.
const clockError = 50 * time.Millisecond

// act applies the effect of a run, unless it has been applied or a newer token has been
// seen.
func (l *Ledger) act(r Run) Answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.orders[r.Order]
	if o == nil || o.runs[r.Token] == nil {
		l.violated(&l.counts.Wrong, r, "it acts and has not begun")
		return Stale
	}
	switch {
	case r.Token < o.newest:
		l.counts.Stale++
		return Stale
	case o.applied == 0:
		o.applied = r.Token
		l.counts.Applied++
		return Applied
	case o.applied == r.Token: // a twin, which was judged when it began
		return Again
	}
	l.repeated(o, r)
	return Again
}

// repeated judges a run of an order whose effect another run has applied: the one window.
// Its only excuse is that the other run's lease ran out, since its holder could not
// complete. Then this run took over, or one between them did. A token between them that
// the ledger has not seen counts as a takeover: its holder could get the key in no other
// way.
func (l *Ledger) repeated(o *order, r Run) {
	l.counts.Repeats++
	first := o.runs[o.applied]
	tookOver := false
	for token := o.applied + 1; token <= r.Token; token++ {
		run := o.runs[token]
		tookOver = tookOver || run == nil || run.Takeover
	}
	switch {
	case !tookOver:
		l.violated(&l.counts.Unexcused, r, "token %d, at %s, has acted, and its lease did not run out", first.Token, first.Instance)
	case l.config.Fates.Killed(first.Instance):
		l.counts.AfterKill++
	case l.config.Fates.Paused(first.Instance, first.began):
		l.counts.AfterPause++
	default:
		l.counts.AfterLease++
	}
}

// Completed judges the runs of an order that was completed at that time by the
// store's clock. Who asked for a claim a second later, or more, could see the completion.
func (l *Ledger) Completed(key string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, run := range l.orders[key].runs {
		if run.began.After(at.Add(time.Second)) {
			l.violated(&l.counts.Doubled, run.Run, "it was claimed %v after the order was completed", run.began.Sub(at))
		}
	}
}

// Acted says whether a run with at least this token has applied the order's effect,
// or found it applied.
func (l *Ledger) Acted(key string, token int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.orders[key]
	return o != nil && o.applied != 0 && o.newest >= token
}

// Counts returns what has happened so far.
func (l *Ledger) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

// Violations says why runs had no right to run; the first hundred.
func (l *Ledger) Violations() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.violations)
}

// Missing returns the orders whose effect was not applied.
func (l *Ledger) Missing() (keys []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(l.orders)) {
		if o := l.orders[key]; o.applied == 0 && o.content != nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// violated is called with the lock.
func (l *Ledger) violated(count *int, r Run, format string, args ...any) {
	*count++
	if len(l.violations) < 100 {
		l.violations = append(l.violations, fmt.Sprintf("%s, token %d, at %s: ", r.Order, r.Token, r.Instance)+fmt.Sprintf(format, args...))
	}
}

// differs says where the content differs from that of the events that were sent.
func (o *order) differs(content json.RawMessage) string {
	var got map[string]json.RawMessage
	if err := json.Unmarshal(content, &got); err != nil {
		return fmt.Sprintf("its content is no JSON: %v", err)
	}
	for event, want := range o.content {
		if string(got[event]) != want {
			return fmt.Sprintf("%s has the content %s, and %s was sent", event, got[event], want)
		}
	}
	return ""
}

// Plus returns the sums of both.
func (c Counts) Plus(o Counts) Counts {
	return Counts{
		Runs: c.Runs + o.Runs, Applied: c.Applied + o.Applied, Repeats: c.Repeats + o.Repeats,
		AfterKill: c.AfterKill + o.AfterKill, AfterPause: c.AfterPause + o.AfterPause, AfterLease: c.AfterLease + o.AfterLease,
		Stale: c.Stale + o.Stale, Doubled: c.Doubled + o.Doubled, Unexcused: c.Unexcused + o.Unexcused, Wrong: c.Wrong + o.Wrong,
	}
}
