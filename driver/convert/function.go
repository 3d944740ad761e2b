package convert

import (
	"context"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// ToCloudFunction returns a function for functions.CloudEvent of the Functions
// Framework. It returns nil to acknowledge the event, also when it was set aside
// as a dead letter, and the failure to have it delivered again. Where the host
// answers over HTTP the failure's status is that of [ToHTTPHandler]: 503, 500, or
// 400 for an event that can never succeed while dead letters are off.
//
// A dead letter has the event in binary mode, since the request is not at hand.
// The request's path is not at hand either: the source is what the event says, so
// [SourceAliases] must tell the sources apart.
//
// The framework itself answers requests that are no CloudEvent, without asking
// the function, and lets requests hang under load: prefer [ToHTTPHandler].
//
// The function is safe for concurrent use. It panics if in or p is nil.
func ToCloudFunction(in InputConverter, p Processor, opts ...Option) func(context.Context, cloudevents.Event) error {
	e := newEdge(in, p, opts)
	return func(ctx context.Context, event cloudevents.Event) error {
		o := e.receive(ctx, incomingEvent(event))
		if o.failure() == nil {
			return nil
		}
		return &statusError{o.err, statusOf(o.err)}
	}
}

func incomingEvent(event cloudevents.Event) incoming {
	return incoming{event: &event, original: func() original { return rebuilt(event) }}
}

// failure returns the error for which an event is not acknowledged, or nil.
func (o outcome) failure() error {
	if o.verdict == processed || o.verdict == waiting || o.verdict == deadLettered {
		return nil
	}
	return o.err
}

// statusError is a failure that tells the SDK what to answer.
type statusError struct {
	error
	status int
}

// Unwrap returns the failure.
func (e *statusError) Unwrap() error { return e.error }

// As gives the SDK the result that it looks for.
func (e *statusError) As(target any) bool {
	result, ok := target.(**cehttp.Result)
	if ok {
		*result = &cehttp.Result{StatusCode: e.status, Format: "%w", Args: []any{e.error}}
	}
	return ok
}
