package sim

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing/synctest"
	"time"
)

// option is one of the things that the scheduler can do next: let a request go,
// pause, or, as long as nothing waits, see what comes.
type option struct {
	request *request
	state   requestState // the request's
	outcome Outcome
	gone    *attempt // whose client goes away
	pause   time.Duration
	expire  string // the kind of objects that the lifecycle rule deletes, of the key
	key     string
	cost    cost
}

// schedule lets operations go until all deliveries are done and nothing waits.
func (w *world) schedule(done <-chan struct{}) {
	limit := time.Duration(maxLeases*(1+len(w.run.Schedule))) * w.scenario.Lease
	start, last := time.Now(), -1
	for step := 0; step < maxSteps && time.Since(start) < limit; step++ {
		synctest.Wait()
		w.gate.forgetNews()
		o := w.choose(w.options(last))
		w.note(o)
		w.gate.verify.disturb(o)
		switch {
		case o.request != nil:
			last = o.request.by.delivery
			if o.outcome == Slow {
				last = -1
			}
			w.gate.letGo(o.request, o.state, o.outcome)
		case o.expire != "":
			w.cloud.expire(o.expire, o.key)
			w.probe()
		case o.gone != nil:
			w.gate.hangUp(o.gone)
		case o.pause > 0:
			time.Sleep(o.pause)
			synctest.Wait()
			w.probe()
		default:
			select {
			case <-w.gate.news:
			case <-done:
				return
			case <-time.After(limit):
			}
		}
	}
}

func (w *world) note(o option) {
	switch {
	case !w.noted:
	case o.request != nil:
		w.run.Steps = append(w.run.Steps, o.request.describe(o.state)+outcomeNames[o.outcome])
	case o.expire != "":
		w.run.Steps = append(w.run.Steps, "the lifecycle rule deletes the "+o.expire+" of "+o.key)
	case o.gone != nil:
		w.run.Steps = append(w.run.Steps, fmt.Sprintf("event %d, try %d: its client goes away", o.gone.delivery+1, o.gone.number))
	case o.pause > 0:
		w.run.Steps = append(w.run.Steps, o.pause.String()+" pass")
	}
}

func (w *world) probe() {
	w.gate.verify.probe(contract.probeClaims, w.contract)
	w.gate.verify.probe(contract.probeEvents, w.contract)
}

// options returns what can be done next; the first is what happens by default: the
// delivery that had the last step goes on, or the first that waits.
func (w *world) options(last int) []option {
	pending := w.gate.pending()
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	first := max(0, slices.IndexFunc(pending, func(r *request) bool { return r.state == waiting && r.by.delivery == last }))
	if len(pending) > 0 {
		pending[0], pending[first] = pending[first], pending[0]
	}
	idle := len(pending) == 0 || pending[0].state == adrift
	options := make([]option, 0, 8*len(pending)+2)
	if idle {
		options = append(options, option{})
	}
	for _, r := range pending {
		var other cost
		if len(options) > 0 {
			other.deviations = 1
		}
		if r.state != waiting {
			options = append(options, option{request: r, state: r.state, cost: other})
			continue
		}
		for _, o := range outcomes[r.kind] {
			options = append(options, option{request: r, state: r.state, outcome: o, cost: other.plus(o.cost())})
		}
	}
	if w.cloud != nil {
		options = append(options, w.cloud.expirable()...)
	}
	if idle {
		return options
	}
	if by := pending[0].by; w.scenario.HangUps && !by.hungUp && !by.crashed && pending[0].state == waiting {
		options = append(options, option{gone: by, cost: cost{faults: 1}})
	}
	for _, p := range w.pauses() {
		options = append(options, option{pause: p, cost: cost{deviations: 1}})
	}
	return options
}

// pauses returns the possible pauses: until just before the next lease runs out, and
// until just after the last one has; where no lease runs, the length of one.
func (w *world) pauses() []time.Duration {
	next, last := time.Duration(0), time.Duration(0)
	for _, name := range slices.Sorted(maps.Keys(w.gate.verify.keys)) {
		if k := w.gate.verify.keys[name]; k.live() {
			left := time.Until(k.claim.Expires)
			last = max(last, left)
			if next == 0 || left < next {
				next = left
			}
		}
	}
	if next > tick {
		return []time.Duration{next - tick, last + tick}
	}
	if last == 0 {
		last = w.scenario.Lease
	}
	return []time.Duration{last + tick}
}

// add adds an option to the sum by which two runs are compared.
func (w *world) add(o option) {
	if o.outcome != Succeed {
		return
	}
	numbers := [...]int64{int64(o.state), int64(o.pause), int64(time.Since(w.start)), 0, 0}
	text := o.expire
	if o.request != nil {
		numbers[3], numbers[4], text = int64(o.request.by.delivery), int64(o.request.by.number), o.request.op
	}
	for _, n := range numbers {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(n))
		_, _ = w.sum.Write(b[:])
	}
	_, _ = io.WriteString(w.sum, text)
}

// choose makes the next choice of the schedule.
func (w *world) choose(options []option) option {
	if w.late || len(options) < 2 {
		return append(options, option{})[0]
	}
	d := decision{costs: make([]cost, len(options))}
	for i, o := range options {
		d.costs[i] = o.cost
		w.add(o)
	}
	d.sum = w.sum.Sum64()
	if choice := w.run.Schedule.at(len(w.run.taken)); choice < len(options) {
		d.choice = choice
	}
	w.run.taken = append(w.run.taken, d)
	return options[d.choice]
}
