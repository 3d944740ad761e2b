package joiner

import (
	"slices"
	"time"

	"example.com/eventdriver/driver"
)

// State is how a key stands with a join.
type State string

// The states. A key has the first of these that fits.
const (
	Done        State = "done"        // it is completed; driver.Completion says how
	Held        State = "held"        // somebody processes it
	Expired     State = "expired"     // somebody did, and let the lease run out; nobody has taken it over yet
	Quarantined State = "quarantined" // it was released, and nobody knows whether the handler acted
	Failed      State = "failed"      // it was released, and the handler said that it can never succeed
	Paused      State = "paused"      // it was released, and the handler asked for a pause, which has not passed
	Complete    State = "complete"    // the join is, and nobody acts upon it: it waits for a redelivery, if there is one
	Waiting     State = "waiting"     // for events
)

// Join is a join as those see it who look at keys, and have no [Joiner].
type Join struct {
	Condition Condition
	// Name is the joiner's, as given by [Name]; empty: [ComposedSource].
	Name string
	// Scope is that of the cache behind the joiner.
	Scope string
}

// Message returns the message that a joiner goes on with when these events of a key, ordered by
// source, make the join.
func (j Join) Message(key string, events []driver.Message) driver.Message {
	return planOf(events).compose(j.name(), key)
}

// Standing says how a key stands with a join.
type Standing struct {
	State State
	// Missing are the sources of which the condition speaks and no event is kept, ordered.
	Missing []string
	// Sealed are those of Missing that are awaited no more, since the deadline has passed.
	Sealed []string
	// WaitsFor says in words which events the join waits for, as in "event3" or
	// "one of event1, event2"; empty where it is complete.
	WaitsFor string
}

// StandingOf says how a key stands with the join at a time.
func (j Join) StandingOf(k driver.KeyState, now time.Time) Standing {
	s := Standing{Missing: j.missing(k), WaitsFor: j.waitsFor(k)}
	if j.canBeSealed() {
		s.Sealed = slices.DeleteFunc(slices.Clone(s.Missing), func(m string) bool { return !slices.Contains(k.Sealed, m) })
	}
	switch c := k.Claim(j.Scope); {
	case c.Done != nil:
		s.State = Done
	case c.Held && now.Before(c.Expires):
		s.State = Held
	case c.Held:
		s.State = Expired
	case c.Mark == driver.MarkQuarantined:
		s.State = Quarantined
	case c.Mark == driver.MarkFailed:
		s.State = Failed
	case now.Before(c.NotBefore):
		s.State = Paused
	case s.WaitsFor == "":
		s.State = Complete
	default:
		s.State = Waiting
	}
	return s
}

// waitsFor is empty where the join is complete: its condition holds, with or without the events
// that are awaited no more, or it is decided.
func (j Join) waitsFor(k driver.KeyState) string {
	sources := slices.DeleteFunc(k.Sources(), func(s string) bool { return !j.Names(s) })
	if j.canBeSealed() && len(sources) > 0 {
		sources = append(sources, k.Sealed...)
	}
	if !j.canBeSealed() && k.DecidedOn(j.name()) != nil || j.Condition.Evaluate(slices.Clone(sources)) {
		return ""
	}
	return lacking(j.Condition, sources)
}

// canBeSealed says whether the needed sources are known. Such a join is never decided.
func (j Join) canBeSealed() bool {
	e, ours := j.Condition.(*Expression)
	return ours && e.needed != nil
}

// Names says whether the condition speaks of a source. One that this package did not make, or
// has a part that it did not make, speaks of any.
func (j Join) Names(source string) bool {
	e, ours := j.Condition.(*Expression)
	return !ours || e.foreign || slices.Contains(e.named, source)
}

func (j Join) name() string {
	if j.Name == "" {
		return ComposedSource
	}
	return j.Name
}

func (j Join) missing(k driver.KeyState) (missing []string) {
	e, ours := j.Condition.(*Expression)
	if !ours {
		return nil
	}
	arrived := k.Sources()
	for _, source := range e.named {
		if !slices.Contains(arrived, source) {
			missing = append(missing, source)
		}
	}
	return missing
}
