package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
)

// verifier checks that a run keeps the promises. Except for violated, its methods are
// called within steps, one at a time.
type verifier struct {
	scenario Scenario
	keys     map[string]*keyState
	letters  map[string][]driver.Reason // of each key
	probing  bool
	faults   int
	rough    bool // an instance may have crashed or hung

	mu     sync.Mutex
	broken []string
}

// effect is one time that the business acted.
type effect struct {
	token  int64
	by     *attempt
	letter string // unless it is empty, the join was dead-lettered as incomplete instead
}

func (v *verifier) violated(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if text := fmt.Sprintf(format, args...); !slices.Contains(v.broken, text) {
		v.broken = append(v.broken, text)
	}
}

func (v *verifier) key(name string) *keyState {
	k := v.keys[name]
	if k == nil {
		k = &keyState{corrected: make(map[string]*correction), events: make(map[string]driver.Message), versions: make(map[string][]driver.Message), decided: make(map[string][]string), sealed: make(map[string]bool), tried: make(map[int64]bool), ends: make(map[int64]time.Time), granted: make(map[int64]int)}
		v.keys[name] = k
	}
	return k
}

// stored notes that an attempt has kept its event. If the join is complete now, the
// attempt must go on: its second look comes later, and sees all that was kept before.
func (v *verifier) stored(a *attempt, k *keyState) {
	if _, ok := k.events[a.event.Source]; ok {
		a.kept = true
		a.joined = v.joined(k)
	}
	v.filled(k)
}

// filled notes when all places of a join are filled.
func (v *verifier) filled(k *keyState) {
	if k.complete == nil && v.scenario.Joined != nil && v.scenario.Joined(k.places()) {
		k.complete = make(map[string]int)
		for source, versions := range k.versions {
			k.complete[source] = len(versions) - 1
		}
	}
}

// joined says whether somebody must go on: the join is decided, or is complete by a
// condition that stays true.
func (v *verifier) joined(k *keyState) bool {
	return len(k.decided) > 0 || v.scenario.Joined != nil && !v.scenario.Fickle && v.scenario.Joined(k.places())
}

// disturb notes what the scheduler does. One or two failures of the store must have no
// effect that others notice; more of them, or worse faults, may.
func (v *verifier) disturb(o option) {
	switch {
	case o.outcome == Fail || o.outcome == LoseAnswer || o.outcome >= TimeOut:
		v.faults++
		v.rough = v.rough || v.faults > 2
	case o.pause > 0 || o.outcome != Succeed || o.state == adrift:
		v.rough = true
	}
}

// claimed checks that a lease runs out only where an instance crashes or hangs. A request
// may fail, or its answer be lost, and nobody has to wait for the lease.
func (v *verifier) claimed(a *attempt, c driver.Claim, err error) {
	a.asked, a.sawDone = true, errors.Is(err, driver.ErrDone)
	if err == nil && c.Takeover && !v.rough && v.scenario.Deadline == 0 && !v.scenario.FailsAfterActing {
		v.violated("token %d took over, and no instance crashed or hung", c.Token)
	}
	if err == nil {
		a.claims = append(a.claims, c)
	}
}

// released checks that a key is quarantined only after a run whose outcome is unknown.
func (v *verifier) released(a *attempt, c driver.Claim, mark driver.Mark) {
	if a.event.Operator != "" {
		return
	}
	known := !a.troubled && !a.hungUp && v.scenario.Deadline == 0 && !v.scenario.FailsAfterActing && !c.Takeover && c.Mark != driver.MarkQuarantined
	if a.event.Sweep && c.Mark != driver.MarkNone && mark != c.Mark {
		v.violated("a sweep released a key that was marked as %s, and marked it as %q", c.Mark, mark)
	}
	if mark == driver.MarkQuarantined && (known || !v.scenario.Quarantine) {
		v.violated("token %d was released as quarantined, and how its run ended is known", c.Token)
	}
}

// askedSystem notes that the holder of a token asked the receiving system whether the
// business acted, and returns the answer. From then on that system refuses older tokens.
func (v *verifier) askedSystem(ctx context.Context, in driver.Message) bool {
	a, k := attemptFrom(ctx), v.key(v.scenario.claimKey(in))
	claim, _ := driver.ClaimFrom(ctx)
	k.fence = max(k.fence, claim.Token)
	a.finished = len(k.effects) > 0
	return a.finished
}

// completed checks that only a holder whose business is done completes a key.
func (v *verifier) completed(a *attempt, k *keyState, c driver.Claim) {
	if a.event.Operator != "" {
		return
	}
	if len(k.effects) == 0 {
		v.violated("the key was completed, and nothing was done: the order is lost")
	}
	if !a.finished {
		v.violated("token %d completed the key before its business was done", c.Token)
	}
}

// acted checks an act of the business. It has all its events with their contents. It is
// under a claim that holds, and the key is not completed. It is a second act only if the
// holder before crashed, or let its lease run out, after it acted, and then it has a
// greater token. A late effect is that of a crashed holder, which the receiving system
// refuses once it has seen a newer token.
func (v *verifier) acted(ctx context.Context, in driver.Message) {
	a := attemptFrom(ctx)
	claim, _ := driver.ClaimFrom(ctx)
	k, late := v.key(v.scenario.claimKey(in)), a.crashed || a.late
	n := len(k.effects)
	if a.event.Sweep && claim.Mark != driver.MarkNone {
		v.violated("a sweep acted on a key that is marked as %s", claim.Mark)
	}
	if late && (n > 0 && k.effects[n-1].token > claim.Token || k.fence > claim.Token) {
		k.refused++
		return
	}
	v.content(in)
	if k.state == done && !k.doneBehind(claim) {
		v.violated("acted on a key that is completed")
	}
	if !late && !v.holds(k, claim) {
		v.violated("acted with token %d, and not within its lease and margin: token %d, until %v", claim.Token, k.claim.Token, k.claim.Expires)
	}
	if n > 0 {
		last := k.effects[n-1]
		ends, known := k.ends[last.token]
		switch {
		case last.letter != "":
			v.violated("acted after the join was dead-lettered as incomplete: the order is doubled")
		case v.scenario.Quarantine:
			v.violated("acted twice, and takeovers are to be quarantined: the order is doubled")
		case !last.by.crashed && !(known && !time.Now().Before(ends)):
			v.violated("acted twice, and the first holder neither crashed nor lost its lease: the order is doubled")
		case claim.Token <= last.token:
			v.violated("acted again with token %d, after %d", claim.Token, last.token)
		}
	}
	k.effects = append(k.effects, effect{token: claim.Token, by: a})
}

// called checks that the handlers behind the cache are called only under a claim that
// holds.
func (v *verifier) called(ctx context.Context, in driver.Message) {
	a, k := attemptFrom(ctx), v.key(v.scenario.claimKey(in))
	if claim, ok := driver.ClaimFrom(ctx); ok && !a.crashed && !v.holds(k, claim) {
		v.violated("called with token %d, and not within its lease and margin: token %d, until %v", claim.Token, k.claim.Token, k.claim.Expires)
	}
}

// ended checks that a client that goes away does not end the run of the business.
func (v *verifier) ended(ctx context.Context, a *attempt) {
	if a.hungUp && !a.crashed && context.Cause(ctx) == context.Canceled {
		v.violated("event %d, try %d: its run ended with its client", a.delivery+1, a.number)
	}
}

// holds says whether a claim's lease runs, and goes on to run for the margin, less the
// difference of the clocks.
func (v *verifier) holds(k *keyState, c driver.Claim) bool {
	ahead := v.scenario.Ahead
	margin := min(v.scenario.Skew, (k.length+ahead)/4) - ahead
	return (k.state == held || k.doneBehind(c)) && k.mine(c) && !time.Now().After(k.claim.Expires.Add(-margin))
}

// doneBehind says whether an older holder's completion arrived so late that the newer
// holder had already looked for it.
func (k *keyState) doneBehind(c driver.Claim) bool {
	return k.state == done && k.doneBy.Token < c.Token && k.granted[c.Token] > 0 && k.granted[c.Token] < k.doneAt
}

// content checks that the business gets the events of one key, each as it was kept.
func (v *verifier) content(in driver.Message) {
	if v.scenario.Joined == nil {
		return
	}
	var content map[string]json.RawMessage
	if err := json.Unmarshal(in.Content, &content); err != nil {
		v.violated("the joined content is no JSON: %v", err)
	}
	k := v.key(in.Key)
	earliest, latest, ok := v.versions(k, content)
	if !ok {
		return
	}
	joined := slices.Sorted(maps.Keys(content))
	decided := k.decided[joiner.ComposedSource]
	v.lacks(k, joined, in.Missing)
	switch {
	case !v.scenario.Decided && !v.scenario.Joined(append(slices.Clone(joined), in.Missing...)):
		v.violated("acted with %s, and these are not all: acted without some", in.Content)
	case v.scenario.Decided && (!v.scenario.Joined(joined) || !slices.Equal(joined, decided)):
		v.violated("acted with %s, and %q is decided", in.Content, decided)
	}
	if in.Source != joiner.ComposedSource || in.ID != joiner.ComposedSource+"/"+in.Key || in.Time.Before(earliest) || in.Time.After(latest) {
		v.violated("the joined message is %+v, and its latest event of %v", in, latest)
	}
}

// versions checks contents, by source: each is what was kept when the join was complete, or later. It
// returns between which times the latest of them is, since a content may have been kept several times.
func (v *verifier) versions(k *keyState, contents map[string]json.RawMessage) (earliest, latest time.Time, ok bool) {
	for source, text := range contents {
		first, last := -1, -1
		for i, m := range k.versions[source] {
			if string(m.Content) == string(text) {
				if last = i; first < 0 {
					first = i
				}
			}
		}
		switch {
		case first < 0:
			v.violated("acted on %s of %s, and it never was that", text, source)
			return earliest, latest, false
		case last < k.complete[source]:
			v.violated("acted on %s of %s, which had been replaced before the join was complete", text, source)
		}
		v.stale(k, source, last)
		earliest = later(earliest, k.versions[source][first].Time)
		latest = later(latest, k.versions[source][last].Time)
	}
	return earliest, latest, true
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// gaveUp checks that a holder that acted goes on trying to complete the key while its
// lease runs, even if its client is gone.
func (v *verifier) gaveUp(a *attempt) {
	for _, c := range a.claims {
		if k := v.key(c.Key); !a.crashed && k.live() && k.mine(c) {
			v.violated("event %d, try %d gave up completing token %d while its lease runs", a.delivery+1, a.number, c.Token)
		}
	}
}

// returned checks that an instance that had no fault leaves no key held.
func (v *verifier) returned(a *attempt) {
	for _, c := range a.claims {
		k := v.key(c.Key)
		if k.live() && k.mine(c) && !(a.event.Sweep && v.scenario.Quarantine) {
			v.violated("event %d, try %d returned, and left token %d to run out", a.delivery+1, a.number, c.Token)
		}
	}
}

// acknowledged checks an event that was acknowledged. It is kept, and somebody will see
// its join complete, or its key is completed; or it was dead-lettered for a true reason.
func (v *verifier) acknowledged(a *attempt, err error) {
	if a.event.Operator != "" {
		return
	}
	k := v.key(v.scenario.claimKey(driver.Message{Key: a.event.Key}))
	if err != nil {
		v.deadLettered(a, k, driver.ReasonOf(err))
		return
	}
	if v.scenario.Joined != nil && !a.event.Sweep {
		kept, ok := v.key(a.event.Key).events[a.event.Source]
		switch {
		case !a.kept || !ok && k.deletions == 0:
			v.violated("event %d was acknowledged, and it is not kept: the order is lost", a.delivery+1)
		case v.key(a.event.Key).corrected[a.event.Source] != nil: // no event overrides it
		case v.scenario.Policy == joiner.KeepLast && !v.scenario.Decided && kept.Time.Before(a.event.at()):
			v.violated("event %d was acknowledged, and an older one is kept", a.delivery+1)
		case v.scenario.Policy == joiner.KeepLast && !v.scenario.Decided && kept.Time.Equal(a.event.at()) &&
			!slices.ContainsFunc(v.key(a.event.Key).versions[a.event.Source], func(m driver.Message) bool { return string(m.Content) == a.event.Content }):
			v.violated("event %d was acknowledged, and was never kept", a.delivery+1)
		case v.scenario.Policy == joiner.Reject && string(kept.Content) != a.event.Content:
			v.violated("event %d was acknowledged, and its content is not what is kept", a.delivery+1)
		case a.joined && !a.asked && !v.shared(k) && k.deletions == 0: // events are deleted of completed keys alone
			v.violated("event %d was acknowledged, though it completed the join", a.delivery+1)
		}
	}
	if a.asked && slices.Contains(v.scenario.Letters, driver.ReasonDuplicate) && !a.finished {
		v.violated("event %d was acknowledged, and is a duplicate to dead-letter", a.delivery+1)
	}
	reopened := a.sawDone && k.opened != 0 // while the answer was under way: the next delivery runs the key
	if (a.asked || v.scenario.Joined == nil) && k.state != done && !k.forgotten && !reopened {
		v.violated("event %d was acknowledged, and its key is not completed", a.delivery+1)
	}
}

// shared says whether a delivery may have been told by another of its instance, which asked for the
// claim, that the key is completed.
func (v *verifier) shared(k *keyState) bool {
	return v.scenario.OneInstance && k.state == done
}

func (v *verifier) deadLettered(a *attempt, k *keyState, reason driver.Reason) {
	if a.event.Sweep && !slices.Contains(v.letters[a.event.Key], reason) {
		v.violated("a sweep failed for good, as %s, and nothing was dead-lettered", reason)
	}
	v.letters[a.event.Key] = append(v.letters[a.event.Key], reason)
	kept := v.key(a.event.Key).events[a.event.Source]
	holds := false
	switch reason {
	case driver.ReasonUnknownSource:
		holds = kept.Source == ""
	case driver.ReasonConflict:
		holds = v.scenario.Policy == joiner.Reject && kept.Source != "" && string(kept.Content) != a.event.Content &&
			!v.key(a.event.Key).corrected[a.event.Source].was([]byte(a.event.Content))
	case driver.ReasonTooLate:
		holds = v.key(a.event.Key).sealed[a.event.Source] && kept.Source == ""
	case driver.ReasonDuplicate:
		holds = k.state == done
	case driver.ReasonOutcomeUnknown:
		holds = slices.ContainsFunc(a.claims, func(c driver.Claim) bool { return c.Takeover || c.Mark == driver.MarkQuarantined })
	case driver.ReasonTooManyAttempts:
		holds = len(k.tried) >= v.scenario.MaxAttempts && k.state != done
	case driver.ReasonPermanent:
		holds = len(a.claims) > 0
	}
	if !holds || !slices.Contains(v.scenario.Letters, reason) {
		v.violated("event %d was dead-lettered as %s, which is not true", a.delivery+1, reason)
	}
}

// end checks that every order whose events are there is done, or was dead-lettered.
func (v *verifier) end() {
	for _, name := range v.scenario.keys() {
		joined := v.scenario.Joined == nil || v.joined(v.key(name)) && !v.scenario.givesUp()
		k := v.key(v.scenario.claimKey(driver.Message{Key: name}))
		switch {
		case k.state == free && k.said.Mark == driver.MarkFailed && slices.Contains(v.letters[name], driver.ReasonPermanent):
		case !joined || k.forgotten || k.wished || slices.Contains(v.letters[name], driver.ReasonOutcomeUnknown) || v.givenUp(name):
		case v.scenario.Fickle && len(k.given) == 0: // a decision arrived late, and nobody has seen it
		case len(k.effects) == 0:
			v.violated("every event of %s was acknowledged, and nothing was done: the order is lost", name)
		case k.state != done:
			v.violated("every event of %s was acknowledged, and the key is not completed", name)
		}
	}
}

// doubled says whether the business acted twice for a key, or its letter was written twice.
func (v *verifier) doubled() bool {
	for _, k := range v.keys {
		if len(k.effects) > 1 || k.repeated {
			return true
		}
	}
	return false
}
