package convert

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/admission"
	"example.com/eventdriver/driver/decode"
)

// Admission bounds the bytes that are held for all events at once: see package admission.
// [ToHTTPHandler] asks for a request's bytes before it reads the body, and answers 503 if they
// are not free in time. The other adapters get events that were read already, and do not wait.
// Without this option, or with nil, there is no bound.
//
// The smaller one of [LargestBody] and [BodyLimit] counts.
func Admission(gate *admission.Gate) Option {
	return func(s *settings) { s.gate = gate }
}

const (
	// overhead is the memory of a request beside its body: connections, headers, stacks.
	overhead = 64 << 10
	// mostCopies is how many copies of a body there are at most: as it arrived, as it was
	// put together of pieces if its length was not known before, and decoded.
	mostCopies = 3
	// drainWithin bounds reading on after a request was refused, so that its client gets to
	// the answer instead of failing to send the rest.
	drainWithin = 3 * time.Second
	// retrySoon is the number of seconds after which a refused request may come again.
	retrySoon = 2
)

// LargestBody returns the most bytes of a body with [Admission] by gate.
func LargestBody(gate *admission.Gate) int64 {
	return max(gate.Largest()-overhead, 0) / mostCopies
}

// cost returns how many bytes a request holds until its event is joined.
func cost(r *http.Request, limit int64) int64 {
	length, copies := r.ContentLength, int64(1)
	if length < 0 {
		copies++
	}
	if length < 0 || length > limit {
		length = limit
	}
	if decode.CopiesData(r.Header) {
		copies++
	}
	return overhead + copies*length
}

// admit returns a context with the account of a request. The request holds its bytes until
// release is called. admit may wait for its turn.
func (e *endpoint) admit(r *http.Request) (ctx context.Context, release func(), err error) {
	if e.gate == nil {
		return r.Context(), func() {}, nil
	}
	grant, err := e.gate.Admit(r.Context(), cost(r, e.limit))
	if err != nil {
		return nil, nil, err
	}
	return driver.WithMemory(r.Context(), grant), grant.Release, nil
}

// refuse answers a request for which there is no memory.
func (e *endpoint) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e.log().LogAttrs(r.Context(), slog.LevelInfo, "no memory is free for the event, to be redelivered",
		slog.String("event", brief(r.Header.Get("Ce-Id"))), slog.String("error", err.Error()))
	e.tell(r.Context(), nil, outcome{verdict: busy, err: err, message: driver.Message{Source: sourceInPath(r.URL)},
		unread: max(r.ContentLength, 0)})
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(drainWithin)) // not every server can
	if r.Header.Get("Expect") != "" || !drained(r) {
		w.Header().Set("Connection", "close")
	}
	e.untilAnswered(connection)
	busyAnswer(w)
}

// drained reads the whole body, keeps nothing of it, and says whether it came to the end.
func drained(r *http.Request) bool {
	if r.Body == nil {
		return true
	}
	n, err := io.Copy(io.Discard, io.LimitReader(r.Body, drainLimit))
	return err == nil && n < drainLimit
}

// receive is handle for an event that has been read already.
func (e *endpoint) receive(ctx context.Context, in incoming) outcome {
	if e.gate != nil {
		grant, err := e.gate.Try(overhead + 2*int64(len(in.event.Data())))
		if err != nil {
			in.err = err
		} else {
			defer grant.Release()
			ctx = driver.WithMemory(ctx, grant)
		}
	}
	return e.handle(ctx, in)
}

// noMemory says that an event failed because other events hold the memory now.
func noMemory(err error) bool { return errors.Is(err, driver.ErrNoMemory) && !driver.IsPermanent(err) }
