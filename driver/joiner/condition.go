package joiner

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Condition says of the sources that have arrived for a key whether the join is
// complete. It must depend on nothing else.
//
// Users may write their own. Those that this package makes are [*Expression]s,
// and the joiner can do more with them: it asks the store only for what is
// needed, and refuses events from sources that nobody waits for.
type Condition interface {
	Evaluate(sources []string) bool
}

// Expression is a condition made by this package. It is immutable.
type Expression struct {
	holds func(sources []string) bool
	// lacking says what is needed, beside what has arrived, for the condition to hold.
	lacking func(arrived []string) string
	// named are the sources that the condition speaks of, ordered.
	named []string
	// needed, if not nil: the condition holds when all of these have arrived,
	// and only then.
	needed []string
	// monotone: once it holds, no further event makes it fail.
	monotone bool
	// foreign: a part of it is a user's own, so named may lack some.
	foreign bool
	// hasNil: a part of it is nil.
	hasNil bool
}

// Evaluate implements [Condition].
func (e *Expression) Evaluate(sources []string) bool { return e.holds(sources) }

// MatchAll holds when all of the sources have arrived.
func MatchAll(sources ...string) *Expression {
	return AtLeast(len(unique(sources)), sources...)
}

// MatchAny holds when one of the sources has arrived.
func MatchAny(sources ...string) *Expression {
	return AtLeast(1, sources...)
}

// MatchNone holds while none of the sources has arrived: also while nothing has, so it
// is of use within And, and refused alone.
func MatchNone(sources ...string) *Expression {
	return MatchAny(sources...).Not()
}

// AtLeast holds when n of the sources, or more, have arrived.
func AtLeast(n int, sources ...string) *Expression {
	named := unique(sources)
	e := &Expression{named: named, monotone: true, holds: func(arrived []string) bool {
		count := 0
		for _, source := range named {
			if slices.Contains(arrived, source) {
				count++
			}
		}
		return count >= n
	}}
	e.lacking = func(arrived []string) string { return lackingAtLeast(n, named, arrived) }
	if n == len(named) && n > 0 {
		e.needed = named
	}
	return e
}

// And holds when e and all of the others do.
func (e *Expression) And(others ...Condition) *Expression {
	conditions := append([]Condition{e}, others...)
	and := combine(conditions)
	and.holds = func(sources []string) bool {
		return !slices.ContainsFunc(conditions, func(c Condition) bool { return !c.Evaluate(sources) })
	}
	and.lacking = func(arrived []string) string { return lackingAll(conditions, arrived) }
	and.needed = allNeeded(conditions)
	return and
}

// Or holds when e or one of the others does.
func (e *Expression) Or(others ...Condition) *Expression {
	conditions := append([]Condition{e}, others...)
	or := combine(conditions)
	or.holds = func(sources []string) bool {
		return slices.ContainsFunc(conditions, func(c Condition) bool { return c.Evaluate(sources) })
	}
	or.lacking = func(arrived []string) string { return lackingOne(conditions, arrived) }
	return or
}

// XOr holds when exactly one of e and other does.
func (e *Expression) XOr(other Condition) *Expression {
	conditions := []Condition{e, other}
	xor := combine(conditions)
	xor.holds = func(sources []string) bool { return e.Evaluate(sources) != other.Evaluate(sources) }
	xor.lacking = func(arrived []string) string {
		if e.Evaluate(arrived) {
			return noHope // both hold
		}
		return lackingOne(conditions, arrived)
	}
	xor.monotone = false
	return xor
}

// Not holds when e doesn't.
func (e *Expression) Not() *Expression {
	not := combine([]Condition{e})
	not.holds = func(sources []string) bool { return !e.Evaluate(sources) }
	not.lacking = func([]string) string {
		if e.monotone { // it goes on to hold
			return noHope
		}
		return "others of " + strings.Join(not.named, ", ")
	}
	not.monotone = false
	return not
}

// combine returns an expression that speaks of all that the conditions do.
func combine(conditions []Condition) *Expression {
	e := &Expression{monotone: true}
	for _, c := range conditions {
		part, ours := c.(*Expression)
		if c == nil || ours && part == nil {
			e.hasNil = true
			continue
		}
		if !ours {
			e.foreign, e.monotone = true, false
			continue
		}
		e.hasNil = e.hasNil || part.hasNil
		e.named = append(e.named, part.named...)
		e.foreign = e.foreign || part.foreign
		e.monotone = e.monotone && part.monotone
	}
	e.named = unique(e.named)
	return e
}

// allNeeded returns what is needed for all of the conditions, or nil where that
// can't be said as a list of sources.
func allNeeded(conditions []Condition) []string {
	var needed []string
	for _, c := range conditions {
		part, ours := c.(*Expression)
		if !ours || part == nil || part.needed == nil {
			return nil
		}
		needed = append(needed, part.needed...)
	}
	return unique(needed)
}

// unique returns the strings in order, each once; nil for none.
func unique(sources []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(sources)))
}

// exhaustive is the number of sources up to which every combination is tried to
// find out whether a condition can hold: 2^16 evaluations take milliseconds.
const exhaustive = 16

// Check returns an error for a condition that can never hold, or that holds for nothing:
// before anything has arrived, so that an event of any source would complete its key. It
// also refuses one that names an empty source, or that is nil or has a part that is.
// Conditions that are neither monotone (built with Not, MatchNone or XOr) nor of 16
// sources at most are taken to be possible, and so are those with parts that this
// package did not make.
func Check(c Condition) error {
	if c == nil {
		return errors.New("joiner: the condition is nil")
	}
	e, ours := c.(*Expression)
	if ours && (e == nil || e.hasNil) {
		return errors.New("joiner: the condition is nil, or a part of it is")
	}
	if ours && slices.Contains(e.named, "") {
		return errors.New("joiner: the condition names an empty source")
	}
	if c.Evaluate(nil) {
		return errors.New("joiner: the condition holds for nothing, so that any event completes its key: " +
			"have it need a source (MatchAll, MatchAny, AtLeast)")
	}
	if !ours {
		return nil
	}
	if !e.possible() {
		return fmt.Errorf("joiner: the condition can never hold, whatever arrives from %q", e.named)
	}
	return nil
}

func (e *Expression) possible() bool {
	if e.monotone {
		return e.holds(e.named)
	}
	if e.foreign || len(e.named) > exhaustive {
		return true
	}
	arrived := make([]string, 0, len(e.named))
	for set := range 1 << len(e.named) {
		arrived = arrived[:0]
		for i, source := range e.named {
			if set&(1<<i) != 0 {
				arrived = append(arrived, source)
			}
		}
		if e.holds(arrived) {
			return true
		}
	}
	return false
}
