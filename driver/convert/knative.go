package convert

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
)

// OutputConverter makes the answer to an event. err is nil for an event to be acknowledged,
// also after it was dead-lettered. The event that it returns is sent as the reply; nil sends
// none. It is called from many goroutines at once.
type OutputConverter func(ctx context.Context, err error) (*cloudevents.Event, cloudevents.Result)

// OutputToCloudResult is the [OutputConverter] without a reply. It acknowledges nil
// ([cloudevents.ResultACK]); an error becomes an HTTP result with status 400 if it is
// permanent, 503 if it is a [driver.ErrHeld] or [driver.ErrNoMemory], else 500. The result
// wraps the error.
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
// Events that can never succeed are dead-lettered and acknowledged where [DeadLetters] are
// on; else out gets the permanent error.
//
// The function does not get the request. So a dead letter has the event in binary mode, and
// the source is what the event says, or [decode.WithSource] in the context.
//
// The function is safe for concurrent use; the receiver is not quite (see
// [ToHTTPHandler]). It panics if in, p or out is nil.
func ToKNativeEventHandler(
	in InputConverter, p Processor, out OutputConverter, opts ...Option,
) func(context.Context, cloudevents.Event) (*cloudevents.Event, cloudevents.Result) {
	if out == nil {
		panic("convert: the OutputConverter is nil")
	}
	e := newEndpoint(in, p, opts)
	return func(ctx context.Context, event cloudevents.Event) (*cloudevents.Event, cloudevents.Result) {
		return e.reply(ctx, out, e.receive(ctx, incomingEvent(event)).failure())
	}
}

// reply calls out. If out panics, [OutputToCloudResult] answers: the event has been handled,
// and somebody waits for the answer.
func (e *endpoint) reply(
	ctx context.Context, out OutputConverter, failure error,
) (event *cloudevents.Event, result cloudevents.Result) {
	returned := false
	result = driver.Guard(func() (err error) {
		event, err = out(ctx, failure)
		returned = true
		return err
	})
	if !returned {
		e.log().LogAttrs(ctx, slog.LevelError, "the OutputConverter panicked, the event is answered without it",
			slog.String("error", result.Error()))
		return OutputToCloudResult(ctx, failure)
	}
	return event, result
}

// statusOf returns the status for the error of an event that is not acknowledged.
func statusOf(err error) int {
	switch {
	case driver.IsPermanent(err):
		return http.StatusBadRequest
	case errors.Is(err, driver.ErrHeld), noMemory(err):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
