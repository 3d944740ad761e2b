package convert

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
)

// answer tells the client of an outcome.
func answer(w http.ResponseWriter, o outcome) {
	switch o.verdict {
	case waiting:
		w.WriteHeader(http.StatusAccepted)
	case processed:
		w.WriteHeader(http.StatusNoContent)
	case deadLettered:
		w.Header().Set(DeadLetterHeader, decode.EncodeHeader("", string(o.letter.Reason)))
		w.Header().Set(ErrorHeader, headerLine(o.err.Error()))
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
	case rejected:
		line(w, http.StatusBadRequest, fmt.Sprintf("rejected: %s: %v", driver.ReasonOf(o.err), o.err))
	case held:
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter(o.err, time.Now())))
		line(w, http.StatusServiceUnavailable, heldText(o.err))
	case busy:
		busyAnswer(w)
	default:
		if pause := driver.RetryAfterOf(o.err); pause > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(seconds(pause)))
		}
		line(w, http.StatusInternalServerError, "failed: deliver it again")
	}
}

// The headers of the answer to an event that was dead-lettered.
const (
	// DeadLetterHeader has the letter's [driver.Reason].
	DeadLetterHeader = "Event-Driver-Dead-Letter"
	// ErrorHeader has the beginning of its error, percent-encoded except for spaces and quotes.
	ErrorHeader = "Event-Driver-Error"
)

// longestHeader is the most bytes of an error in a header: servers and proxies refuse answers
// with long headers.
const longestHeader = 1024

// headerLine returns text, or its beginning, as the value of a header: in printable ASCII.
func headerLine(text string) string {
	encoded := strings.NewReplacer("%20", " ", "%22", `"`).Replace(decode.EncodeHeader("", oneLine(text)))
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
	_, _ = io.WriteString(w, oneLine(brief(text))+"\n") // the client may be gone
}

// maxRetryAfter caps Retry-After: most holders finish long before their lease ends.
const maxRetryAfter = 60 * time.Second

// retryAfter returns the whole seconds after which to redeliver, at least 1.
func retryAfter(err error, now time.Time) int {
	if later, ok := errors.AsType[*driver.LaterError](err); ok {
		return max(seconds(later.Until.Sub(now)), 1)
	}
	wait := time.Second
	if h, ok := errors.AsType[*driver.HeldError](err); ok {
		wait = min(max(h.Expires.Sub(now), wait), maxRetryAfter)
	}
	return seconds(wait)
}

// seconds rounds up.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

func heldText(err error) string {
	if errors.Is(err, driver.ErrLater) {
		return "its last run asked for a pause: deliver it again"
	}
	return "held by another: deliver it again"
}

func busyAnswer(w http.ResponseWriter) {
	w.Header().Set("Retry-After", strconv.Itoa(retrySoon))
	line(w, http.StatusServiceUnavailable, "not enough memory is free: deliver it again")
}

// oneLine joins the lines of text.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
