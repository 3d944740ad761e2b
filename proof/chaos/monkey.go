package chaos

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/proof/ledger"
)

// monkey does harm to a fleet and its store until it is told to rest.
type monkey struct {
	options   Options
	ctx       context.Context // ends the harm, and every pause
	rest      context.CancelFunc
	fleet     *fleet
	ledger    *ledger.Ledger
	chronicle *chronicle
	loops     sync.WaitGroup

	mu       sync.Mutex
	random   *rand.Rand // for the faults of requests and runs
	toHolder harm       // for the next instance that holds a key; nil: none
	toActed  harm       // for the next whose effect was applied
}

// harm is something to do to an instance that is at a certain place in a run.
type harm func(*instance, ledger.Run)

// start lets the harm begin. round makes the choices differ from round to round.
func (m *monkey) start(ctx context.Context, round int) {
	m.ctx, m.rest = context.WithCancel(ctx)
	stream := uint64(round) * 10
	source := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(m.options.Seed, stream+n)) }
	m.random = source(0)
	m.every(m.options.KillEvery, source(1), m.kill)
	m.every(m.options.PauseEvery, source(2), m.pause)
	m.every(m.options.CutEvery, source(3), func(random *rand.Rand, _ place) { m.cut(random) })
	m.every(m.options.SlowEvery, source(4), func(random *rand.Rand, _ place) { m.slow(random) })
}

// end ends the harm, and returns when nothing is cut or slow any more. Pauses end a
// moment later.
func (m *monkey) end() {
	m.rest()
	m.loops.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.toHolder, m.toActed = nil, nil
}

// place is where in a run the harm meets an instance.
type place int

const (
	anytime     place = iota // anywhere
	asHolder                 // when it holds a key and has not acted
	havingActed              // when it has acted and does not know it yet
)

// every repeats something, with pauses of half of d to one and a half. The first time it
// is done to a holder, so that every round has that; then the place is random.
func (m *monkey) every(d Duration, random *rand.Rand, do func(*rand.Rand, place)) {
	if d == 0 {
		return
	}
	m.loops.Go(func() {
		for where := asHolder; m.sleep(time.Duration(float64(d) * (0.5 + random.Float64()))); where = place(random.IntN(3)) {
			do(random, where)
		}
	})
}

// sleep waits for d; false: the monkey is to rest.
func (m *monkey) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-m.ctx.Done():
		return false
	}
}

// kill kills an instance: any, the next that holds a key, or the next that has acted.
func (m *monkey) kill(random *rand.Rand, where place) {
	anyone := func() { m.fleet.kill(m.fleet.any(random), killAnytime) }
	switch where {
	case anytime:
		anyone()
	case asHolder:
		m.await(&m.toHolder, anyone, func(in *instance, _ ledger.Run) { m.fleet.kill(in, killHolder) })
	case havingActed:
		m.await(&m.toActed, anyone, func(in *instance, _ ledger.Run) { m.fleet.kill(in, killActed) })
	}
}

// pause stops an instance: any, for up to two and a half leases; one that has acted, until
// its lease has run out; or one that holds a key, until another has acted in its place,
// so that it comes back as a zombie.
func (m *monkey) pause(random *rand.Rand, where place) {
	lease := time.Duration(m.options.Lease)
	length := time.Duration(random.Float64() * 2.5 * float64(lease))
	anyone := func() { m.fleet.pause(m.fleet.any(random), stopAnytime, m.until(length, nil)) }
	switch where {
	case anytime:
		anyone()
	case asHolder:
		most := deadline(lease) + 3*lease
		if m.options.Instances == 1 {
			most = length // nobody else could take over
		}
		m.await(&m.toHolder, anyone, func(in *instance, run ledger.Run) {
			m.fleet.pause(in, stopHolder, m.until(most, func() bool { return m.ledger.Acted(run.Order, run.Token+1) }))
		})
	case havingActed:
		m.await(&m.toActed, anyone, func(in *instance, _ ledger.Run) {
			m.fleet.pause(in, stopActed, m.until(lease+length, nil))
		})
	}
}

// until returns a function that waits for d at most, or until enough returns true.
func (m *monkey) until(d time.Duration, enough func() bool) func(ended <-chan struct{}) {
	return func(ended <-chan struct{}) {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(d); time.Now().Before(end) && (enough == nil || !enough()); {
			select {
			case <-tick.C:
			case <-ended:
				return
			case <-m.ctx.Done():
				return
			}
		}
	}
}

// cut cuts an instance off from the store, for up to one and a half leases.
func (m *monkey) cut(random *rand.Rand) {
	store := m.fleet.slots[random.IntN(len(m.fleet.slots))].store
	from := time.Since(m.chronicle.start)
	store.Cut()
	m.sleep(time.Duration(random.Float64() * 1.5 * float64(m.options.Lease)))
	store.Restore()
	m.chronicle.span(cut, from, time.Since(m.chronicle.start))
}

// slow makes an instance's store slow for a while.
func (m *monkey) slow(random *rand.Rand) {
	store := m.fleet.slots[random.IntN(len(m.fleet.slots))].store
	from := time.Since(m.chronicle.start)
	store.Slow(10*time.Millisecond + time.Duration(random.Int64N(int64(500*time.Millisecond))))
	m.sleep(time.Second + time.Duration(random.Int64N(int64(2*time.Second))))
	store.Slow(0)
	m.chronicle.span(slow, from, time.Since(m.chronicle.start))
}

// await stores a harm for the next instance at its place. If another harm waits there
// already, something else is done now; otherwise harm would pile up, and no run would get
// through.
func (m *monkey) await(where *harm, otherwise func(), h harm) {
	m.mu.Lock()
	waiting := *where != nil
	if !waiting {
		*where = h
	}
	m.mu.Unlock()
	if waiting {
		otherwise()
	}
}

// take returns the harm that waits for this place, or nil.
func (m *monkey) take(where *harm) (h harm) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h, *where = *where, nil
	return h
}

// chance is true with that probability.
func (m *monkey) chance(p float64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.random.Float64() < p
}

// onBegin is called by the ledger: the run's instance holds a key and has not acted.
func (m *monkey) onBegin(run ledger.Run) ledger.Answer {
	if h := m.take(&m.toHolder); h != nil {
		if in := m.fleet.named(run.Instance); in != nil {
			h(in, run)
		}
		return ledger.GoOn
	}
	if m.chance(m.options.Long) {
		m.chronicle.tick(long)
		m.sleep(time.Duration(m.options.Lease) * 3 / 2)
	}
	if m.chance(m.options.Fail) {
		m.chronicle.tick(failed)
		if m.chance(1.0 / 3) {
			return ledger.Panic
		}
		return ledger.Fail
	}
	return ledger.GoOn
}

// onApplied is called by the ledger: the run has acted, and does not know it yet.
func (m *monkey) onApplied(run ledger.Run) {
	m.chronicle.applied()
	if h := m.take(&m.toActed); h != nil {
		if in := m.fleet.named(run.Instance); in != nil {
			h(in, run)
		}
	}
}

// onRequest is called by the store for each request.
func (m *monkey) onRequest(gcs.Request) gcs.Fault {
	switch {
	case m.ctx.Err() != nil:
	case m.chance(m.options.Lose):
		m.chronicle.tick(lost)
		return gcs.Fault{Drop: true}
	case m.chance(m.options.Lose):
		m.chronicle.tick(refused)
		return gcs.Fault{Status: http.StatusServiceUnavailable}
	}
	return gcs.Fault{}
}
