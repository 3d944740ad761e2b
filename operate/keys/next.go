package keys

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
)

// afterExpiry is what becomes of a key whose lease has run out.
const afterExpiry = "the next delivery takes over, or dead-letters the events where ON_LEASE_EXPIRY is quarantine"

// next says in a sentence what happens next to a key that stands so, or what to do.
func next(k driver.KeyState, c driver.ClaimState, s joiner.Standing) string {
	switch s.State {
	case joiner.Done:
		return done(k, *c.Done)
	case joiner.Held:
		return fmt.Sprintf("A run is under way: wait until it ends, or until its lease runs out at %s; then %s.",
			stamp(c.Expires), afterExpiry)
	case joiner.Expired:
		return "The last run ended without a word and may have acted: " + afterExpiry +
			"; if none comes, publish one of the events again."
	case joiner.Quarantined:
		return "Nobody knows whether the last run acted, so find out from the system that is acted upon: if it did not, " +
			"release the key and send its letter again (release, letters resend); if it did, complete it (complete)."
	case joiner.Failed:
		return failed(c)
	case joiner.Paused:
		return fmt.Sprintf("The last run failed%s and comes back at %s: the next delivery or sweep after that runs it; release it to "+
			"have it run earlier.", attempt(c), stamp(c.NotBefore))
	}
	switch {
	case len(s.Sealed) > 0:
		return sealed(k, s)
	case s.State == joiner.Complete:
		return complete(k, c)
	}
	return waits(k, s)
}

// done tells what comes of events that come again. They are joined before the completion is looked at.
func done(k driver.KeyState, d driver.Completion) string {
	letters := k.Letters
	if d.Outcome != driver.OutcomeOperator { // then all before has been fixed
		letters = slices.DeleteFunc(slices.Clone(letters), func(l driver.LetterRef) bool { return l.Added.Before(d.Time) })
	}
	if reason := beforeRun(letters); reason != "" {
		return fmt.Sprintf("No run begins any more: the key is completed (%s). Its events can't be joined, so one that comes "+
			"again is dead-lettered as %s, unless the cause that the letter names is fixed: drop such letters.", d.Outcome, reason)
	}
	return fmt.Sprintf("Nothing happens any more: the key is completed (%s), and duplicates are acknowledged without "+
		"a run.", d.Outcome)
}

func sealed(k driver.KeyState, s joiner.Standing) string {
	ended := "Its deadline has passed, and the events of " + strings.Join(s.Sealed, ", ") + " are awaited no more: "
	if len(k.Events) == 0 {
		return ended + "no event is left, and no sweep ends it; look for its dead letters."
	}
	return ended + "the next sweep ends it."
}

func complete(k driver.KeyState, c driver.ClaimState) string {
	if c.ByOperator() {
		if reason := beforeRun(k.Letters); reason != "" {
			return fmt.Sprintf("An operator opened it, to be run, and its events can't be joined: the next is dead-lettered as %s, unless the "+
				"cause that its letter names is fixed; then send that again: letters resend.", reason)
		}
		return "An operator opened it, to be run: the next delivery or sweep runs it; if none comes, send one of its letters, or " +
			"publish one of its events again."
	}
	if c.Token != 0 {
		return "The last run failed" + attempt(c) + " and gave the key up, to be tried again: the next delivery runs it; if none comes, " +
			"publish one of the events again."
	}
	if reason := beforeRun(k.Letters); reason != "" {
		return fmt.Sprintf("All events are there, and one was dead-lettered as %s before a run began, as the next will be: fix "+
			"the cause that its letter names, then send that again: letters resend.", reason)
	}
	return "All events are there, and nobody acts upon them: the next delivery runs the key; if none comes, publish one " +
		"of the events again."
}

// beforeRun returns for which reason the last letter was written that keeps a join from being composed; "": none was.
func beforeRun(letters []driver.LetterRef) (reason driver.Reason) {
	for _, l := range letters {
		switch l.Reason {
		case driver.ReasonCorrupt, driver.ReasonTooLarge, driver.ReasonGone:
			reason = l.Reason
		}
	}
	return reason
}

func failed(c driver.ClaimState) string {
	if c.Attempts > 1 {
		return fmt.Sprintf("The business has failed %d times, and no run is tried any more: fix the cause that its letter names, then "+
			"send that again (letters resend), or release the key.", c.Attempts)
	}
	return "The business said that no retry can help: fix the cause that its letter names, then send that again: letters resend."
}

// attempt says which attempt the last run was, unless it was the first.
func attempt(c driver.ClaimState) string {
	if c.Attempts < 2 {
		return ""
	}
	return fmt.Sprintf(" (attempt %d)", c.Attempts)
}

func waits(k driver.KeyState, s joiner.Standing) string {
	switch {
	case len(k.Events)+len(k.Sealed)+len(k.Claims)+len(k.Decided) > 0:
		return fmt.Sprintf("It waits for %s: publish that again, or look at its topic, its trigger and the dead letters.",
			s.WaitsFor)
	case len(k.Letters) > 0:
		return "Nothing but dead letters is kept: fix the cause that they name, then send them again."
	}
	return "Nothing is kept: no event of this key has arrived, or all have expired; check how the key is spelled, and " +
		"look for dead letters without a key."
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
