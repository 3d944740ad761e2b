package convert

import (
	"log/slog"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/admission"
)

// DefaultBodyLimit is the largest body that [ToHTTPHandler] accepts unless told
// otherwise: enough for the largest message of Pub/Sub, 10 MB, which grows by a third
// on its way, being base64 (https://cloud.google.com/pubsub/quotas).
const DefaultBodyLimit int64 = 14_000_000

// DefaultClientTimeout is how long [ToHTTPHandler] waits for a client unless told
// otherwise.
const DefaultClientTimeout = time.Minute

// Option is an option of [ToHTTPHandler], [ToCloudFunction] and
// [ToKNativeEventHandler].
type Option func(*settings)

type settings struct {
	letters driver.DeadLetterStore // nil: off
	limit   int64
	maxAge  time.Duration // 0: any
	client  time.Duration
	logger  *slog.Logger    // nil: slog.Default(), when needed
	gate    *admission.Gate // nil: no bound
}

// DeadLetters has events that can never succeed set aside in store, and then
// acknowledged. Without it, or with nil, they are answered as failures instead:
// with status 400, which Pub/Sub delivers again until its retention ends.
func DeadLetters(store driver.DeadLetterStore) Option {
	return func(s *settings) { s.letters = store }
}

// MaxAge has an event that fails set aside, for [driver.ReasonTooOld], instead of
// delivered again, if it is older than age then: platforms that deliver again stop
// some time, Eventarc after a day, and forget the event without a word. An event is
// as old as its ce-time says, which for Pub/Sub is the time of publication; one
// that does not tell its time is never too old, nor is one whose key is held by
// another. 0, the default, is any age. It needs [DeadLetters].
func MaxAge(age time.Duration) Option {
	return func(s *settings) { s.maxAge = age }
}

// BodyLimit is the largest body that [ToHTTPHandler] accepts, in bytes; the default
// is [DefaultBodyLimit], also for a limit below 1. A request with a larger one can
// never succeed: as much as the limit allows is set aside. The other adapters are
// given events that were read already, and ignore it.
func BodyLimit(bytes int64) Option {
	return func(s *settings) {
		if bytes < 1 {
			bytes = DefaultBodyLimit
		}
		s.limit = bytes
	}
}

// ClientTimeout is how long a client of [ToHTTPHandler] may take to send its body,
// and again to read the answer; the default is [DefaultClientTimeout], also for a
// timeout that is not positive. A body also ends with the request's context. What
// is too late is not processed, and is answered 408, so that it is delivered again.
// It needs a server that can set deadlines, as that of net/http. How long a client
// may take for its header is the server's affair.
func ClientTimeout(timeout time.Duration) Option {
	return func(s *settings) {
		if timeout <= 0 {
			timeout = DefaultClientTimeout
		}
		s.client = timeout
	}
}

// Logger is where events are logged, once each; the default is [slog.Default] as
// it is when the event comes. Debug: processed. Info: held by another, or its
// request was cut short. Warn: to be delivered again. Error: set aside, or to be.
// The record tells of the event, never its payload.
func Logger(logger *slog.Logger) Option {
	return func(s *settings) { s.logger = logger }
}

func newSettings(opts []Option) settings {
	s := settings{limit: DefaultBodyLimit, client: DefaultClientTimeout}
	for _, opt := range opts {
		opt(&s)
	}
	if s.gate != nil {
		s.limit = min(s.limit, LargestBody(s.gate))
	}
	return s
}
