package convert

import (
	"log/slog"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/admission"
	"example.com/eventdriver/driver/decode"
)

// DefaultBodyLimit is the default of [BodyLimit], in bytes.
const DefaultBodyLimit = decode.DefaultContentLimit

// DefaultClientTimeout is the default of [ClientTimeout].
const DefaultClientTimeout = time.Minute

// Option is an option of [ToHTTPHandler], [ToCloudFunction] and
// [ToKNativeEventHandler].
type Option func(*settings)

type settings struct {
	letters driver.DeadLetterStore // nil: off
	limit   int64                  // of a body, in bytes
	maxAge  time.Duration          // 0: any
	client  time.Duration          // to send a body, and again to read the answer
	logger  *slog.Logger           // nil: slog.Default(), when needed
	gate    *admission.Gate        // nil: no bound
	returns bool                   // the converter never ends its goroutine
	observe Observer               // nil: nobody looks
}

// ConverterReturns says that the [InputConverter] never ends its goroutine ([runtime.Goexit]), as those
// of package decode don't. It is called in the request's goroutine then, instead of one of its own. It
// may panic: the event is rejected.
func ConverterReturns() Option {
	return func(s *settings) { s.returns = true }
}

// DeadLetters stores events that can never succeed in store, and then acknowledges them.
// Without it, or with nil, they are answered with status 400 instead: Pub/Sub redelivers them
// until its retention ends.
func DeadLetters(store driver.DeadLetterStore) Option {
	return func(s *settings) { s.letters = store }
}

// MaxAge dead-letters an event that fails when it is older than age, for [driver.ReasonTooOld].
// Without it the event is lost when the platform stops to redeliver it, Eventarc after a day,
// without a word. The age counts from ce-time, which for Pub/Sub is the time of publication. An
// event without a time is never too old, nor is one whose key is held by another or paused. 0, the
// default, is any age. MaxAge needs [DeadLetters].
func MaxAge(age time.Duration) Option {
	return func(s *settings) { s.maxAge = age }
}

// BodyLimit is the largest body that [ToHTTPHandler] accepts, in bytes; the default is
// [DefaultBodyLimit], also for a limit below 1. A request with a larger body can never succeed:
// its dead letter has as many bytes as the limit. The other adapters get events that were read
// already, and ignore the limit.
func BodyLimit(bytes int64) Option {
	return func(s *settings) {
		if bytes < 1 {
			bytes = DefaultBodyLimit
		}
		s.limit = bytes
	}
}

// ClientTimeout is how long a client of [ToHTTPHandler] may take to send its body, and again to
// read the answer; the default is [DefaultClientTimeout], also for a timeout that is not
// positive. The end of the request's context ends the body, too. An event whose body is late is
// not processed: the answer 408 makes the platform redeliver it. The server must be able to set
// deadlines, as that of net/http is. The time for the header is the server's to limit.
func ClientTimeout(timeout time.Duration) Option {
	return func(s *settings) {
		if timeout <= 0 {
			timeout = DefaultClientTimeout
		}
		s.client = timeout
	}
}

// Logger logs the outcome of each event, once; the default is the [slog.Default] of the time of
// the event. Info: processed, waiting, held by another, no memory, or its request was cut short.
// Warn: failed, to be redelivered. Error: dead-lettered, or it should have been. The
// record describes the event, never its payload.
func Logger(logger *slog.Logger) Option {
	return func(s *settings) {
		if s.logger = logger; logger != nil {
			s.logger = driver.Logger(logger)
		}
	}
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
