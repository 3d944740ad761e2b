package joiner

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/eventdriver/driver"
)

// waiting is what was found of a join beside its events.
type waiting struct {
	sealed  []string // the sources whose places are sealed
	missing []string // of the sources that are needed, where these are known beforehand
	others  bool     // that there may be more than these
	arrived []string // otherwise
}

// note notes which of the places are empty.
func (w *waiting) note(p places) {
	w.missing, w.others = missing(p.joiner.needed, p.errs), slices.ContainsFunc(p.errs, isUnread)
}

// missing returns the sources whose errors say that they were not found.
func missing(sources []string, errs []error) (missing []string) {
	for i, source := range sources {
		if errs[i] != nil && !isUnread(errs[i]) && !noRoom(errs[i]) && !errors.Is(errs[i], driver.ErrSealed) {
			missing = append(missing, source)
		}
	}
	return missing
}

// waitsFor says for what the join waits: "event1", "event3"; "event1", "and perhaps others"; or "one of
// event1, event3".
func (j *Joiner) waitsFor(w waiting) []string {
	switch {
	case j.needed == nil:
		return []string{lacking(j.condition, w.arrived)}
	case w.others:
		return append(w.missing, "and perhaps others")
	}
	return w.missing
}

// lacking says what the condition, which does not hold, needs beside what has arrived.
func lacking(c Condition, arrived []string) string {
	if e, ours := c.(*Expression); ours {
		return e.lacking(arrived)
	}
	return fmt.Sprintf("the condition %T", c)
}

// noHope is what a condition lacks that no further event can make hold.
const noHope = "nothing any more: the condition excludes what has arrived"

// lackingParts returns what those of the conditions need that don't hold, and can.
func lackingParts(conditions []Condition, arrived []string) (parts []string, hopeless bool) {
	for _, c := range conditions {
		if c.Evaluate(arrived) {
			continue
		}
		if part := lacking(c, arrived); part != noHope {
			parts = append(parts, part)
		} else {
			hopeless = true
		}
	}
	return parts, hopeless
}

func lackingAll(conditions []Condition, arrived []string) string {
	parts, hopeless := lackingParts(conditions, arrived)
	if hopeless {
		return noHope
	}
	return list(parts, " and ")
}

func lackingOne(conditions []Condition, arrived []string) string {
	parts, _ := lackingParts(conditions, arrived)
	if len(parts) == 0 {
		return noHope
	}
	return list(parts, " or ")
}

// list joins the parts, in parentheses where they are themselves made of parts.
func list(parts []string, separator string) string {
	for i, part := range parts {
		if len(parts) > 1 && (strings.Contains(part, " and ") || strings.Contains(part, " or ")) {
			parts[i] = "(" + part + ")"
		}
	}
	return strings.Join(parts, separator)
}

// lackingAtLeast says which sources are lacking to n of those that are named.
func lackingAtLeast(n int, named, arrived []string) string {
	rest := slices.DeleteFunc(slices.Clone(named), func(s string) bool { return slices.Contains(arrived, s) })
	list := strings.Join(rest, ", ")
	switch more := n - (len(named) - len(rest)); {
	case more >= len(rest):
		return list
	case more == 1:
		return "one of " + list
	default:
		return fmt.Sprintf("%d of %s", more, list)
	}
}
