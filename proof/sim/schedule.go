package sim

import (
	"fmt"
	"strconv"
	"strings"
)

// Schedule lists the choices of the scheduler other than 0, in the order of their places.
type Schedule []Choice

// Choice says that the scheduler makes the choice Number at the place At, counted from 0.
type Choice struct{ At, Number int32 }

// String returns the schedule as [ParseSchedule] reads it: "3=1 7=12".
func (s Schedule) String() string {
	parts := make([]string, len(s))
	for i, c := range s {
		parts[i] = fmt.Sprintf("%d=%d", c.At, c.Number)
	}
	return strings.Join(parts, " ")
}

// ParseSchedule reads what String has written.
func ParseSchedule(text string) (Schedule, error) {
	var s Schedule
	for _, part := range strings.Fields(text) {
		at, number, _ := strings.Cut(part, "=")
		place, errPlace := strconv.ParseUint(at, 10, 31)
		choice, errChoice := strconv.ParseUint(number, 10, 31)
		c := Choice{At: int32(place), Number: int32(choice)}
		if errPlace != nil || errChoice != nil {
			return nil, fmt.Errorf("sim: schedule %q: %q is not a place and a choice, as in 3=1", text, part)
		}
		if len(s) > 0 && c.At <= s[len(s)-1].At {
			return nil, fmt.Errorf("sim: schedule %q: the places must grow", text)
		}
		s = append(s, c)
	}
	return s, nil
}

// at returns the choice at a place.
func (s Schedule) at(place int) int {
	for _, c := range s {
		if int(c.At) == place {
			return int(c.Number)
		}
	}
	return 0
}

// Outcome is what becomes of an operation that is let go.
type Outcome int

// The outcomes. An operation that failed, or whose instance crashed, before it was done
// may still arrive later.
const (
	Succeed     Outcome = iota
	Slow                // it is done, and the answer comes after everything else
	Fail                // it is not done
	LoseAnswer          // it is done, and the caller is told that it failed
	CrashBefore         // the instance crashes, and it is not done
	CrashAfter          // it is done, and then the instance crashes
	CutOff              // it fails, and so does all that the instance asks of the store from now on
	Deafen              // it is done, and all answers to the instance are lost from now on
	TimeOut             // it is done, and the caller is told that it took too long
	Cancel              // it is not done, and the caller is told that it was cancelled
	Again               // it is done, its answer is lost, and the client sends it once more
	Astray              // it is not done, and something else answers that nothing is there
)

var outcomeNames = [...]string{
	Succeed:     "",
	Slow:        ", and the answer takes its time",
	Fail:        ", which fails",
	LoseAnswer:  ", whose answer is lost",
	CrashBefore: ", before which it crashes",
	CrashAfter:  ", after which it crashes",
	CutOff:      ", which fails, as does all from now on",
	Deafen:      ", whose answer is lost, as are all from now on",
	TimeOut:     ", which is done, and told to have timed out",
	Cancel:      ", which is told to be cancelled",
	Again:       ", whose answer is lost, so that the client sends it again",
	Astray:      ", which something else answers with 404",
}

// kind is the kind of an operation; it decides which outcomes differ.
type kind int

const (
	read  kind = iota // of the store: a lost answer or a crash is as if it had failed
	write             // to the store
	lease             // likewise, and its caller measures how long the answer took
	act               // the business

	cloudRead  // a request for something that is kept
	cloudLook  // likewise, for an operation that reckons with the time it took
	cloudWrite // a request that stores something
	cloudLease // likewise, for an operation that reckons with the time it took
)

// outcomes are the outcomes that are tried for each kind of operation. A read changes
// nothing, so a lost answer is the same as a failure, and a crash at a read the same as
// a crash after the write before it. A slow answer is the same as a next step that waits,
// except where the caller measures time. A business that acts and then reports failure
// is left out: no protocol can help there.
var outcomes = [...][]Outcome{
	read:  {Succeed, Fail, TimeOut},
	write: {Succeed, Fail, LoseAnswer, CrashBefore, CrashAfter, CutOff, Deafen, TimeOut, Cancel},
	lease: {Succeed, Slow, Fail, LoseAnswer, CrashBefore, CrashAfter, CutOff, Deafen, TimeOut, Cancel},
	act:   {Succeed, Fail, CrashBefore, CrashAfter},

	cloudRead:  {Succeed, Fail, Astray},
	cloudLook:  {Succeed, Slow, Fail, Astray},
	cloudWrite: {Succeed, Fail, LoseAnswer, Again, CrashBefore, CrashAfter, CutOff, Deafen},
	cloudLease: {Succeed, Slow, Fail, LoseAnswer, Again, CrashBefore, CrashAfter, CutOff, Deafen},
}

// cost is how much of a bound a choice uses up.
type cost struct{ deviations, faults int8 }

func (c cost) weight() int { return int(c.deviations + c.faults) }

func (c cost) plus(d cost) cost { return cost{c.deviations + d.deviations, c.faults + d.faults} }

func (o Outcome) cost() cost {
	switch o {
	case Succeed:
		return cost{}
	case Slow:
		return cost{deviations: 1}
	}
	return cost{faults: 1}
}
