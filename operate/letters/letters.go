// Package letters finds dead letters, and sends them again.
package letters

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/eventdriver/driver"
)

// Query says which letters [Find] looks for.
type Query struct {
	Reason driver.Reason // "": any
	Key    string        // "": any; else the letters of which a list tells that they have it
	Limit  int           // how many letters are returned; the others are only counted
	// Progress is called after each page of the store, with what has been found so far; nil:
	// no call.
	Progress func(List)
}

// List is what Find has found.
type List struct {
	Seen    int      `json:"seen"`   // how many letters there are
	Found   int      `json:"found"`  // how many of them pass the query
	Counts  []Count  `json:"counts"` // of those, by reason, the most first
	Letters []Letter `json:"letters"`
}

// Count says how many letters have a reason.
type Count struct {
	Reason  driver.Reason `json:"reason"`
	Letters int           `json:"letters"`
}

// ErrNoReason is returned for a reason that no letter has and that [driver.Reasons] does not name either.
var ErrNoReason = errors.New("no letter has this reason")

// Find looks at all letters, and reads none. When the context ends or the box fails, it returns
// what it has found so far beside the error. A reason that may be misspelled is an [ErrNoReason], which
// names those that there are.
func Find(ctx context.Context, box driver.LetterBox, q Query) (List, error) {
	found, counts := List{Letters: []Letter{}, Counts: []Count{}}, make(map[driver.Reason]int)
	reasons := driver.Reasons()
	for pages := (driver.LetterQuery{Limit: 1000}); ; {
		page, err := box.ListLetters(ctx, pages)
		if err != nil {
			return found, fmt.Errorf("list letters: %w", err)
		}
		for _, l := range page.Letters {
			found.Seen++
			if !slices.Contains(reasons, l.Reason) {
				reasons = append(reasons, l.Reason)
			}
			if !q.takes(l) {
				continue
			}
			found.Found++
			counts[l.Reason]++
			if len(found.Letters) < q.Limit {
				found.Letters = append(found.Letters, describe(l))
			}
		}
		found.Counts = sorted(counts)
		if pages.Cursor = page.Next; page.Next == "" {
			if q.Reason != "" && !slices.Contains(reasons, q.Reason) {
				return found, fmt.Errorf("%w: %q; there are %q", ErrNoReason, q.Reason, reasons)
			}
			return found, nil
		}
		if q.Progress != nil {
			q.Progress(found)
		}
	}
}

func (q Query) takes(l driver.LetterRef) bool {
	return (q.Reason == "" || l.Reason == q.Reason) && (q.Key == "" || l.Key == q.Key)
}

func sorted(counts map[driver.Reason]int) []Count {
	all := make([]Count, 0, len(counts))
	for reason, n := range counts {
		all = append(all, Count{reason, n})
	}
	slices.SortFunc(all, func(a, b Count) int { return cmp.Or(b.Letters-a.Letters, cmp.Compare(a.Reason, b.Reason)) })
	return all
}
