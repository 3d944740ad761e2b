package doctor

import (
	"fmt"
	"time"

	"example.com/eventdriver"
)

// ages says for how long the state of keys is kept. A key's state can be spread over objects
// that rules of a bucket treat differently, by the hash of the key.
type ages struct {
	events        func(hash int, source string) time.Duration
	claims, dones func(hash int) time.Duration
	letters       time.Duration
	byRules       bool // the events and the claims are in one bucket, whose rules delete them
}

// ages returns them, and whether they are known.
func (f facts) ages() (a ages, known bool) {
	var r rules
	if b := f.Buckets[f.Config.Bucket]; f.gcs() {
		if b == nil || b.Info == nil {
			return a, false
		}
		r = rulesOf(b.Info, f.Now)
	}
	o, rows := objects{f.Config.Folder}, f.Config.Retention
	a.events = func(int, string) time.Duration { return rows }
	a.claims = func(int) time.Duration { return rows }
	a.dones, a.letters = a.claims, never
	if f.Config.EventStore == eventdriver.StoreGCS {
		a.events = func(hash int, source string) time.Duration { return r.age(o.event(hash, source)) }
		a.letters = r.age(o.letter())
	}
	if f.Config.ClaimStore == eventdriver.StoreGCS {
		a.claims = func(hash int) time.Duration { return r.age(o.claim(hash)) }
		a.dones = func(hash int) time.Duration { return r.age(o.done(hash)) }
	}
	a.byRules = f.Config.EventStore == eventdriver.StoreGCS && f.Config.ClaimStore == eventdriver.StoreGCS
	return a, f.gcs() || f.bigQuery()
}

// hashes is how many folders the keys are spread over.
const hashes = 256

// state compares for how long events, claims, completions and letters are kept.
func state(f facts) []Finding {
	a, known := f.ages()
	if !known {
		return nil
	}
	n := on(f.keeps())
	events, claims, dones := f.shortest(a)
	again := fmt.Sprintf("and events come again for %s", days(f.redelivered))
	if events < f.redelivered {
		n.add(Error, "an event is deleted after "+days(events)+", "+again,
			"an order whose business fails for that long loses its first events, and waits without end", f.keepLonger())
	}
	if d := f.Config.JoinDeadline; d > 0 && events <= d {
		n.add(Error, "an event is deleted after "+days(events)+", and JOIN_DEADLINE is "+days(d),
			"what has arrived of an overdue order is gone before it is dead-lettered or processed",
			f.update("JOIN_DEADLINE=24h")+"; or "+f.keepLonger())
	}
	if dones < f.redelivered {
		n.add(Error, "a completion is deleted after "+days(dones)+", "+again,
			"a late delivery of a processed order processes it again", f.keepLonger())
	}
	if claims <= f.lease {
		n.add(Error, fmt.Sprintf("a claim is deleted after %s, and a lease lasts %v", days(claims), f.lease),
			"a key that is held looks free, and its order runs twice at once", f.keepLonger())
	}
	if events == never || dones == never {
		n.add(Cost, "no lifecycle rule deletes what is left of old orders", "storage costs more with each order",
			f.keepLonger())
	}
	f.order(n, a)
	if a.letters < lettersKept {
		severity := Error
		if f.Config.DeadLetterTopic != "" { // only those that do not fit into a message are in the store
			severity = Warning
		}
		n.add(severity, "a dead letter is deleted after "+days(a.letters),
			"a dead letter is all that is left of an event: it must stay until a person has read it", f.keepLonger())
	}
	return n.all
}

// lettersKept is the age from which a rule that deletes letters is taken for a decision.
const lettersKept = 90 * day

// shortest returns the least ages of all keys.
func (f facts) shortest(a ages) (events, claims, dones time.Duration) {
	events, claims, dones = never, never, never
	for hash := range hashes {
		claims, dones = min(claims, a.claims(hash)), min(dones, a.dones(hash))
		for _, source := range f.Config.Sources {
			events = min(events, a.events(hash, source))
		}
	}
	return events, claims, dones
}

// order looks whether a key's events are deleted before its claim and its completion. It
// notes the first that are not.
func (f facts) order(n *notes, a ages) {
	for hash := range hashes {
		for _, source := range f.Config.Sources {
			events, first, what, why := a.events(hash, source), a.dones(hash), "completion", processedAgain
			if claim := a.claims(hash); claim < first {
				first, what, why = claim, "claim", heldUnknown
			}
			before := fmt.Sprintf("a %s is deleted after %s, and events of %s after %s", what, days(first), source,
				days(events))
			switch {
			case first < events:
				n.add(Error, before, why, f.keepLonger())
				return
			case first == events && a.byRules && first != never:
				n.add(Warning, before+"; within a day the rules work in any order", why, f.keepLonger())
				return
			}
		}
	}
}

const (
	processedAgain = "what is left of a processed order looks like one that waits or is complete: it may be processed " +
		"again"
	heldUnknown = "what is left of a key does not say that it is in quarantine, or who holds it: its order may run " +
		"again"
)

// keeps names where the state is.
func (f facts) keeps() string {
	if !f.gcs() {
		return f.Config.Project + "." + f.Config.Dataset
	}
	return "gs://" + f.Config.Bucket + "/" + f.Config.Folder
}

func (f facts) keepLonger() string {
	remedy := "gcloud storage buckets update gs://" + f.Config.Bucket +
		" --lifecycle-file=…, as deploy/lifecycle.json: " +
		"events go after 7 days, claims after 8, the rest after 9, dead letters never"
	if !f.gcs() {
		return f.update("BIGQUERY_RETENTION=168h")
	}
	if f.bigQuery() {
		return remedy + "; or change BIGQUERY_RETENTION"
	}
	return remedy
}
