package joiner

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"example.com/eventdriver/driver"
)

// DefaultLookAtAll is for [LookAtAll].
const DefaultLookAtAll = 5

// looks returns at how many places, of those that may be empty, an event of a join of many sources looks while it is
// kept. Suppose that any number of these places is filled, each number with the same probability. Then k looks find
// all k filled in one case of k+1, and the other places are read as well. The sum, k + (unknown-k)/(k+1), is least
// near this k.
func looks(unknown int) int {
	return min(unknown, max(2, int(math.Sqrt(float64(unknown)))-1))
}

// LookAtAll sets up to how many sources a join reads all others while it keeps an event. That
// saves the event that completes the join a round trip to the store. For each event of a
// join of more, the joiner looks at two or a few others first, and reads the rest only when these are there.
// That saves reads, whose number would grow with the square of the sources. The default is
// [DefaultLookAtAll].
func LookAtAll(sources int) Option {
	return func(j *Joiner) { j.lookAtAll = sources }
}

// places is what is known of the places of a key: one for each source that is needed, in that order.
type places struct {
	joiner   *Joiner
	key      string
	messages []driver.Message
	errs     []error // of each place that is not filled, or could not be read
}

// errUnread: nobody has looked at the place.
var errUnread = errors.New("not looked at")

func (j *Joiner) placesOf(key string) places {
	p := places{j, key, make([]driver.Message, len(j.needed)), make([]error, len(j.needed))}
	for i := range p.errs {
		p.errs[i] = errUnread
	}
	return p
}

// read looks at places, all at once.
func (p places) read(ctx context.Context, numbers ...int) {
	p.each(numbers, func(i int) (driver.Message, error) { return p.joiner.store.LookUp(ctx, p.key, p.joiner.needed[i]) })
}

// each calls fn for places, at once, and notes what it returned.
func (p places) each(numbers []int, fn func(i int) (driver.Message, error)) {
	messages, errs := each(numbers, fn)
	for n, i := range numbers {
		p.messages[i], p.errs[i] = messages[n], errs[n]
	}
}

// filled says that a place has its event, or its seal.
func (p places) filled(i int) bool {
	return p.errs[i] == nil || noRoom(p.errs[i]) || p.joiner.isSealed(p.errs[i])
}

// failure returns why a place is not filled; of several, that it is empty.
func (p places) failure(numbers ...int) (err error) {
	for _, i := range numbers {
		switch {
		case p.filled(i):
		case errors.Is(p.errs[i], driver.ErrNotFound):
			return p.errs[i]
		default:
			err = cmp.Or(err, p.errs[i])
		}
	}
	return err
}

// are returns the places whose failure, or nil, is of a kind.
func (p places) are(kind func(error) bool) (numbers []int) {
	for i, err := range p.errs {
		if kind(err) {
			numbers = append(numbers, i)
		}
	}
	return numbers
}

func isUnread(err error) bool  { return err == errUnread }
func isMissing(err error) bool { return errors.Is(err, driver.ErrNotFound) }

// first returns which places to look at while the event of place own is kept: all others, where
// there are few or all their events are known to exist; else some of those that are not known to.
func (p places) first(own int) []int {
	others := slices.DeleteFunc(p.are(isUnread), func(i int) bool { return i == own })
	if len(p.joiner.needed) <= p.joiner.lookAtAll {
		return others
	}
	hash := hashOf(p.key)
	known := p.joiner.known.of(hash)
	unknown := slices.DeleteFunc(slices.Clone(others), known.has)
	if len(unknown) == 0 {
		return others
	}
	slices.SortFunc(unknown, func(a, b int) int { return cmp.Compare(rank(hash, a), rank(hash, b)) })
	return unknown[:looks(len(unknown))]
}

// remember notes for the next events of the key which events exist.
func (p places) remember() {
	if len(p.joiner.needed) <= p.joiner.lookAtAll {
		return
	}
	var found, missing sourceSet
	for i, err := range p.errs {
		switch {
		case isMissing(err):
			missing.add(i)
		case err == nil || noRoom(err):
			found.add(i)
		}
	}
	p.joiner.known.note(hashOf(p.key), found, missing)
}
