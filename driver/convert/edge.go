package convert

import (
	"context"
	"errors"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
)

// Processor is what events are handed to: a [*driver.Pipeline] is one. Process is
// called from many goroutines at once. What it returns decides about the event:
// nil acknowledges it, a permanent error (see [driver.Permanent]) sets it aside,
// any other has it delivered again.
type Processor interface {
	Process(ctx context.Context, in driver.Message) error
}

// edge is where events come in and failures end: it converts, processes, sets
// aside and logs. The adapters only translate its outcomes.
type edge struct {
	in InputConverter
	p  Processor
	settings
}

func newEdge(in InputConverter, p Processor, opts []Option) *edge {
	switch {
	case in == nil:
		panic("convert: the InputConverter is nil")
	case p == nil:
		panic("convert: the Processor is nil")
	}
	return &edge{in, p, newSettings(opts)}
}

// verdict is what is to become of an event.
type verdict int

const (
	processed    verdict = iota // acknowledge
	waiting                     // acknowledge: it is kept, and others have not arrived
	deadLettered                // acknowledge: it was set aside
	rejected                    // it can never succeed, but dead letters are off
	held                        // deliver again, when the holder is done
	busy                        // deliver again, when memory is free
	failed                      // deliver again
)

// outcome is a verdict with the failure behind it.
type outcome struct {
	verdict verdict
	err     error
	message driver.Message
	letter  *driver.DeadLetter // set aside, or meant to be
}

// incoming is an event as it came.
type incoming struct {
	event    *cloudevents.Event // nil if it could not be read
	err      error              // why not
	path     string             // of its source, if the request named one
	notes    notes              // of what was left out of it
	original func() original
}

// handle takes an event from arrival to its verdict. It does not panic: whatever others have
// written is called by [driver.Guard].
func (e *edge) handle(ctx context.Context, in incoming) outcome {
	var o outcome
	var messages []driver.Message
	if o.err = in.err; o.err == nil {
		messages, o.err = e.messages(withNotes(ctx, &in.notes), in.event)
	}
	if len(messages) > 0 {
		o.message = messages[0]
	}
	in.notes.log(ctx, e.log(), describe(in.event, outcome{message: o.message})...)
	run := e.processAll(ctx, in, &o, messages)
	switch {
	case o.err == nil && run.Waiting():
		o.verdict = waiting
	case o.err == nil:
		o.verdict = processed
	case driver.IsPermanent(o.err):
		e.setAside(ctx, in, &o, run)
	case errors.Is(o.err, driver.ErrHeld):
		o.verdict = held
	case noMemory(o.err):
		o.verdict = busy
	case !clientGone(ctx) && e.tooOld(in, o.message):
		o.err = driver.Reject(driver.ReasonTooOld, o.err)
		e.setAside(ctx, in, &o, run)
	default:
		o.verdict = failed
	}
	e.report(ctx, in.event, o)
	return o
}

// messages returns the message of an event; or those of an order's, see [OrderType].
// What is known of the message is returned beside an error as well.
func (e *edge) messages(ctx context.Context, event *cloudevents.Event) (messages []driver.Message, err error) {
	var data []byte
	var ours bool
	err = rejectPanic("reading the order", func() (err error) {
		if data, ours = isOrder(ctx, event); ours {
			messages, err = readOrder(ctx, data)
		}
		return err
	})
	if ours || err != nil {
		return messages, err
	}
	m, err := e.convert(ctx, event)
	return []driver.Message{m}, err
}

// processAll processes the messages one after the other, until one fails, and returns
// the run of the last: an order is complete when its last event has arrived.
func (e *edge) processAll(ctx context.Context, in incoming, o *outcome, messages []driver.Message) (run *driver.Run) {
	if o.err != nil {
		return nil
	}
	for _, o.message = range messages {
		var runCtx context.Context
		scoped, free := driver.ScopeMemory(ctx)
		runCtx, run = driver.WithRun(scoped)
		if o.err = namePath(e.process(runCtx, o.message), in.path); o.err != nil {
			break // a handler may still be running
		}
		free()
	}
	return run
}

// tooOld says that an event which failed is not to be delivered again. What counts
// is the age of the delivered event: the one inside of it may have happened long
// before it was sent.
func (e *edge) tooOld(in incoming, m driver.Message) bool {
	if e.maxAge <= 0 || e.letters == nil {
		return false
	}
	at := m.Time
	if in.event != nil && in.event.Context != nil && !in.event.Time().IsZero() {
		at = in.event.Time()
	}
	return !at.IsZero() && time.Since(at) > e.maxAge
}

// clientGone says that nobody waits for the answer any more. What became of the event
// is not known then: its run may go on, and succeed.
func clientGone(ctx context.Context) bool {
	return errors.Is(ctx.Err(), context.Canceled)
}

// convert calls the converter.
func (e *edge) convert(ctx context.Context, event *cloudevents.Event) (m driver.Message, err error) {
	ctx = withLogger(ctx, e.log())
	err = rejectPanic("conversion", func() (err error) {
		m, err = e.in(ctx, event)
		return err
	})
	if err != nil {
		return m, err
	}
	return m, m.Valid()
}

// rejectPanic calls fn and makes a panic a rejection: it would come again with
// each delivery.
func rejectPanic(doing string, fn func() error) error {
	err := driver.Guard(fn)
	if panicked, ok := errors.AsType[*driver.PanicError](err); ok {
		return driver.Reject(driver.ReasonUndecodable, fmt.Errorf("%s: %w", doing, panicked))
	}
	return err
}

// namePath adds to the rejection of an unknown source the path that named it.
func namePath(err error, path string) error {
	if path == "" || driver.ReasonOf(err) != driver.ReasonUnknownSource {
		return err
	}
	return fmt.Errorf("%w (the request's path %s names it)", err, path)
}

// process calls the processor. A pipeline never panics, another processor may.
func (e *edge) process(ctx context.Context, m driver.Message) error {
	return driver.Guard(func() error { return e.p.Process(ctx, m) })
}
