package joiner

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"example.com/eventdriver/driver"
)

// feeder is the joiner that composed a message, for the joiner that is given the message next.
type feeder struct {
	name  string
	named []string
}

type feederKey struct{}

// feeders has the first joiner of each name that has fed this one.
type feeders struct{ byName sync.Map }

// check returns a permanent error if two joiners of one name feed this one: it would take the message of
// the one for other content of the other's, and keep the first.
func (f *feeders) check(ctx context.Context, in driver.Message) error {
	from, composed := ctx.Value(feederKey{}).(*feeder)
	if !composed || from.name != in.Source {
		return nil
	}
	first, _ := f.byName.LoadOrStore(from.name, from)
	if other := first.(*feeder); !slices.Equal(other.named, from.named) {
		return driver.Permanent(fmt.Errorf("two joiners called %q feed this one, of %q and of %q: give each a name of its own, with joiner.Name",
			from.name, other.named, from.named))
	}
	return nil
}
