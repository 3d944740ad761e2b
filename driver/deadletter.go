package driver

import (
	"context"
	"time"
)

// DeadLetter is an event that can never succeed, kept out of the way with
// all that a person needs to understand it and to send it again.
type DeadLetter struct {
	Reason  Reason              // why, in a word
	Error   string              // why, in a sentence
	Handler string              // where it failed, as in [Error]; empty: before the pipeline
	ID      string              // the event's; empty if it could not be read
	Key     string              // likewise
	Source  string              // likewise
	Path    string              // the request's, if it named the source, as in /events/event1; send it there again
	Attempt int                 // which delivery this was, from 1; 0 if the platform did not say
	Time    time.Time           // when it was dead-lettered
	Header  map[string][]string // of the request's, those that say what it is
	Body    []byte              // the request's, as it came
	Cut     bool                // Body is only the beginning, as much as the function or the store takes: it must not be sent again
}

// DeadLetterStore keeps dead letters. Safe for concurrent use.
type DeadLetterStore interface {
	// AddDeadLetter keeps d. When it returns nil the letter is as safe as any event
	// in the store, and the event may be acknowledged. If an answer was lost and the
	// letter is added again, the same event may be kept twice.
	AddDeadLetter(ctx context.Context, d DeadLetter) error
}
