package convert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
)

// ToHTTPHandler returns a handler that reads an event from each request (see the
// package documentation, In), hands it to p, and answers:
//
//   - 202: kept, and waiting for other events of its key;
//   - 204: processed;
//   - 200, without a body: dead-lettered. The reason is in the header
//     [DeadLetterHeader], and the error in [ErrorHeader];
//   - 503, with Retry-After in seconds: the key is held by another ([driver.ErrHeld]), or
//     not enough memory is free ([driver.ErrNoMemory]);
//   - 500: failed, or the dead letter could not be kept; to be delivered again;
//   - 400, with the reason in a line of text: it can never succeed, and dead letters
//     are off; or the body could not be read to its end;
//   - 408: the body did not come in time ([ClientTimeout]);
//   - 405: not a POST.
//
// A request to the path /events/NAME ([SourcePath]) brings an event of the source NAME,
// whatever the event says of itself. All other paths are one, and say nothing of the
// source; only that of a Pub/Sub push may name its topic. No path is redirected.
//
// Any 2xx acknowledges the event to Pub/Sub and Eventarc, anything else has it
// delivered again. No 2xx has a body: a Knative broker takes one that is no CloudEvent
// for a failure. A request that is no valid event, or whose body is larger than
// [BodyLimit], is dead-lettered as well, with those of its headers that are known to be
// harmless, and its body. To those of a Pub/Sub push the ce- headers are added with which Eventarc
// would have sent it. A body that ends early is neither processed nor set aside,
// because its client is gone.
//
// It reads events itself, not with the SDK's receiver, which lets requests hang
// under load (cloudevents/sdk-go issues 1224 and 1332), and so is safe at any
// concurrency. It panics if in or p is nil.
func ToHTTPHandler(in InputConverter, p Processor, opts ...Option) http.HandlerFunc {
	return newEdge(in, p, opts).serveHTTP
}

func (e *edge) serveHTTP(w http.ResponseWriter, r *http.Request) {
	connection := http.NewResponseController(w)
	source := sourceInPath(r.URL)
	r = r.WithContext(WithSource(r.Context(), source))
	e.untilReceived(connection, r)
	if r.Method != http.MethodPost {
		e.untilAnswered(connection)
		w.Header().Set("Allow", http.MethodPost)
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close") // or the answer would wait for the body
		}
		line(w, http.StatusMethodNotAllowed, "events are sent with POST")
		return
	}
	ctx, release, err := e.admit(r)
	if err != nil {
		e.sendAway(w, r, err)
		return
	}
	defer release()
	r = r.WithContext(ctx)
	body, err := readBody(w, r, e.limit)
	if err != nil && !driver.IsPermanent(err) {
		e.untilAnswered(connection)
		e.cutShort(w, r, err)
		return
	}
	coming := incoming{err: err, path: SourcePath(source), original: func() original { return original{r.Header, body} }}
	if err == nil {
		coming.event, coming.err = readEvent(r, body, &coming.notes)
	}
	o := e.handle(r.Context(), coming)
	e.untilAnswered(connection)
	answer(w, o)
}

// untilReceived has reads of the body fail from some time on. The server reads what
// is left of a body when the request is answered, so this holds for all requests
// that have one. It takes the deadline back when it has come to the body's end;
// without a body it would take the deadline for the client's going away.
func (e *edge) untilReceived(connection *http.ResponseController, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	until := time.Now().Add(e.client)
	if end, ok := r.Context().Deadline(); ok && end.Before(until) {
		until = end
	}
	_ = connection.SetReadDeadline(until) // not every server can
}

// untilAnswered has the server give up the connection of a client that does not
// read the answer. The server takes the deadline back for the next request.
func (e *edge) untilAnswered(connection *http.ResponseController) {
	_ = connection.SetWriteDeadline(time.Now().Add(e.client))
}

// cutShort answers a request whose body did not come, or not in time.
func (e *edge) cutShort(w http.ResponseWriter, r *http.Request, err error) {
	e.log().LogAttrs(r.Context(), slog.LevelInfo, "request cut short, its body was not read",
		slog.String("event", brief(r.Header.Get("Ce-Id"))), slog.String("error", err.Error()))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.Header().Set("Connection", "close") // the rest of it is not to be waited for
		line(w, http.StatusRequestTimeout, "the body did not come in time: deliver it again")
		return
	}
	line(w, http.StatusBadRequest, "the body could not be read")
}

// drainLimit bounds what is read of a body that is too large, so that its client
// gets to the answer instead of failing to send the rest.
const drainLimit = 64 << 20

// readBody reads a body of up to limit bytes. The error is permanent where there
// are more; then body holds as many as the limit.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, err error) {
	if limited := io.LimitReader(r.Body, limit); r.ContentLength < 0 {
		body, err = io.ReadAll(limited)
	} else { // in one piece
		b := bytes.NewBuffer(make([]byte, 0, min(r.ContentLength, limit)+bytes.MinRead))
		_, err = b.ReadFrom(limited)
		body = b.Bytes()
	}
	if err == nil && int64(len(body)) == limit {
		var more int64
		more, err = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, drainLimit))
		if err == nil && more > 0 {
			err = &http.MaxBytesError{Limit: limit}
		}
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge { // also an outer handler's
		return body, undecodable("the body is larger than %d bytes; only that many are kept: send less, or raise the body limit", len(body))
	}
	return body, err
}

// readEvent reads the event.
func readEvent(r *http.Request, body []byte, n *notes) (event *cloudevents.Event, err error) {
	err = rejectPanic("reading the event", func() (err error) {
		event, err = requestEvent(r, body, n)
		return err
	})
	return event, err
}

// answer tells the client of an outcome.
func answer(w http.ResponseWriter, o outcome) {
	switch o.verdict {
	case waiting:
		w.WriteHeader(http.StatusAccepted)
	case processed:
		w.WriteHeader(http.StatusNoContent)
	case deadLettered:
		w.Header().Set(DeadLetterHeader, percentEncoded(string(o.letter.Reason)))
		w.Header().Set(ErrorHeader, headerLine(o.err.Error()))
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
	case rejected:
		line(w, http.StatusBadRequest, fmt.Sprintf("rejected: %s: %v", driver.ReasonOf(o.err), o.err))
	case held:
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter(o.err, time.Now())))
		line(w, http.StatusServiceUnavailable, "held by another: deliver it again")
	case busy:
		busyAnswer(w)
	default:
		line(w, http.StatusInternalServerError, "failed: deliver it again")
	}
}

// The headers of the answer to an event that was dead-lettered.
const (
	DeadLetterHeader = "Event-Driver-Dead-Letter" // the letter's [driver.Reason]
	ErrorHeader      = "Event-Driver-Error"       // the letter's error, cut, and percent-encoded but for spaces and quotes
)

// longestHeader is how many bytes of an error get into a header: servers and proxies
// refuse answers with long ones.
const longestHeader = 1024

// headerLine returns text as the value of a header: printable ASCII, cut where it is
// long.
func headerLine(text string) string {
	encoded := strings.NewReplacer("%20", " ", "%22", `"`).Replace(percentEncoded(oneLine(text)))
	if len(encoded) <= longestHeader {
		return encoded
	}
	encoded = encoded[:longestHeader]
	if cut := strings.LastIndexByte(encoded, '%'); cut > longestHeader-3 {
		encoded = encoded[:cut] // not in the middle of %XX
	}
	return encoded + "..."
}

// line answers with one line of text.
func line(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, oneLine(brief(text))+"\n") // whether a client reads it is the client's affair
}

// maxRetryAfter caps Retry-After: holders mostly finish long before their lease
// runs out.
const maxRetryAfter = 60 * time.Second

// retryAfter returns the whole seconds after which to try again, at least 1.
func retryAfter(err error, now time.Time) int {
	wait := time.Second
	if h, ok := errors.AsType[*driver.HeldError](err); ok {
		wait = min(max(h.Expires.Sub(now), wait), maxRetryAfter)
	}
	return int((wait + time.Second - 1) / time.Second)
}

var _ Processor = (*driver.Pipeline)(nil)
