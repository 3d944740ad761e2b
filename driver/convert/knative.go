package convert

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
)

// OutputConverter makes the answer to an event of what came of it: err is nil for
// an event to be acknowledged, one that was set aside included. The event that it
// returns is sent as the reply; nil for none. It is called from many goroutines
// at once.
type OutputConverter func(ctx context.Context, err error) (*cloudevents.Event, cloudevents.Result)

// OutputToCloudResult is the [OutputConverter] without a reply. nil is
// acknowledged ([cloudevents.ResultACK]); an error becomes an HTTP result with
// status 400 if it is permanent, 503 if it is a [driver.ErrHeld] or [driver.ErrNoMemory], else 500. The
// result is the error, as [errors.Is] sees it.
func OutputToCloudResult(_ context.Context, err error) (*cloudevents.Event, cloudevents.Result) {
	if err == nil {
		return nil, cloudevents.ResultACK
	}
	return nil, cloudevents.NewHTTPResult(statusOf(err), "%w", err)
}

// ToKNativeEventHandler returns a function for StartReceiver of the SDK's client:
//
//	err := client.StartReceiver(ctx, convert.ToKNativeEventHandler(
//		convert.CloudEventToInput, pipeline, convert.OutputToCloudResult))
//
// Events that can never succeed are set aside and acknowledged where [DeadLetters]
// are on; else out is given the permanent error. A dead letter has the event in
// binary mode, since the request is not at hand.
//
// The receiver does not tell the path of a request, so the source is what the event says,
// or [WithSource] in the context.
//
// The function is safe for concurrent use; the receiver is not quite (see
// [ToHTTPHandler]). It panics if in, p or out is nil.
func ToKNativeEventHandler(in InputConverter, p Processor, out OutputConverter, opts ...Option) func(context.Context, cloudevents.Event) (*cloudevents.Event, cloudevents.Result) {
	if out == nil {
		panic("convert: the OutputConverter is nil")
	}
	e := newEdge(in, p, opts)
	return func(ctx context.Context, event cloudevents.Event) (*cloudevents.Event, cloudevents.Result) {
		return e.reply(ctx, out, e.receive(ctx, incomingEvent(event)).failure())
	}
}

// reply calls out. Where that panics the answer is that of [OutputToCloudResult]: the event
// has been handled, and somebody waits.
func (e *edge) reply(ctx context.Context, out OutputConverter, failure error) (event *cloudevents.Event, result cloudevents.Result) {
	returned := false
	result = driver.Guard(func() (err error) {
		event, err = out(ctx, failure)
		returned = true
		return err
	})
	if !returned {
		e.log().LogAttrs(ctx, slog.LevelError, "the OutputConverter panicked, the event is answered without it", slog.String("error", result.Error()))
		return OutputToCloudResult(ctx, failure)
	}
	return event, result
}

// statusOf returns the status for an error whose event was not set aside.
func statusOf(err error) int {
	switch {
	case driver.IsPermanent(err):
		return http.StatusBadRequest
	case errors.Is(err, driver.ErrHeld), noMemory(err):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
