package drivertest

import (
	"fmt"
	"strconv"
	"strings"
)

// plan says all that a run depends on.
type plan struct {
	order  []int  // of deliveries, each the index of an event; twice: a duplicate
	fresh  bool   // each delivery comes to an instance of its own
	soon   bool   // what fails is delivered again before the next event
	seed   uint64 // not 0: all deliveries at the same time, interleaved as the seed says
	faults []injection
}

// injection is a fault at a step, counted from 1.
type injection struct {
	step int
	mode mode
}

// mode is how a step goes wrong.
type mode string

const (
	fails       mode = "fails"        // it is not done
	loses       mode = "loses-answer" // it is done, and the caller is told that it failed
	panics      mode = "panics"       // the business does, before it acts
	crashBefore mode = "crash-before" // the instance crashes, and it is not done
	crashAfter  mode = "crash-after"  // it is done, then the instance crashes
)

// modes are those that differ, by what the step is.
var modes = map[stepKind][]mode{
	reads:  {fails, crashAfter},
	writes: {fails, loses, crashAfter},
	acts:   {fails, panics, crashBefore, crashAfter},
}

type stepKind int

const (
	reads stepKind = iota
	writes
	acts
)

func kindOf(op Op) stepKind {
	switch op {
	case OpLookUp, OpLookUpByKey, OpListSourcesByKey, OpListDecided:
		return reads
	}
	return writes
}

// at returns how a step goes wrong, or "".
func (p plan) at(step int) mode {
	for _, f := range p.faults {
		if f.step == step {
			return f.mode
		}
	}
	return ""
}

// with returns the plan with one more fault.
func (p plan) with(step int, mode mode) plan {
	p.faults = append(p.faults[:len(p.faults):len(p.faults)], injection{step, mode})
	return p
}

// String returns the plan as parsePlan reads it: "deliver 2 1 3; new instances; step 7 fails".
func (p plan) String() string {
	var b strings.Builder
	b.WriteString("deliver")
	for _, i := range p.order {
		fmt.Fprintf(&b, " %d", i+1)
	}
	if p.seed != 0 {
		fmt.Fprintf(&b, "; at once %d", p.seed)
	}
	if p.fresh {
		b.WriteString("; new instances")
	}
	if p.soon {
		b.WriteString("; retry soon")
	}
	for _, f := range p.faults {
		fmt.Fprintf(&b, "; step %d %s", f.step, f.mode)
	}
	return b.String()
}

// parsePlan reads what String has written, for a number of events.
func parsePlan(text string, events int) (plan, error) {
	var p plan
	for part := range strings.SplitSeq(text, ";") {
		if err := p.parse(strings.Fields(part), events); err != nil {
			return plan{}, fmt.Errorf("%q: %w", strings.TrimSpace(part), err)
		}
	}
	if p.order == nil {
		return plan{}, fmt.Errorf("%q delivers nothing", text)
	}
	return p, nil
}

func (p *plan) parse(words []string, events int) (err error) {
	switch {
	case len(words) > 1 && words[0] == "deliver":
		for _, word := range words[1:] {
			n, err := strconv.Atoi(word)
			if err != nil || n < 1 || n > events {
				return fmt.Errorf("%q is not one of the events 1 to %d", word, events)
			}
			p.order = append(p.order, n-1)
		}
	case len(words) == 3 && words[0] == "at" && words[1] == "once":
		p.seed, err = strconv.ParseUint(words[2], 10, 64)
	case strings.Join(words, " ") == "new instances":
		p.fresh = true
	case strings.Join(words, " ") == "retry soon":
		p.soon = true
	case len(words) == 3 && words[0] == "step":
		var f injection
		f.step, err = strconv.Atoi(words[1])
		switch f.mode = mode(words[2]); f.mode {
		case fails, loses, panics, crashBefore, crashAfter:
		default:
			return fmt.Errorf("a step can't %q", words[2])
		}
		p.faults = append(p.faults, f)
	default:
		return fmt.Errorf("not a part of a schedule")
	}
	return err
}
