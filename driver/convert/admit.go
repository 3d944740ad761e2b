package convert

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/admission"
)

// Admission bounds the bytes that are held for all events at once: see package
// admission. [ToHTTPHandler] asks for a request's bytes before it reads the body, and
// answers 503 where they are not free in time; the other adapters are given events that
// were read already, and do not wait. Without it, or with nil, there is no bound.
//
// [LargestBody] may be less than [BodyLimit], and counts then.
func Admission(gate *admission.Gate) Option {
	return func(s *settings) { s.gate = gate }
}

const (
	// overhead is what a request takes beside its body: connections, headers, stacks.
	overhead = 64 << 10
	// mostCopies is how often a body is there at most: as it came, as it was put
	// together of pieces where its length was not known before, and decoded.
	mostCopies = 3
	// drainWithin is for the body of a request that is sent away: its client gets to the
	// answer then, instead of failing to send the rest.
	drainWithin = 3 * time.Second
	// retrySoon is after how many seconds a request that was sent away may come again.
	retrySoon = 2
)

// LargestBody returns how large a body may be with [Admission] by gate.
func LargestBody(gate *admission.Gate) int64 {
	return max(gate.Largest()-overhead, 0) / mostCopies
}

// cost returns how many bytes a request holds until its event is joined. Only an event in
// binary mode is not decoded, unless it is a Pub/Sub message.
func cost(r *http.Request, limit int64) int64 {
	length, copies := r.ContentLength, int64(1)
	if length < 0 {
		copies++
	}
	if length < 0 || length > limit {
		length = limit
	}
	binary := hasContext(r.Header) && !isEventFormat(mediaType(r.Header.Get("Content-Type")))
	if !binary || r.Header.Get("Ce-Type") == pubsubType {
		copies++
	}
	return overhead + copies*length
}

// admit returns a context with the account of a request, whose bytes are its own until
// release is called. It may wait for its turn.
func (e *edge) admit(r *http.Request) (ctx context.Context, release func(), err error) {
	if e.gate == nil {
		return r.Context(), func() {}, nil
	}
	grant, err := e.gate.Admit(r.Context(), cost(r, e.limit))
	if err != nil {
		return nil, nil, err
	}
	return driver.WithMemory(r.Context(), grant), grant.Release, nil
}

// sendAway answers a request for which there is no memory.
func (e *edge) sendAway(w http.ResponseWriter, r *http.Request, err error) {
	e.log().LogAttrs(r.Context(), slog.LevelInfo, "no memory is free for the event, to be delivered again",
		slog.String("event", brief(r.Header.Get("Ce-Id"))), slog.String("error", err.Error()))
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(drainWithin)) // not every server can
	if r.Header.Get("Expect") != "" || !drained(r) {
		w.Header().Set("Connection", "close")
	}
	e.untilAnswered(connection)
	busyAnswer(w)
}

// drained reads the whole body, and keeps nothing of it.
func drained(r *http.Request) bool {
	if r.Body == nil {
		return true
	}
	n, err := io.Copy(io.Discard, io.LimitReader(r.Body, drainLimit))
	return err == nil && n < drainLimit
}

func busyAnswer(w http.ResponseWriter) {
	w.Header().Set("Retry-After", strconv.Itoa(retrySoon))
	line(w, http.StatusServiceUnavailable, "not enough memory is free: deliver it again")
}

// receive takes an event that has been read already from arrival to its verdict.
func (e *edge) receive(ctx context.Context, in incoming) outcome {
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

// noMemory says that an event failed because of others that are handled now.
func noMemory(err error) bool { return errors.Is(err, driver.ErrNoMemory) && !driver.IsPermanent(err) }
