package convert

import (
	"context"
	"errors"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
)

// InputConverter makes a message of an event, as [CloudEventToInput] does. It is called from
// many goroutines at once and must not keep or change e.
//
// With an error wrapped by [driver.Reject] or [driver.Permanent] it says that e can never be
// converted: e is dead-lettered. After any other error the platform redelivers e. Beside an
// error it may return what is known of the message, for the log and the dead letter.
type InputConverter func(ctx context.Context, e *cloudevents.Event) (driver.Message, error)

// CloudEventToInput is the [InputConverter] without options: no key pointer, no aliases. See
// package decode for the message that each event becomes, and [decode.New] for options.
func CloudEventToInput(ctx context.Context, e *cloudevents.Event) (driver.Message, error) {
	return new(decode.Decoder).Message(ctx, e)
}

// Processor processes messages, from many goroutines at once; a [*driver.Pipeline] is one. Its
// error decides about the event: nil acknowledges it, a permanent error (see [driver.Permanent])
// dead-letters it, and after any other error the platform redelivers it.
type Processor interface {
	Process(ctx context.Context, in driver.Message) error
}

var _ Processor = (*driver.Pipeline)(nil)

// endpoint handles events from their arrival to their outcome: it converts, processes,
// dead-letters and logs them. The adapters, such as [ToHTTPHandler], only translate outcomes
// into answers.
type endpoint struct {
	in InputConverter
	p  Processor
	settings
}

func newEndpoint(in InputConverter, p Processor, opts []Option) *endpoint {
	switch {
	case in == nil:
		panic("convert: the InputConverter is nil")
	case p == nil:
		panic("convert: the Processor is nil")
	}
	return &endpoint{in, p, newSettings(opts)}
}

// verdict decides about an event.
type verdict int

const (
	processed    verdict = iota // acknowledge
	waiting                     // acknowledge: it is stored, and others have not arrived
	deadLettered                // acknowledge: its dead letter is stored
	rejected                    // it can never succeed, but dead letters are off
	held                        // redeliver when the holder of the key is done
	busy                        // redeliver when memory is free
	failed                      // redeliver
	cut                         // redeliver: its request ended early
)

// outcome is a verdict with the failure behind it.
type outcome struct {
	verdict verdict
	err     error
	message driver.Message
	waits   string             // for what, if it is waiting
	letter  *driver.DeadLetter // stored, or one that could not be stored
	unread  int64              // bytes of a body that was not read, as far as the request told
}

// failure returns the error for which an event is not acknowledged, or nil.
func (o outcome) failure() error {
	if o.verdict == processed || o.verdict == waiting || o.verdict == deadLettered {
		return nil
	}
	return o.err
}

// incoming is an event as it arrived.
type incoming struct {
	event    *cloudevents.Event // nil if it could not be read
	err      error              // why it could not be read
	outside  *cloudevents.Event // then what its headers say; nil: too little
	cut      bool               // its body is only the beginning
	resent   bool               // it is the dead letter of a join
	path     string             // of the source, if the request named one
	warnings decode.Warnings
	original func() original
}

// handle takes an event from its arrival to its verdict. It does not panic: it calls code from
// outside of this package by [driver.Guard].
func (e *endpoint) handle(ctx context.Context, in incoming) outcome {
	var o outcome
	var one [1]driver.Message // most events are one
	var messages []driver.Message
	if o.err = in.err; o.err == nil {
		messages, in.resent, o.err = e.messages(decode.WithWarnings(ctx, &in.warnings), in.event, one[:0])
	}
	switch {
	case len(messages) > 0:
		o.message = messages[0]
	case in.outside != nil: // so that the dead letter is found by its key
		o.message, _ = e.convert(decode.WithWarnings(ctx, new(decode.Warnings)), in.outside)
	}
	if in.warnings.Any() {
		in.warnings.Log(ctx, e.log(), describe(nil, in.event, outcome{message: o.message})...)
	}
	run := e.processAll(ctx, in, &o, messages)
	switch {
	case o.err == nil && run.Waiting():
		o.verdict, o.waits = waiting, run.WaitsFor()
	case o.err == nil:
		o.verdict = processed
	case driver.IsPermanent(o.err):
		e.deadLetter(ctx, in, &o, run)
	case heldByAnother(o.err) || errors.Is(o.err, driver.ErrLater):
		o.verdict = held
	case noMemory(o.err):
		o.verdict = busy
	case !clientGone(ctx) && e.tooOld(in, o.message):
		o.err = driver.Reject(driver.ReasonTooOld, o.err)
		e.deadLetter(ctx, in, &o, run)
	case errors.Is(o.err, driver.ErrHeld): // for all that the store could find out
		o.verdict = held
	default:
		o.verdict = failed
	}
	e.report(ctx, in.event, o)
	return o
}

// messages returns the message of an event, appended to into, or all those of a joined dead letter: see
// [JoinedType], and says which. Beside an error it returns what is known of the message.
func (e *endpoint) messages(ctx context.Context, event *cloudevents.Event, into []driver.Message) (
	messages []driver.Message, joined bool, err error,
) {
	var data []byte
	err = rejectPanic("reading the joined events", driver.Recover(func() (err error) {
		if data, joined = joinedData(event); joined {
			messages, err = JoinedEvents(ctx, data)
		}
		return err
	}))
	if joined || err != nil {
		return messages, joined, err
	}
	m, err := e.convert(ctx, event)
	return append(into, m), false, err
}

// processAll processes the messages one after the other until one fails, and returns the run
// of the last: a join is complete when its last event has arrived.
func (e *endpoint) processAll(
	ctx context.Context, in incoming, o *outcome, messages []driver.Message,
) (run *driver.Run) {
	if o.err != nil {
		return nil
	}
	if in.resent {
		ctx = driver.WithResent(ctx)
	}
	for i := range messages {
		scoped, free := ctx, func() {}
		if len(messages) > 1 {
			scoped, free = driver.ScopeMemory(ctx)
		}
		var runCtx context.Context
		runCtx, run = driver.WithRun(scoped)
		o.message = messages[i]
		if o.err = namePath(e.process(runCtx, o.message), in.path); o.err != nil {
			break // a handler may still be running
		}
		free()
	}
	return run
}

// tooOld says that an event which failed must not be redelivered. The age of the delivered
// event counts: an event inside of it may have happened long before it was sent.
func (e *endpoint) tooOld(in incoming, m driver.Message) bool {
	if e.maxAge <= 0 || e.letters == nil {
		return false
	}
	at := m.Time
	if in.event != nil && in.event.Context != nil && !in.event.Time().IsZero() {
		at = in.event.Time()
	}
	return !at.IsZero() && time.Since(at) > e.maxAge
}

// heldByAnother says that somebody acts upon the key now, so that the event is never too old.
func heldByAnother(err error) bool {
	_, is := errors.AsType[*driver.HeldError](err)
	return is
}

// clientGone says that nobody waits for the answer any more. The outcome of the event is then
// unknown: its run may go on and succeed.
func clientGone(ctx context.Context) bool {
	return errors.Is(ctx.Err(), context.Canceled)
}

// convert calls the converter, and checks its message.
func (e *endpoint) convert(ctx context.Context, event *cloudevents.Event) (m driver.Message, err error) {
	if e.returns {
		err = driver.Recover(func() (err error) {
			m, err = e.in(ctx, event)
			return err
		})
	} else {
		m, err = guarded(e.in, ctx, event)
	}
	if err != nil {
		return m, rejectPanic("conversion", err)
	}
	return m, m.Valid()
}

// guarded calls a converter that may end its goroutine.
func guarded(in InputConverter, ctx context.Context, event *cloudevents.Event) (m driver.Message, err error) {
	err = driver.Guard(func() (err error) {
		m, err = in(ctx, event)
		return err
	})
	return m, err
}

// rejectPanic turns a panic into a rejection: each redelivery would panic again.
func rejectPanic(doing string, err error) error {
	if err == nil {
		return nil
	}
	if panicked, ok := errors.AsType[*driver.PanicError](err); ok {
		return driver.Reject(driver.ReasonUndecodable, fmt.Errorf("%s: %w", doing, panicked))
	}
	return err
}

// namePath adds the path that named the source to the rejection of an unknown source.
func namePath(err error, path string) error {
	if err == nil || path == "" || driver.ReasonOf(err) != driver.ReasonUnknownSource {
		return err
	}
	return fmt.Errorf("%w (named by the request's path %s)", err, path)
}

// process calls the processor. A pipeline never panics, another processor may.
func (e *endpoint) process(ctx context.Context, m driver.Message) error {
	if p, is := e.p.(*driver.Pipeline); is {
		return p.Process(ctx, m)
	}
	return e.processGuarded(ctx, m)
}

func (e *endpoint) processGuarded(ctx context.Context, m driver.Message) error {
	return driver.Guard(func() error { return e.p.Process(ctx, m) })
}
