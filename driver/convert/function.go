package convert

import (
	"context"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"example.com/eventdriver/driver/decode"
)

// ToCloudFunction returns a function for functions.CloudEvent of the Functions
// Framework. The function returns nil to acknowledge an event, also after it was
// dead-lettered, and an error to have it redelivered. Where the host answers over HTTP,
// the error has the status of [ToHTTPHandler]: 503, 500, or 400 for an event that can
// never succeed while dead letters are off.
//
// The function does not get the request. So a dead letter has the event in binary mode,
// and the source is what the event says, not what the path says: [decode.SourceAliases]
// must tell the sources apart.
//
// The framework itself answers requests that are no CloudEvent, without calling the
// function, and lets requests hang under load: prefer [ToHTTPHandler].
//
// The function is safe for concurrent use. It panics if in or p is nil.
func ToCloudFunction(in InputConverter, p Processor, opts ...Option) func(context.Context, cloudevents.Event) error {
	e := newEndpoint(in, p, opts)
	return func(ctx context.Context, event cloudevents.Event) error {
		o := e.receive(ctx, incomingEvent(event))
		if o.failure() == nil {
			return nil
		}
		return &statusError{o.err, statusOf(o.err)}
	}
}

// incomingEvent returns an event that came without its request.
func incomingEvent(event cloudevents.Event) incoming {
	return incoming{event: &event, original: func() original { return original{decode.BinaryHeader(event), event.Data()} }}
}

// statusError is an error that tells the SDK the status to answer.
type statusError struct {
	error
	status int
}

// Unwrap returns the failure.
func (e *statusError) Unwrap() error { return e.error }

// As returns the status in the form that the SDK looks for.
func (e *statusError) As(target any) bool {
	result, ok := target.(**cehttp.Result)
	if ok {
		*result = &cehttp.Result{StatusCode: e.status, Format: "%w", Args: []any{e.error}}
	}
	return ok
}
