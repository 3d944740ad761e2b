package convert

import (
	"context"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
)

// Verdict is what became of a delivery of an event.
type Verdict string

// The verdicts. The first three acknowledge the event; after the others the platform redelivers it.
const (
	Processed    Verdict = "processed"
	Waiting      Verdict = "waiting"       // it is stored, and others have not arrived
	DeadLettered Verdict = "dead-lettered" // its dead letter is stored
	Rejected     Verdict = "rejected"      // it can never succeed, and dead letters are off
	Held         Verdict = "held"          // another holds the key, or its last run asked for a pause
	TurnedAway   Verdict = "turned-away"   // not enough memory was free
	CutShort     Verdict = "cut-short"     // its request ended before its body did
	Failed       Verdict = "failed"
)

var verdicts = map[verdict]Verdict{processed: Processed, waiting: Waiting, deadLettered: DeadLettered, rejected: Rejected,
	held: Held, busy: TurnedAway, failed: Failed, cut: CutShort}

// Outcome is what an [Observer] is told of a delivery.
type Outcome struct {
	Verdict Verdict
	// Source is the event's source in the pipeline, or what the request's path or its dead letter
	// says of it; empty where nobody knows.
	Source string
	// ID, Type and Origin are the event's own attributes id, type and source, as far as they were read.
	ID, Type, Origin string
	// Key is the message's key; empty where the event could not be converted.
	Key string
	// Size is how many bytes the event has: its request's body, where that was not read, or else its data. It is 0
	// where the request did not tell.
	Size int64
	// Reason is why the event can never succeed; empty where it may.
	Reason driver.Reason
	// Err is the failure of the event; nil for [Processed] and [Waiting].
	Err error
}

// Observer is called once for each delivery of an event, when its outcome is known and before it is
// logged and answered. It is called from many goroutines at once.
type Observer func(ctx context.Context, o Outcome)

// Observe has o told of each delivery. Whatever o does, the event is answered.
func Observe(o Observer) Option { return func(s *settings) { s.observe = o } }

// tell tells the observer, if there is one.
func (e *endpoint) tell(ctx context.Context, event *cloudevents.Event, o outcome) {
	if e.observe == nil {
		return
	}
	out := Outcome{Verdict: verdicts[o.verdict], ID: o.message.ID, Source: o.message.Source, Key: o.message.Key,
		Size: o.unread, Err: o.err}
	if event != nil && event.Context != nil {
		out.ID, out.Type, out.Origin = event.ID(), event.Type(), event.Source()
		out.Size = int64(len(event.Data()))
	}
	if out.Source == "" {
		out.Source = decode.SourceFrom(ctx)
	}
	if driver.IsPermanent(o.err) || o.letter != nil {
		out.Reason = reasonOf(o)
	}
	_ = driver.Guard(func() error {
		e.observe(ctx, out)
		return nil
	})
}
