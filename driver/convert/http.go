package convert

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
)

// ToHTTPHandler returns a handler that reads an event from each request (see package decode,
// Requests), hands it to p, and answers:
//
//   - 202: stored, and waiting for other events of its key;
//   - 204: processed;
//   - 200, without a body: dead-lettered. The header [DeadLetterHeader] has the reason, and
//     [ErrorHeader] the error;
//   - 503, with Retry-After in seconds: the key is held by another ([driver.ErrHeld]), its last
//     run has asked for a pause ([driver.ErrLater]), or not enough memory is free ([driver.ErrNoMemory]);
//   - 500, with Retry-After where the failure says when ([driver.RetryAfter]): failed, or the dead letter could not be stored; to be redelivered;
//   - 400, with the reason in a line of text: it can never succeed, and dead letters
//     are off; or the body could not be read to its end;
//   - 408: the body did not arrive in time ([ClientTimeout]);
//   - 405: not a POST.
//
// A request to the path /events/NAME ([SourcePath]) brings an event of the source NAME,
// whatever the event says. Other paths do not name the source, except that the path of a
// Pub/Sub push may name its topic. No path is redirected.
//
// Any 2xx acknowledges the event to Pub/Sub and Eventarc; any other status makes them redeliver
// it. No 2xx has a body: a Knative broker takes a body that is no CloudEvent for a failure.
//
// A request that is no valid event, or whose body is larger than [BodyLimit], is dead-lettered,
// too, with its body and with the headers that are known to be harmless. Its key and source are those
// that in returns of the headers alone, where these say enough. The dead letter of a
// Pub/Sub push also has the ce- headers with which Eventarc would have sent it. A request whose
// body ends early is neither processed nor dead-lettered, because its client is gone.
//
// The handler does not use the SDK's receiver, which lets requests hang under load
// (cloudevents/sdk-go issues 1224 and 1332). It is safe at any concurrency. ToHTTPHandler panics
// if in or p is nil.
func ToHTTPHandler(in InputConverter, p Processor, opts ...Option) http.HandlerFunc {
	return newEndpoint(in, p, opts).serveHTTP
}

func (e *endpoint) serveHTTP(w http.ResponseWriter, r *http.Request) {
	connection := http.NewResponseController(w)
	source := sourceInPath(r.URL)
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
		e.refuse(w, r, err)
		return
	}
	defer release()
	body, err := readBody(w, r, e.limit)
	if err != nil && !driver.IsPermanent(err) {
		e.untilAnswered(connection)
		e.cutShort(w, r, err)
		return
	}
	coming := incoming{err: err, cut: err != nil, path: SourcePath(source), original: func() original { return original{r.Header, body} }}
	if err == nil {
		coming.event, coming.err = readEvent(r, body, &coming.warnings)
	}
	if coming.err != nil {
		coming.outside = decode.Outside(r.Header)
	}
	o := e.handle(decode.WithSource(ctx, source), coming)
	e.untilAnswered(connection)
	answer(w, o)
}

// untilReceived sets the time from which reads of the body fail. It does so for all requests
// with a body, because the server reads the rest of a body after the answer. The server removes
// the deadline at the end of the body. Without a body, it would mistake the deadline for the
// client's disconnection.
func (e *endpoint) untilReceived(connection *http.ResponseController, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	until := time.Now().Add(e.client)
	if end, ok := r.Context().Deadline(); ok && end.Before(until) {
		until = end
	}
	_ = connection.SetReadDeadline(until) // not every server can
}

// untilAnswered sets the time at which the server closes the connection of a client that does
// not read the answer. The server removes the deadline for the next request.
func (e *endpoint) untilAnswered(connection *http.ResponseController) {
	_ = connection.SetWriteDeadline(time.Now().Add(e.client))
}

// cutShort answers a request whose body did not arrive as a whole, or not in time.
func (e *endpoint) cutShort(w http.ResponseWriter, r *http.Request, err error) {
	e.log().LogAttrs(r.Context(), slog.LevelInfo, "request cut short, its body was not read",
		slog.String("event", brief(r.Header.Get("Ce-Id"))), slog.String("error", err.Error()))
	e.tell(r.Context(), nil, outcome{verdict: cut, err: err, message: driver.Message{Source: sourceInPath(r.URL)}})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.Header().Set("Connection", "close") // don't wait for the rest
		line(w, http.StatusRequestTimeout, "the body did not arrive in time: deliver it again")
		return
	}
	line(w, http.StatusBadRequest, "the body could not be read")
}

// drainLimit bounds reading on in a body that is too large. Reading on lets its client get to the
// answer instead of failing to send the rest.
const drainLimit = 64 << 20

// readBody reads a body of up to limit bytes. If there are more, the error is permanent, and body
// holds as many as the limit.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, err error) {
	if r.ContentLength < 0 {
		body, err = io.ReadAll(io.LimitReader(r.Body, limit))
	} else { // in one piece
		limited := io.LimitedReader{R: r.Body, N: limit}
		body, err = readInto(make([]byte, 0, min(r.ContentLength, limit)+1), &limited)
	}
	if err == nil && int64(len(body)) == limit {
		var more int64
		more, err = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, drainLimit))
		if err == nil && more > 0 {
			err = &http.MaxBytesError{Limit: limit}
		}
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge { // also an outer handler's
		return body, undecodable("the body is larger than %d bytes; the dead letter has only these: send less, or raise BODY_LIMIT",
			len(body))
	}
	return body, err
}

// readInto appends all that r has to b, as [io.ReadAll] does to nothing. With room for one byte more it
// finds the end without growing b.
func readInto(b []byte, r *io.LimitedReader) ([]byte, error) {
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return b, err
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

// readEvent reads the event.
func readEvent(r *http.Request, body []byte, w *decode.Warnings) (event *cloudevents.Event, err error) {
	err = driver.Recover(func() (err error) {
		event, err = decode.Request(r, body, w)
		return err
	})
	return event, rejectPanic("reading the event", err)
}
