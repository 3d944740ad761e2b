package letters

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
)

// IsOrder says whether a letter is that of an order, with all its events.
func IsOrder(d driver.DeadLetter) bool {
	for name, values := range d.Header {
		if strings.EqualFold(name, "Ce-Type") && slices.Contains(values, convert.JoinedType) {
			return true
		}
	}
	return false
}

// Overruled returns an error for the letter of an order that was changed, where an event of it is kept with other
// content: the function would process the order with that, and not as the letter has it.
func Overruled(ctx context.Context, kept driver.EventStore, d driver.DeadLetter) error {
	if !IsOrder(d) {
		return nil
	}
	events, err := convert.JoinedEvents(ctx, d.Body)
	if err != nil {
		return nil // the function says what is wrong with it
	}
	for _, e := range events {
		switch there, err := kept.LookUp(ctx, e.Key, e.Source); {
		case errors.Is(err, driver.ErrNotFound):
		case err != nil:
			return err
		case !bytes.Equal(there.Content, e.Content):
			return driver.Permanent(fmt.Errorf("the event of %q that is kept of key %q has other content than the letter, "+
				"and the function would process that: replace the event, or purge the key and send the letter then",
				e.Source, e.Key))
		}
	}
	return nil
}
