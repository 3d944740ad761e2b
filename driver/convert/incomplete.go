package convert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"example.com/eventdriver/driver"
)

// DeadLetterIncomplete returns a handler that dead-letters a joined message which lacks events,
// for [driver.ReasonIncomplete], and passes any other on. It belongs behind the cache, so that a
// key has one such letter, and is completed when the letter is stored. A run that crashes in
// between writes the letter again, with the same contents unless one was replaced since: a store
// that knows its letters by what is in them, such as gcsstore within a day, keeps one.
//
// The letter has the events that are there, to be sent again as one event of [JoinedType], if that
// has no more than limit bytes, which is how much a request to the function may have; otherwise it
// has the joined content. Its error says what is missing.
func DeadLetterIncomplete(letters driver.DeadLetterStore, limit int64) driver.Handler {
	return driver.Named("deadline", driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		if len(in.Missing) == 0 {
			return next.Call(ctx, in)
		}
		return addJoined(ctx, letters, limit, in, driver.DeadLetter{
			Reason:  driver.ReasonIncomplete,
			Handler: "deadline",
			Error:   "the deadline of the join has passed, and it lacks the events of " + strings.Join(in.Missing, ", "),
		})
	}))
}

// DeadLetterSwept returns a handler that dead-letters what can never succeed in a run that a sweep
// has caused: there is no event that anybody would dead-letter for it. The failure is returned all
// the same. It belongs behind the cache, which marks the key as failed when the letter is stored.
func DeadLetterSwept(letters driver.DeadLetterStore, limit int64) driver.Handler {
	return driver.Named("sweep", driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		err := next.Call(ctx, in)
		if _, sweep := driver.SweepFrom(ctx); !sweep || !driver.IsPermanent(err) {
			return err
		}
		letter := driver.DeadLetter{Reason: driver.ReasonOf(err), Error: brief(err.Error())}
		if where, ok := errors.AsType[*driver.Error](err); ok {
			letter.Handler = where.Handler
		}
		return cmp.Or(addJoined(ctx, letters, limit, in, letter), err)
	}))
}

// addJoined stores the letter of a joined message. It fails where the memory for its events is
// short for now: nothing is lost, since the next sweep tries again.
func addJoined(ctx context.Context, letters driver.DeadLetterStore, limit int64, in driver.Message, letter driver.DeadLetter) error {
	letter.ID, letter.Key, letter.Source, letter.Time = in.ID, in.Key, in.Source, time.Now().UTC()
	letter.Header, letter.Body = http.Header{"Content-Type": {in.MediaType}}, in.Content
	body, err := joinedBody(ctx, func() []driver.Message { return driver.JoinedFrom(ctx) }, limit)
	switch {
	case err == nil:
		asJoined(&letter, body)
	case noMemory(err):
		return fmt.Errorf("no dead letter yet: %w (the join's own failure: %s)", err, letter.Error)
	}
	if err := driver.Guard(func() error { return letters.AddDeadLetter(ctx, letter) }); err != nil {
		return errNotStored(err, errors.New(letter.Error))
	}
	return nil
}
