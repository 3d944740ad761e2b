package drivertest

import (
	"errors"
	"slices"

	"example.com/eventdriver/driver"
)

// checkAct holds an act against what must be true of it. The caller holds the mutex.
func (r *run) checkAct(key string, a act) {
	e, by := r.explorer, a.by
	switch {
	case by.instance == nil:
		r.violated("the act for %q was given a context that is not the handler's", key)
		return
	case by.returned:
		r.violated("the business acted for %q after its pipeline had returned", key)
	}
	for _, before := range r.acts[key] {
		r.checkRepeat(key, before, a)
	}
	e.acted[by.event.Key] = true
	depends := key + "\n" + r.dependsOn(by.event.Key)
	first, known := e.reference[depends]
	if !known {
		e.reference[depends] = reference{a.content, r.plan}
		return
	}
	if first.content != a.content {
		r.violated("the business acted for %q on %s, and on %s where the schedule was %q: "+
			"what it acts on depends on the order, or on memory",
			key, a.content, first.content, first.plan)
	}
}

// checkRepeat: a second act follows a crash, with a greater token. The caller holds the mutex.
func (r *run) checkRepeat(key string, before, now act) {
	lost := before.by.instance.dead() && !before.by.returned && !r.completed[before.claim]
	switch {
	case !lost:
		r.violated("the business acted for %q twice, and no crash came between the first act and its completion%s",
			key, hintTwice(now))
	case r.repeated:
		r.violated("the business acted for %q again, after every event had been acknowledged", key)
	case now.claim.token <= before.claim.token:
		r.violated("the business acted for %q again after a crash, with token %d after %d: "+
			"the receiver can't tell which is newer",
			key, now.claim.token, before.claim.token)
	}
}

func hintTwice(a act) string {
	if a.claim == (claimID{}) {
		return "; no key was claimed: is there a cache before the business?"
	}
	return ""
}

// checkActed: when every event is acknowledged, the business has acted for each of their keys.
func (r *run) checkActed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.explorer.events {
		if r.explorer.MayWait || r.hasActedFor(m.Key) || r.letters[m.Key] {
			continue
		}
		r.violated("every event of %q was acknowledged, and the business has not acted: the order is lost%s",
			m.Key, r.hintLost(m.Key))
		return
	}
}

func (r *run) hintLost(key string) string {
	switch completed := len(r.completed) > 0; {
	case completed && r.failedAct[key]:
		return "; the key was completed though the act failed: does a handler swallow its error?"
	case completed:
		return "; the key was completed without an act: does the cache come before the joiner, " +
			"or does a handler leave out its next?"
	}
	return "; no key was claimed: does the condition hold for these events, and does every event reach the joiner?"
}

// hasActedFor says whether an event of the key has led to an act. The caller holds the mutex.
func (r *run) hasActedFor(key string) bool {
	for _, acts := range r.acts {
		if slices.ContainsFunc(acts, func(a act) bool { return a.by.event.Key == key }) {
			return true
		}
	}
	return false
}

// checkLetter: an event is dead-lettered for a reason that holds. The caller holds the mutex.
func (r *run) checkLetter(a *attempt, err error) {
	reason := driver.ReasonOf(err)
	holds := slices.Contains(r.explorer.DeadLetters, reason)
	switch reason {
	case driver.ReasonOutcomeUnknown:
		holds = holds || r.troubled
		r.letters[a.event.Key] = true
	case driver.ReasonDuplicate:
		holds = holds || r.hasActedFor(a.event.Key) && errors.Is(err, driver.ErrDone)
	case driver.ReasonConflict:
		holds = holds || r.explorer.conflicts[origin{a.event.Key, a.event.Source}]
	}
	if !holds {
		r.violated("%s was dead-lettered: %v", name(a.event), err)
	}
	if holds && slices.Contains(r.explorer.DeadLetters, reason) {
		r.letters[a.event.Key] = true
	}
}
